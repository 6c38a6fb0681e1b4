/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a pod's container, as a stream.
 */
#ifndef KUBE_POD_LOG_H
#define KUBE_POD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct kube_client;

struct kube_pod_log {
    const char *namespace; /* NULL: the client's */
    const char *pod;
    const char *container; /* NULL: the only one */
    bool follow;           /* goes on until the container ends */
    bool previous;         /* of the container that ran before */
    bool timestamps;
    int64_t tail; /* the last so many lines; 0: all */
    /* The bytes as they come; 0, or -1 to stop (CANCELLED). */
    int (*receive)(void *context, const void *data, size_t length);
    bool (*stopped)(void *context); /* may be NULL */
    void *context;
};

int kube_pod_log(struct kube_client *client, const struct kube_pod_log *log,
                 struct firn_error **err);

#endif
