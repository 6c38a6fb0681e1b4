/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reflector tells one receiver what objects of a selection there are, and every change: it lists,
 * watches, and goes on after whatever happens to the connection or the server.
 *
 *     list ──▶ watch ──ended, broken──▶ pause ──▶ watch from the last resourceVersion
 *       ▲                                           │
 *       └──────────────── 410: too old ─────────────┘
 *
 * It has a thread of its own and remembers names, uids and resourceVersions only: about 200 bytes an
 * object. After a list, objects that are gone are told as removed, though nobody saw them go.
 */
#ifndef KUBE_REFLECTOR_H
#define KUBE_REFLECTOR_H

#include "list.h"

#include <stdint.h>

struct firn_error;
struct json_object;
struct kube_client;
struct kube_reflector;

/* All are called from the reflector's thread, one at a time. Objects are borrowed: json_object_get()
 * keeps one. */
struct kube_reflector_options {
    struct kube_selection selection; /* its strings are copied, but for the type */
    void (*changed)(void *context, struct json_object *object); /* is there, as it is now */
    /* Is gone: its last state, or only apiVersion, kind, and metadata's namespace, name, uid. */
    void (*removed)(void *context, struct json_object *object);
    void (*synced)(
        void *context); /* all that there is has been told; after every list. May be NULL */
    /* A list or a watch failed, and is tried again in a while. May be NULL. */
    void (*failed)(void *context, const struct firn_error *error);
    void *context;
    uint32_t watch_timeout; /* as in struct kube_watch */
    uint32_t idle_timeout;
};

struct kube_reflector *kube_reflector_start(struct kube_client *client,
                                            const struct kube_reflector_options *options);
/* Nothing is called once it returns. Not from one of its functions. NULL is fine. */
void kube_reflector_stop(struct kube_reflector *reflector);

struct kube_reflector_counts {
    uint64_t lists;
    uint64_t watches;
    uint64_t events; /* bookmarks not counted */
    uint64_t bookmarks;
};
struct kube_reflector_counts kube_reflector_counts(const struct kube_reflector *reflector);

#endif
