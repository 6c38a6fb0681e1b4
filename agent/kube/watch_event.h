/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watch events as they come over the wire: one JSON object a line, cut anywhere by the network.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
#ifndef KUBE_WATCH_EVENT_H
#define KUBE_WATCH_EVENT_H

#include "core/buf.h"

#include <stddef.h>

struct firn_error;
struct json_object;

enum watch_event_type {
    WATCH_ADDED = 1,
    WATCH_MODIFIED,
    WATCH_DELETED,
    WATCH_BOOKMARK, /* the object has a resourceVersion and nothing else */
    WATCH_ERROR,    /* the object is a Status */
    WATCH_UNKNOWN,
};

struct watch_event {
    enum watch_event_type type;
    struct json_object *object; /* borrowed */
};

struct watch_stream {
    struct buf line;
    int (*event)(void *context, const struct watch_event *event, struct firn_error **err);
    void *context;
};

/* event: 0, or -1 to stop with *err set. */
struct watch_stream watch_stream_new(int (*event)(void *context, const struct watch_event *event,
                                                  struct firn_error **err),
                                     void *context);
void watch_stream_free(struct watch_stream *stream);
/* The next bytes; calls event() for each line that ends in them. CORRUPT if one is no event, or is
 * longer than 16 MiB. */
int watch_stream_feed(struct watch_stream *stream, const void *data, size_t length,
                      struct firn_error **err);

#endif
