/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists, fetched in chunks, so that memory is bounded by a chunk and not by the cluster.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
 */
#ifndef KUBE_LIST_H
#define KUBE_LIST_H

#include "type.h"

#include <stdbool.h>

struct buf;
struct firn_error;
struct json_object;
struct kube_client;

/* Which objects. All borrowed; NULL: not restricted. */
struct kube_selection {
    const struct kube_type *type;
    const char *namespace; /* NULL: all namespaces */
    const char *labels;    /* "app=web,tier!=db" */
    const char *fields;    /* "metadata.name=web" */
    bool
        metadata_only; /* objects come with apiVersion, kind and metadata alone (PartialObjectMetadata) */
    unsigned chunk; /* objects a request; 0: 100 */
};

struct kube_list {
    struct kube_selection selection;
    /* Each object, borrowed; 0, or -1 to stop with *err set. */
    int (*item)(void *context, struct json_object *object, struct firn_error **err);
    /* The list begins anew, for the cluster's history went on too far between two chunks: what was seen is to be forgotten. */
    void (*again)(void *context);
    void *context;
    bool (*stopped)(void *context); /* may be NULL; true: CANCELLED */
};

/* *resource_version (may be NULL): where a watch can go on, a new string. */
int kube_list(struct kube_client *client, const struct kube_list *list, char **resource_version,
              struct firn_error **err);
/* All at once, as a JSON array: for what is known to be few. *out: the caller's. */
int kube_list_array(struct kube_client *client, const struct kube_selection *selection,
                    struct json_object **out, struct firn_error **err);

/* "labelSelector=…&fieldSelector=…", escaped, appended. */
void kube_selection_query(const struct kube_selection *selection, struct buf *out);
/* What an answer of such objects is asked for as. Static. */
const char *kube_selection_accept(const struct kube_selection *selection);

#endif
