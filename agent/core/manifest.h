/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests of Kubernetes: objects as somebody would write them, without what a cluster sets itself. They are what a snapshot keeps of the
 * objects that belong to an item, what a restore applies, and what is compared with a running cluster.
 */
#ifndef CORE_MANIFEST_H
#define CORE_MANIFEST_H

#include <stdbool.h>

struct buf;
struct json_object;

/* Why an object is not captured at all, or NULL if it is: a controller makes it anew ("controlled by ReplicaSet web-5d8f"), or
 * the cluster does. *scratch keeps the text. */
const char *manifest_skipped(struct json_object *object, struct buf *scratch);

/* Takes away what a cluster sets itself: status, uid, resourceVersion, times, managed fields, owner references, and what is
 * assigned by kind, such as a Service's cluster addresses and a claim's volume. Annotations of controllers and of kubectl
 * apply go, too. What was chosen by people stays, as do members that are not known here. */
void manifest_clean(struct json_object *object);

/* Whether objects of this kind say what is, not what is wanted: Events, Leases, Endpoints. */
bool manifest_transient(const char *kind);
/* Whether this kind must not be captured unless it is asked for: Secrets. */
bool manifest_secret(struct json_object *object);

/* What differs between two cleaned manifests, one line each, appended to `out`, in the order of the paths:
 *     - spec.replicas: 2            only in the first
 *     + spec.paused: true           only in the second
 *     ~ spec.image: "a" → "b"
 * NULL for an object that is not there. Lists are compared by the elements' "name" where all have one, else by place.
 * Values of Secrets are not shown, only that they differ. Returns how many lines. */
unsigned manifest_diff(struct json_object *first, struct json_object *second, struct buf *out);

#endif
