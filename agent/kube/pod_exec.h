/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command in a container that runs, over WebSocket (v4.channel.k8s.io, which every server since 1.4 speaks). Its standard input is
 * empty: the protocol cannot end it. RBAC: get and, from Kubernetes 1.35 on, create on pods/exec.
 */
#ifndef KUBE_POD_EXEC_H
#define KUBE_POD_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct kube_client;

struct kube_pod_exec {
    const char *namespace; /* NULL: the client's */
    const char *pod;
    const char *container;      /* NULL: the only one */
    const char *const *command; /* ends with NULL */
    /* What it prints, as it comes; 0, or -1 to stop (CANCELLED). NULL: it is not wanted. */
    int (*output)(void *context, const void *data, size_t length);
    int (*errors)(void *context, const void *data, size_t length);
    bool (*stopped)(void *context); /* may be NULL. The command itself goes on */
    void *context;
    uint32_t idle_timeout; /* ms without a byte; 0: an hour */
};

/* *code: its exit code. Errors: as kube_request(); RETRY if the connection broke, then nobody knows how the command ended;
 * INVALID if it could not be started. */
int kube_pod_exec(struct kube_client *client, const struct kube_pod_exec *exec, int *code,
                  struct firn_error **err);

#endif
