/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watch events: a stream means the same in one piece and in pieces, whose size is the first byte. Errors in it are read as the
 * client reads them.
 */
#include "core/error.h"
#include "core/json.h"
#include "kube/status.h"
#include "kube/watch_event.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t events;
    uint64_t sum;
};

static int on_event(void *context, const struct watch_event *event, struct firn_error **err)
{
    struct seen *seen = context;
    seen->events++;
    for (const char *text = json_object_to_json_string(event->object); *text != '\0'; text++)
        seen->sum = seen->sum * 31 + (unsigned char)*text;
    seen->sum += (uint64_t)event->type;
    if (event->type != WATCH_ERROR)
        return 0;
    struct kube_status status;
    kube_status_take(event->object, &status);
    if (kube_status_fail(&status, "watch", NULL, "fuzz", err) != -1)
        abort();
    kube_status_free(&status);
    return -1;
}

static int feed(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    struct watch_stream stream = watch_stream_new(on_event, seen);
    int result = 0;
    for (size_t at = 0; at < size && result == 0; at += piece)
        result = watch_stream_feed(&stream, data + at, size - at < piece ? size - at : piece, NULL);
    watch_stream_free(&stream);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0};
    struct seen pieces = {0};
    struct kube_status status;
    if (size < 2)
        return 0;
    kube_status_read(500, (const char *)data, size, &status);
    kube_status_free(&status);
    int first = feed(data + 1, size - 1, size, &whole);
    int second = feed(data + 1, size - 1, (size_t)data[0] + 1, &pieces);
    if (first != second || whole.events != pieces.events || whole.sum != pieces.sum)
        abort();
    return 0;
}
