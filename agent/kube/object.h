/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs on one object, or a subresource of it. Objects are json-c values as the server sent
 * them: members that Firn does not know stay where they are, in their order, and go back verbatim.
 *
 *     kube_get       read
 *     kube_create    CONFLICT: it exists already
 *     kube_update    replaces; CONFLICT if metadata.resourceVersion is not the current one
 *     kube_merge     JSON merge patch (RFC 7396); CONFLICT if it has a resourceVersion that is not the current one
 *     kube_patch     JSON patch (RFC 6902)
 *     kube_apply     server-side apply: what the object says, owned by a field manager; creates it if it is not there
 *     kube_delete    with propagation and preconditions
 *
 * target.namespace NULL means the namespace of the object, else the client's. *out (may be NULL): as
 * it is now, the caller's. Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
 */
#ifndef KUBE_OBJECT_H
#define KUBE_OBJECT_H

#include "type.h"

#include <stdbool.h>
#include <stdint.h>

struct firn_error;
struct json_object;
struct kube_client;

/* Field manager of everything that Firn writes. */
#define KUBE_MANAGER "firn"

int kube_get(struct kube_client *client, const struct kube_target *target, struct json_object **out,
             struct firn_error **err);
/* target->name counts for subresources only ("eviction", "token"). */
int kube_create(struct kube_client *client, const struct kube_target *target,
                struct json_object *object, struct json_object **out, struct firn_error **err);
int kube_update(struct kube_client *client, const struct kube_target *target,
                struct json_object *object, struct json_object **out, struct firn_error **err);
int kube_merge(struct kube_client *client, const struct kube_target *target,
               struct json_object *patch, struct json_object **out, struct firn_error **err);
int kube_patch(struct kube_client *client, const struct kube_target *target,
               struct json_object *patch, struct json_object **out, struct firn_error **err);

struct kube_apply {
    const char *manager; /* NULL: KUBE_MANAGER */
    bool force;          /* takes fields over from other managers; else CONFLICT names them */
    bool dry_run;        /* all checks, nothing stored */
};
/* options NULL: none. The object needs apiVersion, kind and metadata.name, and no managedFields. */
int kube_apply(struct kube_client *client, const struct kube_target *target,
               struct json_object *object, const struct kube_apply *options,
               struct json_object **out, struct firn_error **err);

struct kube_delete {
    const char *propagation;      /* Background, Foreground, Orphan; NULL: the type's own way */
    const char *uid;              /* only this very object; CONFLICT if it is another. NULL: any */
    const char *resource_version; /* only in this state */
    int64_t grace;                /* seconds; 0: the object's own; -1: at once */
};
/* options NULL: none. NOTFOUND if it is not there. */
int kube_delete(struct kube_client *client, const struct kube_target *target,
                const struct kube_delete *options, struct firn_error **err);

#endif
