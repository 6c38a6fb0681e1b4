/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What types a cluster serves: /api and /apis, read once and kept for ten minutes. Any thread.
 * Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
 */
#ifndef KUBE_DISCOVERY_H
#define KUBE_DISCOVERY_H

#include "type.h"

#include <stdbool.h>

struct firn_error;
struct kube_client;
struct kube_discovery;

struct kube_served {
    struct kube_type type;
    const char *verbs; /* with a blank before and behind each: " create get list " */
};

/* The client must outlive it. */
struct kube_discovery *kube_discovery_new(struct kube_client *client);
void kube_discovery_free(struct kube_discovery *discovery); /* NULL is fine */
void kube_discovery_forget(
    struct kube_discovery *discovery); /* the next question asks the server */

/* The type of that kind, or resource, in a group; version NULL: the preferred one. NOTFOUND if it is
 * not served, RETRY if its group cannot be asked at present. *out is valid until discovery_free(). */
int kube_discovery_find(struct kube_discovery *discovery, const char *group, const char *version,
                        const char *kind, const struct kube_type **out, struct firn_error **err);
/* Every type in its preferred version, subresources left out. each(): 0, or -1 to stop with *err
 * set. absent(), which may be NULL: a group version that cannot be asked at present. */
struct kube_discovery_each {
    int (*each)(void *context, const struct kube_served *served, struct firn_error **err);
    void (*absent)(void *context, const char *group_version, const struct firn_error *error);
    void *context;
};
int kube_discovery_all(struct kube_discovery *discovery, const struct kube_discovery_each *how,
                       struct firn_error **err);

#endif
