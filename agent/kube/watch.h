/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch: the changes of a selection of objects from one state on, until the server ends it. Most
 * callers want a reflector (reflector.h), which lists, watches and goes on by itself.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include "list.h"
#include "watch_event.h"

#include <stdbool.h>
#include <stdint.h>

struct firn_error;
struct kube_client;

struct kube_watch {
    struct kube_selection selection;
    const char *resource_version; /* the state that it goes on from */
    uint32_t timeout; /* ms until the server is to end it; 0: between 5 and 10 minutes */
    /* ms without a byte, once a bookmark has shown that the server sends them every minute; 0: 150,000 */
    uint32_t idle_timeout;
    /* ADDED, MODIFIED, DELETED, BOOKMARK only. 0, or -1 to stop with *err set. */
    int (*event)(void *context, const struct watch_event *event, struct firn_error **err);
    bool (*stopped)(void *context); /* may be NULL; true: CANCELLED */
    void *context;
};

/* 1: the server ended it, go on from the last resourceVersion that was seen; 0: that is too old
 * (410): list again; -1: error: RETRY when the connection broke, then go on as after 1. */
int kube_watch(struct kube_client *client, const struct kube_watch *watch, struct firn_error **err);

#endif
