/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster, as the host reaches it: requests, and the kinds of objects that a namespace can hold.
 */
#ifndef NAMESPACE_CLUSTER_H
#define NAMESPACE_CLUSTER_H

#include <firn/plugin.h>

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct firn_error;
struct json_object;

struct cluster {
    const struct firn_host *host;
};

/* One kind of namespaced object, by the version that the cluster prefers. */
struct kind {
    char *api_version; /* "v1", "apps/v1" */
    char *group;       /* "" is the core group */
    char *name;        /* "Deployment" */
    char *resource;    /* "deployments" */
    char *object;      /* of a snapshot: "deployments.apps", "configmaps" */
};

struct kinds {
    struct kind *list; /* in the order of the objects' names */
    size_t count;
};

/* A request: *out (may be NULL) is the answer, the caller's. Errors: NOTFOUND, CONFLICT, DENIED, RETRY, INVALID, as the API
 * server says. */
int cluster_get(const struct cluster *cluster, const char *verb, const char *path,
                struct json_object **out, struct firn_error **err);
int cluster_send(const struct cluster *cluster, const char *verb, const char *method,
                 const char *path, const char *content_type, struct json_object *body,
                 struct firn_error **err);

/* Every kind that can be listed and created in a namespace, but for those that only show others in another way. `failed` is
 * called for each group of the API that did not answer. */
typedef void cluster_failed(void *context, const char *group, const struct firn_error *why);
int cluster_kinds(const struct cluster *cluster, struct kinds *out, cluster_failed *failed,
                  void *context, struct firn_error **err);
void kinds_free(struct kinds *kinds);
const struct kind *kinds_find(const struct kinds *kinds, const char *object);

/* "/apis/apps/v1/namespaces/shop/deployments", or of one object there. */
void kind_path(const struct kind *kind, const char *name_space, const char *name, struct buf *out);

/* All objects of a kind in a namespace, page by page; each is borrowed, has its apiVersion and kind, and comes in the order of
 * the names. `again`: the list begins anew, what was seen does not count. */
struct listing {
    int (*object)(void *context, struct json_object *object, struct firn_error **err);
    int (*again)(void *context, struct firn_error **err);
    void *context;
};
int cluster_list(const struct cluster *cluster, const struct kind *kind, const char *name_space,
                 const struct listing *listing, struct firn_error **err);

/* Whether text is the name of a namespace (RFC 1123 label). */
bool cluster_name_valid(const char *text);

#endif
