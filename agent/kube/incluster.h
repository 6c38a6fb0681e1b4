/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ServiceAccount of a pod: three files that the kubelet mounts and keeps fresh, and two variables.
 * Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
#ifndef KUBE_INCLUSTER_H
#define KUBE_INCLUSTER_H

#include <stdbool.h>

struct firn_error;
struct kube_config;

#define INCLUSTER_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

/* Whether this is a pod with a token. */
bool incluster_present(const char *folder);
/* folder: where the files are, INCLUSTER_FOLDER but for tests. */
int incluster_load(const char *folder, struct kube_config **out, struct firn_error **err);

#endif
