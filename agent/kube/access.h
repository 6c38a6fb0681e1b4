/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether we may: SelfSubjectAccessReview. For `doctor`, and for messages before something fails.
 */
#ifndef KUBE_ACCESS_H
#define KUBE_ACCESS_H

#include "type.h"

#include <stdbool.h>

struct firn_error;
struct kube_client;

/* *allowed: whether `verb` (RBAC's) is granted on the target; name NULL: on all of them. */
int kube_access(struct kube_client *client, const char *verb, const struct kube_target *target,
                bool *allowed, struct firn_error **err);

#endif
