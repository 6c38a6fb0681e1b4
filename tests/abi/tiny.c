/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest plugin: a volume of its reference's text, repeated; restored as a file. Built against include/ alone. */
#include <firn/plugin.h>

#include <stdio.h>
#include <string.h>

#define LENGTH (3u * FIRN_BLOCK_SIZE + 17u)

static int open_tiny(const struct firn_host *host, void **handle)
{
    memcpy(handle, &host, sizeof(host));
    return 0;
}

static void close_tiny(void *handle)
{
    (void)handle;
}

static int capture(void *handle, const struct firn_capture *request, struct firn_sink *sink)
{
    const struct firn_host *host = handle;
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_VOLUME,
                                          .name = "text",
                                          .media_type = "text/plain",
                                          .length = LENGTH};
    const struct firn_outcome outcome = {.size = sizeof(outcome),
                                         .consistency = FIRN_APPLICATION_CONSISTENT,
                                         .method = "full",
                                         .frozen = host->param_integer(host, "frozen")};
    static char data[LENGTH];
    struct firn_object *object;
    size_t word = strlen(request->reference);
    if (word == 0) {
        host->fail(host, FIRN_INVALID, "an empty text");
        return -1;
    }
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = request->reference[i % word];
    if (sink->object_begin(sink, &info, &object) < 0)
        return -1;
    if (sink->extent(object, 1000, data + 1000, LENGTH - 1000) < 0 ||
        sink->extent(object, 0, data, 1000) < 0) {
        sink->object_abandon(object);
        return -1;
    }
    if (sink->object_end(object) < 0 || sink->document(sink, "note", "text/plain", "a note", 6) < 0)
        return -1;
    return sink->outcome(sink, &outcome);
}

static int restore(void *handle, const struct firn_restore *request, struct firn_source *source)
{
    const struct firn_host *host = handle;
    struct firn_extent extent = {.size = sizeof(extent)};
    struct firn_reader *reader;
    int more;
    FILE *file = fopen(request->target, "w");
    if (file == NULL) {
        host->fail(host, FIRN_INTERNAL, "%s", request->target);
        return -1;
    }
    if (source->open(source, "text", 0, &reader) < 0) {
        fclose(file);
        return -1;
    }
    while ((more = source->next_extent(reader, &extent)) == 1) {
        fseek(file, (long)extent.offset, SEEK_SET);
        if (extent.data != NULL)
            fwrite(extent.data, 1, extent.length, file);
        source->release(reader, &extent);
    }
    source->close(reader);
    fclose(file);
    return more;
}

static const struct firn_param params[] = {
    {"frozen", FIRN_PARAM_DURATION, "5ms", "how long to say that the text was frozen"},
    {0},
};

static const struct firn_plugin plugin = {.size = sizeof(plugin),
                                          .abi = FIRN_PLUGIN_ABI,
                                          .name = "tiny",
                                          .version = "1",
                                          .description = "a text, repeated",
                                          .target = "tiny",
                                          .params = params,
                                          .open = open_tiny,
                                          .close = close_tiny,
                                          .capture = capture,
                                          .restore = restore};

const struct firn_plugin *firn_plugin_register(void)
{
    return &plugin;
}
