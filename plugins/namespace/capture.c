/* SPDX-License-Identifier: Apache-2.0 */
/* Capture: every kind that the cluster knows is listed, cleaned, and written page by page. */
#include "cluster.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/manifest.h"
#include "core/mem.h"
#include "namespace.h"

#include <stdlib.h>
#include <string.h>

#define OBJECT_LIMIT (64u * 1024u * 1024u) /* of one manifest; the API server takes 3 MiB */

struct run {
    const struct cluster *cluster;
    struct firn_sink *sink;
    const char *name; /* of the namespace */
    bool secrets;
    char **excluded; /* objects: "secrets", "pods", "events.events.k8s.io"; NULL behind the last */
    struct json_object *skipped, *failed; /* of the report */
    size_t captured;
};

/* One kind on its way into the sink. */
struct stream {
    struct run *run;
    const struct kind *kind;
    struct firn_object *object; /* NULL until there is something to write */
    size_t count;
    struct json_object *skipped;
};

static void note(struct json_object *list, const char *what, const char *why)
{
    struct json_object *row = json_object_new_object();
    json_set_string(row, "what", what);
    json_set_string(row, "why", why);
    json_object_array_add(list, row);
}

static int stream_begin(struct stream *stream, struct firn_error **err)
{
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_STREAM,
                                          .name = stream->kind->object,
                                          .media_type = MANIFEST_TYPE};
    struct firn_sink *sink = stream->run->sink;
    if (sink->object_begin(sink, &info, &stream->object) < 0) {
        stream->object = NULL;
        return fail(err, FIRN_UNSAID, "begin");
    }
    return 0;
}

static int stream_write(struct stream *stream, const char *text, size_t length,
                        struct firn_error **err)
{
    if (stream->run->sink->stream(stream->object, text, length) < 0)
        return fail(err, FIRN_UNSAID, "write");
    return 0;
}

/* Why an object stays out, or NULL. */
static const char *reason_to_skip(const struct run *run, struct json_object *object,
                                  struct buf *scratch)
{
    const char *why = manifest_skipped(object, scratch);
    if (why == NULL && manifest_secret(object) && !run->secrets)
        why = "Secrets are captured when --secrets asks for them";
    return why;
}

static int add_object(void *context, struct json_object *object, struct firn_error **err)
{
    struct stream *stream = context;
    auto_buf struct buf text = buf_new(OBJECT_LIMIT);
    const char *why = reason_to_skip(stream->run, object, &text);
    if (why != NULL) {
        auto_free char *what =
            mem_printf("%s/%s", stream->kind->object, json_string_or(object, "metadata.name", "?"));
        note(stream->skipped, what, why);
        return 0;
    }
    if (stream->object == NULL && stream_begin(stream, err) < 0)
        return -1;
    buf_reset(&text);
    buf_puts(&text,
             stream->count == 0 ? "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n" : ",\n");
    manifest_clean(object);
    json_write(&text, object);
    if (text.overflowed)
        return fail(err, FIRN_INVALID, "%s: a manifest of more than %u MiB", stream->kind->object,
                    OBJECT_LIMIT >> 20);
    stream->count++;
    return stream_write(stream, text.data, text.length, err);
}

static int begin_again(void *context, struct firn_error **err)
{
    struct stream *stream = context;
    (void)err;
    if (stream->object != NULL)
        stream->run->sink->object_abandon(stream->object);
    stream->object = NULL;
    stream->count = 0;
    json_object_put(stream->skipped);
    stream->skipped = json_object_new_array();
    return 0;
}

static int stream_end(struct stream *stream, struct firn_error **err)
{
    static const char end[] = "\n]}\n";
    struct run *run = stream->run;
    if (stream->object != NULL) {
        if (stream_write(stream, end, sizeof(end) - 1, err) < 0)
            return -1;
        if (run->sink->object_end(steal(stream->object)) < 0)
            return fail(err, FIRN_UNSAID, "end");
    }
    run->captured += stream->count;
    for (size_t i = 0; i < json_object_array_length(stream->skipped); i++)
        json_object_array_add(run->skipped,
                              json_object_get(json_object_array_get_idx(stream->skipped, i)));
    return 0;
}

static bool is_excluded(const struct run *run, const struct kind *kind)
{
    for (char **each = run->excluded; *each != NULL; each++)
        if (strcmp(*each, kind->object) == 0)
            return true;
    return false;
}

/* A kind that may not be read is told and left out; everything else that goes wrong ends the capture. */
static int capture_kind(struct run *run, const struct kind *kind, struct firn_error **err)
{
    if (is_excluded(run, kind)) {
        note(run->skipped, kind->object, "excluded");
        return 0;
    }
    struct stream stream = {.run = run, .kind = kind, .skipped = json_object_new_array()};
    const struct listing listing = {add_object, begin_again, &stream};
    struct firn_error *why = NULL;
    run->cluster->host->step(run->cluster->host, kind->object);
    int result = cluster_list(run->cluster, kind, run->name, &listing, &why);
    if (result == 0)
        result = stream_end(&stream, &why);
    if (stream.object != NULL)
        run->sink->object_abandon(stream.object);
    json_object_put(stream.skipped);
    if (result < 0 && (error_code(why) == FIRN_DENIED || error_code(why) == FIRN_NOTFOUND)) {
        note(run->failed, kind->object, error_message(why));
        run->cluster->host->log(run->cluster->host, FIRN_LOG_WARNING, "left out: %s",
                                error_message(why));
        error_clear(&why);
        result = 0;
    }
    if (result < 0)
        *err = why;
    return result;
}

static void group_failed(void *context, const char *group, const struct firn_error *why)
{
    struct run *run = context;
    note(run->failed, group, error_message(why));
    run->cluster->host->log(run->cluster->host, FIRN_LOG_WARNING,
                            "the API group %s does not answer: %s", group, error_message(why));
}

/* ---------------------------------------------------------------------------------------------------------- documents */

static int write_document(const struct run *run, const char *name, struct json_object *value,
                          struct firn_error **err)
{
    auto_buf struct buf text = buf_new(16u * 1024u * 1024u);
    json_write_pretty(&text, value);
    if (text.overflowed)
        return fail(err, FIRN_INVALID, "the document %s is larger than 16 MiB", name);
    if (run->sink->document(run->sink, name, MANIFEST_TYPE, text.data, text.length) < 0)
        return fail(err, FIRN_UNSAID, "%s", name);
    return 0;
}

static int write_namespace(const struct run *run, struct firn_error **err)
{
    auto_json struct json_object *object = NULL;
    auto_free char *path = mem_printf("/api/v1/namespaces/%s", run->name);
    if (cluster_get(run->cluster, "get", path, &object, err) < 0)
        return -1;
    manifest_clean(object);
    return write_document(run, NAMESPACE_DOCUMENT, object, err);
}

static int write_report(const struct run *run, struct firn_error **err)
{
    auto_json struct json_object *report = json_object_new_object();
    json_set_take(report, "skipped", json_object_get(run->skipped));
    json_set_take(report, "failed", json_object_get(run->failed));
    return write_document(run, REPORT_DOCUMENT, report, err);
}

static int tell_outcome(const struct run *run, int64_t began, struct firn_error **err)
{
    size_t failed = json_object_array_length(run->failed);
    auto_free char *reason =
        failed == 0 ? mem_strdup("each kind of object is listed at a moment of its own")
                    : mem_printf("each kind of object is listed at a moment of its own, and %zu "
                                 "could not be read: see the document report",
                                 failed);
    const struct firn_outcome outcome = {.size = sizeof(outcome),
                                         .consistency = FIRN_CRASH_CONSISTENT,
                                         .method = "manifests",
                                         .reason = reason,
                                         .point_in_time = began,
                                         .frozen = -1};
    if (run->sink->outcome(run->sink, &outcome) < 0)
        return fail(err, FIRN_UNSAID, "outcome");
    return 0;
}

static int capture_all(struct run *run, const struct kinds *kinds, int64_t began,
                       struct firn_error **err)
{
    if (write_namespace(run, err) < 0)
        return -1;
    for (size_t i = 0; i < kinds->count; i++)
        if (capture_kind(run, &kinds->list[i], err) < 0)
            return -1;
    return write_report(run, err) < 0 ? -1 : tell_outcome(run, began, err);
}

/* "a,b" → {"a", "b", NULL}; the pointers lead into `text`. */
static char **split(char *text)
{
    size_t count = 0;
    char **list = mem_array(strlen(text) / 2 + 2, sizeof(*list));
    char *rest = text;
    for (char *word = strsep(&rest, ", "); word != NULL; word = strsep(&rest, ", "))
        if (*word != '\0')
            list[count++] = word;
    return list;
}

int capture_namespace(const struct cluster *cluster, const struct firn_capture *request,
                      struct firn_sink *sink, struct firn_error **err)
{
    const struct firn_host *host = cluster->host;
    const char *exclude = host->param(host, "exclude");
    auto_free char *words = mem_strdup(exclude != NULL ? exclude : "");
    auto_free char **excluded = split(words);
    struct run run = {.cluster = cluster,
                      .sink = sink,
                      .name = request->reference,
                      .secrets = host->param_integer(host, "secrets") != 0,
                      .excluded = excluded,
                      .skipped = json_object_new_array(),
                      .failed = json_object_new_array()};
    struct kinds kinds = {0};
    int64_t began = clock_now();
    int result =
        cluster_name_valid(request->reference)
            ? cluster_kinds(cluster, &kinds, group_failed, &run, err)
            : fail(err, FIRN_INVALID, "\"%s\" is not the name of a namespace", request->reference);
    if (result == 0)
        result = capture_all(&run, &kinds, began, err);
    kinds_free(&kinds);
    json_object_put(run.skipped);
    json_object_put(run.failed);
    return result;
}
