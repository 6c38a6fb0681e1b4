/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that breaks one rule of the ABI: FAULT says which, NAME is what it calls itself. */
#include <firn/plugin.h>

#include <string.h>

#define LENGTH (4u * FIRN_BLOCK_SIZE)

enum fault {
    WRONG_ABI = 1,
    TINY_SIZE,
    NULL_STRUCTURE,
    NULL_NAME,
    OTHER_NAME,
    NO_CAPTURE,
    OLD_STRUCTURE,
    PARAM_BAD_TYPE,
    PARAM_BAD_DEFAULT,
    PARAMS_ENDLESS,
    OPEN_GARBAGE,
    OPEN_SILENT,
    CAPTURE_POSITIVE,
    CAPTURE_GARBAGE,
    CAPTURE_SILENT,
    FAIL_GARBAGE,
    NO_OUTCOME,
    TWO_OUTCOMES,
    OUTCOME_GARBAGE,
    OUTCOME_NO_METHOD,
    OBJECT_OPEN,
    OBJECT_NULL_NAME,
    OBJECT_CONTROL_NAME,
    OBJECT_BAD_KIND,
    OBJECT_TWICE,
    OBJECT_HUGE,
    EXTENT_BEYOND,
    EXTENT_OVERFLOW,
    EXTENT_NULL,
    EXTENT_FOREIGN_BUFFER,
    EXTENT_IN_STREAM,
    USED_AFTER_END,
    ENDED_TWICE,
    DOCUMENT_HUGE,
    STATE_NO_JSON,
    ERROR_SWALLOWED,
    SAME_WITHOUT_PARENT,
    BUFFERS_HOARDED,
    STREAM_WRONG_DIGEST,
    RESTORE_GARBAGE,
    RESTORE_MISUSE,
};

static int open_hostile(const struct firn_host *host, void **handle)
{
    memcpy(handle, &host, sizeof(host));
    return FAULT == OPEN_GARBAGE ? 42 : FAULT == OPEN_SILENT ? -1 : 0;
}

static void close_hostile(void *handle)
{
    (void)handle;
}

static int give_outcome(struct firn_sink *sink)
{
    struct firn_outcome outcome = {.size = sizeof(outcome),
                                   .consistency = FIRN_CRASH_CONSISTENT,
                                   .method = "full",
                                   .frozen = -1};
    if (FAULT == OUTCOME_GARBAGE)
        memset(&outcome.consistency, 0x77, sizeof(outcome.consistency));
    if (FAULT == OUTCOME_NO_METHOD)
        outcome.method = NULL;
    if (FAULT == NO_OUTCOME)
        return 0;
    if (FAULT == TWO_OUTCOMES && sink->outcome(sink, &outcome) < 0)
        return -1;
    return sink->outcome(sink, &outcome);
}

static int break_object(struct firn_sink *sink, struct firn_object *object, const char *data)
{
    void *buffers[64];
    size_t capacity;
    static char foreign[FIRN_BLOCK_SIZE];
    switch ((enum fault)FAULT) {
    case EXTENT_BEYOND:
        return sink->extent(object, LENGTH - 1, data, 2);
    case EXTENT_OVERFLOW:
        return sink->zero(object, UINT64_MAX - 4, 100);
    case EXTENT_NULL:
        return sink->extent(object, 0, NULL, FIRN_BLOCK_SIZE);
    case EXTENT_FOREIGN_BUFFER:
        return sink->extent_take(object, 0, foreign, sizeof(foreign));
    case SAME_WITHOUT_PARENT:
        return sink->same(object, 0, FIRN_BLOCK_SIZE);
    case BUFFERS_HOARDED:
        for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++)
            if (sink->buffer_get(sink, &buffers[i], &capacity) < 0)
                return -1;
        return 0;
    case ERROR_SWALLOWED:
        sink->extent(object, LENGTH, data, 1);
        return 0;
    default:
        return sink->extent(object, 0, data, FIRN_BLOCK_SIZE);
    }
}

static int end_object(struct firn_sink *sink, struct firn_object *object, const char *data)
{
    if (FAULT == OBJECT_OPEN)
        return 0;
    if (sink->object_end(object) < 0)
        return -1;
    if (FAULT == USED_AFTER_END)
        return sink->extent(object, 0, data, 1);
    return FAULT == ENDED_TWICE ? sink->object_end(object) : 0;
}

static int take_volume(struct firn_sink *sink)
{
    static char data[LENGTH];
    struct firn_object *object;
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_VOLUME,
                                    .name = "disk",
                                    .media_type = "application/octet-stream",
                                    .length = LENGTH};
    if (FAULT == OBJECT_NULL_NAME)
        info.name = NULL;
    if (FAULT == OBJECT_CONTROL_NAME)
        info.name = "a\033[2Jb\n";
    if (FAULT == OBJECT_BAD_KIND)
        memset(&info.kind, 0x55, sizeof(info.kind));
    if (FAULT == OBJECT_HUGE)
        info.length = UINT64_MAX;
    if (FAULT == EXTENT_IN_STREAM)
        info.kind = FIRN_OBJECT_STREAM;
    if (FAULT == STREAM_WRONG_DIGEST) {
        info.kind = FIRN_OBJECT_STREAM;
        info.length = 3;
        info.digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    }
    if (sink->object_begin(sink, &info, &object) < 0)
        return -1;
    if (FAULT == STREAM_WRONG_DIGEST)
        return sink->stream(object, "abc", 3) < 0 ? -1 : sink->object_end(object);
    memset(data, 'x', sizeof(data));
    if (break_object(sink, object, data) < 0)
        return -1;
    return end_object(sink, object, data);
}

static int capture(void *handle, const struct firn_capture *request, struct firn_sink *sink)
{
    static char large[17 * 1024 * 1024];
    const struct firn_host *host = handle;
    (void)request;
    if (FAULT == CAPTURE_SILENT)
        return -1;
    if (FAULT == CAPTURE_POSITIVE || FAULT == CAPTURE_GARBAGE)
        return FAULT == CAPTURE_POSITIVE ? 1 : -70000;
    if (FAULT == FAIL_GARBAGE) {
        enum firn_code code;
        memset(&code, 0x66, sizeof(code));
        memset(large, 'y', sizeof(large) - 1);
        host->fail(host, code, "\033]0;title\007%s", large);
        return -1;
    }
    if (take_volume(sink) < 0 || (FAULT == OBJECT_TWICE && take_volume(sink) < 0))
        return -1;
    if (FAULT == DOCUMENT_HUGE &&
        sink->document(sink, "large", "text/plain", large, sizeof(large)) < 0)
        return -1;
    if (FAULT == STATE_NO_JSON && sink->state(sink, "{\"a\":") < 0)
        return -1;
    return give_outcome(sink);
}

static int restore(void *handle, const struct firn_restore *request, struct firn_source *source)
{
    struct firn_extent extent = {.size = sizeof(extent)};
    struct firn_reader *reader;
    char byte;
    (void)handle;
    (void)request;
    if (FAULT == RESTORE_GARBAGE)
        return 99;
    if (source->open(source, NULL, 0, &reader) == 0 ||
        source->open(source, "no such", 0, &reader) == 0 ||
        source->open(source, "disk", 1, &reader) == 0 ||
        source->open(source, "disk", 0, &reader) < 0)
        return 0;
    source->read(reader, &byte, 1);
    source->close(reader);
    source->close(reader);
    return source->next_extent(reader, &extent);
}

static const struct firn_param endless[] = {
#define P                                                                                          \
    {                                                                                              \
        "a", FIRN_PARAM_STRING, NULL, "p"                                                          \
    }
#define P8  P, P, P, P, P, P, P, P
#define P64 P8, P8, P8, P8, P8, P8, P8, P8
    P64, P64, P64, P64, P64, {0},
};
static struct firn_param broken[] = {{"size", FIRN_PARAM_SIZE, "many", "a size"}, {0}};
static struct firn_plugin plugin = {.size = sizeof(plugin),
                                    .abi = FIRN_PLUGIN_ABI,
                                    .name = NAME,
                                    .version = "1",
                                    .description = "breaks rules",
                                    .target = NAME,
                                    .open = open_hostile,
                                    .close = close_hostile,
                                    .capture = capture,
                                    .restore = restore};

const struct firn_plugin *firn_plugin_register(void)
{
    if (FAULT == WRONG_ABI)
        plugin.abi = 77;
    if (FAULT == TINY_SIZE)
        plugin.size = 4;
    if (FAULT == NULL_NAME)
        plugin.name = NULL;
    if (FAULT == OTHER_NAME)
        plugin.name = "somebody-else";
    if (FAULT == NO_CAPTURE)
        plugin.capture = NULL;
    if (FAULT == OLD_STRUCTURE)
        plugin.size = offsetof(struct firn_plugin, restore);
    if (FAULT == PARAM_BAD_TYPE)
        memset(&broken[0].type, 0x44, sizeof(broken[0].type));
    if (FAULT == PARAM_BAD_TYPE || FAULT == PARAM_BAD_DEFAULT)
        plugin.params = broken;
    if (FAULT == PARAMS_ENDLESS)
        plugin.params = endless;
    return FAULT == NULL_STRUCTURE ? NULL : &plugin;
}
