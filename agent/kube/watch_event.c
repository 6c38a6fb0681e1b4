/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_event.h"

#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

#define LINE_LIMIT (16u << 20) /* etcd stores 1.5 MiB, unless it is told to store more */
#define LINE_KEPT  (64u << 10) /* memory kept for the next line */

struct watch_stream watch_stream_new(int (*event)(void *context, const struct watch_event *event,
                                                  struct firn_error **err),
                                     void *context)
{
    return (struct watch_stream){.line = buf_new(LINE_LIMIT), .event = event, .context = context};
}

void watch_stream_free(struct watch_stream *stream)
{
    buf_free(&stream->line);
}

static enum watch_event_type type_of(const char *text)
{
    static const struct {
        const char *text;
        enum watch_event_type type;
    } types[] = {
        {"ADDED", WATCH_ADDED},       {"MODIFIED", WATCH_MODIFIED}, {"DELETED", WATCH_DELETED},
        {"BOOKMARK", WATCH_BOOKMARK}, {"ERROR", WATCH_ERROR},
    };
    for (size_t i = 0; i < array_length(types); i++)
        if (strcmp(text, types[i].text) == 0)
            return types[i].type;
    return WATCH_UNKNOWN;
}

static int give_line(struct watch_stream *stream, const char *line, size_t length,
                     struct firn_error **err)
{
    auto_json struct json_object *value = NULL;
    if (json_parse(line, length, "watch event", &value, err) < 0) {
        if (err != NULL)
            (*err)->code = FIRN_CORRUPT;
        return -1;
    }
    const struct watch_event event = {
        .type = type_of(json_string_or(value, "type", "")),
        .object = json_at(value, "object"),
    };
    if (!json_object_is_type(event.object, json_type_object))
        return fail(err, FIRN_CORRUPT, "watch event: it has no object");
    return stream->event(stream->context, &event, err);
}

/* A line that lies in the data whole is not copied. */
static int end_line(struct watch_stream *stream, const char *data, size_t length,
                    struct firn_error **err)
{
    if (stream->line.length == 0)
        return length == 0 ? 0 : give_line(stream, data, length, err);
    buf_append(&stream->line, data, length);
    if (stream->line.overflowed)
        return fail(err, FIRN_CORRUPT, "watch event: longer than %u bytes", LINE_LIMIT);
    int result = give_line(stream, stream->line.data, stream->line.length, err);
    if (stream->line.capacity > LINE_KEPT)
        buf_free(&stream->line);
    buf_reset(&stream->line);
    return result;
}

int watch_stream_feed(struct watch_stream *stream, const void *data, size_t length,
                      struct firn_error **err)
{
    const char *rest = data;
    while (length > 0) {
        const char *end = memchr(rest, '\n', length);
        if (end == NULL)
            break;
        size_t line = (size_t)(end - rest);
        if (end_line(stream, rest, line, err) < 0)
            return -1;
        rest += line + 1;
        length -= line + 1;
    }
    buf_append(&stream->line, rest, length);
    if (stream->line.overflowed)
        return fail(err, FIRN_CORRUPT, "watch event: longer than %u bytes", LINE_LIMIT);
    return 0;
}
