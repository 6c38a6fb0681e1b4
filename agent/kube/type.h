/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of the API: group, version, resource; and the URL paths of what they stand for.
 *
 *     {&kube_jobs, "backup", "run-1", "status"}  ->  /apis/batch/v1/namespaces/backup/jobs/run-1/status
 *
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
 */
#ifndef KUBE_TYPE_H
#define KUBE_TYPE_H

#include <stdbool.h>

struct buf;
struct firn_error;
struct json_object;

struct kube_type {
    const char *group; /* "" is the core group */
    const char *version;
    const char *resource; /* plural, lower case: what RBAC calls it */
    const char *kind;
    bool cluster; /* its objects lie in no namespace */
};

/* An object, a subresource of it, or (name NULL) the collection. All borrowed. */
struct kube_target {
    const struct kube_type *type;
    const char *namespace; /* NULL: all, for collections; or the type has none */
    const char *name;
    const char *subresource; /* NULL: the object itself */
};

/* Well-known types that more than one module uses. */
extern const struct kube_type kube_configmaps, kube_events, kube_jobs, kube_leases, kube_namespaces,
    kube_nodes, kube_persistentvolumeclaims, kube_persistentvolumes, kube_pods, kube_secrets,
    kube_serviceaccounts, kube_services, kube_storageclasses;

/* Appends the path. INVALID if a part is empty or could lead elsewhere. */
int kube_path(const struct kube_target *target, struct buf *out, struct firn_error **err);
/* "jobs.batch backup/run-1", "pods in backup", "nodes": for messages. A new string. */
char *kube_target_text(const struct kube_target *target);
/* "batch/v1" of a type, "v1" of the core group: what apiVersion says. A new string. */
char *kube_api_version(const struct kube_type *type);
/* A new object with apiVersion, kind and metadata; namespace and name may be NULL. The caller's. */
struct json_object *kube_object_new(const struct kube_type *type, const char *namespace,
                                    const char *name);
/* What an object's metadata says; "" if it does not. Borrowed from it. */
const char *kube_name(struct json_object *object);
const char *kube_namespace(struct json_object *object);
const char *kube_uid(struct json_object *object);
const char *kube_resource_version(struct json_object *object);

#endif
