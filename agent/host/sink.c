/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "repo/capture.h"
#include "services.h"

#include <pthread.h>
#include <string.h>

#define DOCUMENT_LONGEST (16u * 1024u * 1024u)
#define STATE_LONGEST    (64u * 1024u)
#define NAME_LONGEST     1024u
#define METHOD_LONGEST   64u

/* What a plugin holds as struct firn_object. It stays allocated until the sink goes, so that a call on an object that has
 * ended is an error and not a crash. */
struct firn_object {
    struct sink *sink;
    struct capture_object *object; /* NULL: ended */
    char *name;
    enum firn_object_kind kind;
    uint64_t length; /* of a volume */
    uint64_t given;  /* bytes of a document so far */
    struct firn_object *next;
};

struct sink {
    struct firn_sink interface;
    struct capture *capture;
    struct services *services;
    pthread_mutex_t lock; /* what follows */
    struct firn_object *objects;
    bool has_outcome;
    struct firn_outcome outcome;
    char *method; /* the texts of the outcome */
    char *reason;
    char *state;
};

static struct sink *of(struct firn_sink *sink)
{
    return sink->context;
}

/* A call that broke the rules of the ABI. */
#define misused(sink, ...)                                                                         \
    ({                                                                                             \
        struct firn_error *misuse = NULL;                                                          \
        error_set(&misuse, FIRN_INVALID, __VA_ARGS__);                                             \
        error_wrap(&misuse, "a fault of the plugin");                                              \
        services_broken_take((sink)->services, misuse);                                            \
    })

/* The result of a call into the capture: whatever fails there fails the whole operation. */
static int passed_on(struct sink *sink, int result, struct firn_error **err)
{
    return result < 0 ? services_broken_take(sink->services, *err) : result;
}

/* ------------------------------------------------------------------------------------------------ objects */

static bool clean_name(const char *name, size_t longest)
{
    size_t length = strnlen(name, longest + 1);
    if (length == 0 || length > longest)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return true;
}

static int check_info(struct sink *sink, const struct firn_object_info *given,
                      struct firn_object_info *info)
{
    *info = (struct firn_object_info){0};
    if (given == NULL || given->size < offsetof(struct firn_object_info, length))
        return misused(sink, "an object without a description");
    memcpy(info, given, given->size < sizeof(*info) ? given->size : sizeof(*info));
    info->size = sizeof(*info);
    if (info->name == NULL || !clean_name(info->name, NAME_LONGEST))
        return misused(sink, "an object without a proper name");
    if (info->media_type == NULL || !clean_name(info->media_type, NAME_LONGEST))
        return misused(sink, "object %s: no proper media type", info->name);
    if (info->kind < FIRN_OBJECT_VOLUME || info->kind > FIRN_OBJECT_DOCUMENT)
        return misused(sink, "object %s: kind %d is none", info->name, (int)info->kind);
    if (info->kind == FIRN_OBJECT_VOLUME && info->length > INT64_MAX)
        return misused(sink, "volume %s: impossible size", info->name);
    if (info->kind == FIRN_OBJECT_DOCUMENT && info->length > DOCUMENT_LONGEST)
        return misused(sink, "document %s: larger than 16 MiB", info->name);
    return 0;
}

static int object_begin(struct firn_sink *interface, const struct firn_object_info *given,
                        struct firn_object **out)
{
    struct sink *sink = of(interface);
    struct firn_object_info info;
    struct firn_error *err = NULL;
    struct capture_object *object;
    if (out == NULL || check_info(sink, given, &info) < 0)
        return -1;
    *out = NULL;
    if (capture_object_begin(sink->capture, &info, &object, &err) < 0)
        return services_broken_take(sink->services, err);
    struct firn_object *added = mem_zalloc(sizeof(*added));
    *added = (struct firn_object){.sink = sink,
                                  .object = object,
                                  .name = mem_strdup(info.name),
                                  .kind = info.kind,
                                  .length = info.length};
    pthread_mutex_lock(&sink->lock);
    added->next = sink->objects;
    sink->objects = added;
    pthread_mutex_unlock(&sink->lock);
    *out = added;
    return 0;
}

static int check_open(struct firn_object *object)
{
    if (object->object == NULL)
        return misused(object->sink, "object %s: used after its end", object->name);
    return 0;
}

static int object_parent(struct firn_object *object)
{
    struct firn_error *err = NULL;
    if (check_open(object) < 0)
        return -1;
    if (object->kind != FIRN_OBJECT_VOLUME)
        return misused(object->sink, "object %s: only volumes have a parent", object->name);
    if (capture_object_parent(object->object, &err) == 0)
        return 0;
    if (error_code(err) == FIRN_NOTFOUND)
        return services_refused_take(object->sink->services, err);
    return services_broken_take(object->sink->services, err);
}

static int check_range(struct firn_object *object, uint64_t offset, uint64_t length)
{
    uint64_t end;
    if (check_open(object) < 0)
        return -1;
    if (object->kind != FIRN_OBJECT_VOLUME)
        return misused(object->sink, "object %s: extents in something that is no volume",
                       object->name);
    if (__builtin_add_overflow(offset, length, &end) || end > object->length)
        return misused(object->sink,
                       "volume %s: %llu bytes at offset %llu reach beyond its end (%llu)",
                       object->name, (unsigned long long)length, (unsigned long long)offset,
                       (unsigned long long)object->length);
    return 0;
}

static int extent(struct firn_object *object, uint64_t offset, const void *data, uint64_t length)
{
    struct firn_error *err = NULL;
    if (check_range(object, offset, length) < 0)
        return -1;
    if (length == 0)
        return 0;
    if (data == NULL)
        return misused(object->sink, "volume %s: an extent without data", object->name);
    return passed_on(object->sink, capture_extent(object->object, offset, data, length, &err),
                     &err);
}

static int zero(struct firn_object *object, uint64_t offset, uint64_t length)
{
    struct firn_error *err = NULL;
    if (check_range(object, offset, length) < 0)
        return -1;
    if (length == 0)
        return 0;
    return passed_on(object->sink, capture_zero(object->object, offset, length, &err), &err);
}

static int same(struct firn_object *object, uint64_t offset, uint64_t length)
{
    struct firn_error *err = NULL;
    if (check_range(object, offset, length) < 0)
        return -1;
    if (length == 0)
        return 0;
    return passed_on(object->sink, capture_same(object->object, offset, length, &err), &err);
}

static int buffer_get(struct firn_sink *interface, void **data, size_t *capacity)
{
    struct firn_error *err = NULL;
    return passed_on(of(interface),
                     capture_buffer_get(of(interface)->capture, data, capacity, &err), &err);
}

static void buffer_put(struct firn_sink *interface, void *data)
{
    if (data != NULL)
        capture_buffer_put(of(interface)->capture, data);
}

/* The buffer is given up whatever comes: a wrong range must not leak it. */
static int extent_take(struct firn_object *object, uint64_t offset, void *data, uint64_t length)
{
    struct firn_error *err = NULL;
    struct capture *capture = object->sink->capture;
    if (data == NULL)
        return misused(object->sink, "volume %s: an extent without data", object->name);
    if (length == 0 || check_range(object, offset, length) < 0) {
        capture_buffer_put(capture, data);
        return length == 0 ? 0 : -1;
    }
    return passed_on(object->sink, capture_extent_take(object->object, offset, data, length, &err),
                     &err);
}

static int stream(struct firn_object *object, const void *data, uint64_t length)
{
    struct firn_error *err = NULL;
    if (check_open(object) < 0)
        return -1;
    if (object->kind == FIRN_OBJECT_VOLUME)
        return misused(object->sink, "volume %s: a stream into a volume", object->name);
    if (length == 0)
        return 0;
    if (data == NULL)
        return misused(object->sink, "stream %s: data is missing", object->name);
    if (object->kind == FIRN_OBJECT_DOCUMENT) {
        if (length > DOCUMENT_LONGEST - object->given)
            return misused(object->sink, "document %s: larger than 16 MiB", object->name);
        object->given += length;
    }
    return passed_on(object->sink, capture_stream(object->object, data, length, &err), &err);
}

/* A digest that does not fit fails this object only: the transfer may be tried again. */
static int object_end(struct firn_object *object)
{
    struct firn_error *err = NULL;
    if (check_open(object) < 0)
        return -1;
    if (capture_object_end(steal(object->object), &err) == 0)
        return 0;
    if (error_code(err) == FIRN_CORRUPT)
        return services_refused_take(object->sink->services, err);
    return services_broken_take(object->sink->services, err);
}

static void object_abandon(struct firn_object *object)
{
    if (object != NULL && object->object != NULL)
        capture_object_abandon(steal(object->object));
}

static int document(struct firn_sink *interface, const char *name, const char *media_type,
                    const void *data, uint64_t length)
{
    struct firn_object *object;
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_DOCUMENT,
                                          .name = name,
                                          .media_type = media_type,
                                          .length = length};
    if (object_begin(interface, &info, &object) < 0 || stream(object, data, length) < 0)
        return -1;
    return object_end(object);
}

static int stream_known(struct firn_sink *interface, const struct firn_object_info *given)
{
    struct sink *sink = of(interface);
    struct firn_object_info info;
    struct firn_error *err = NULL;
    if (check_info(sink, given, &info) < 0)
        return -1;
    if (info.kind != FIRN_OBJECT_STREAM || info.digest == NULL)
        return misused(sink, "stream %s: only a stream with a digest can be known", info.name);
    return passed_on(sink, capture_stream_known(sink->capture, &info, &err), &err);
}

/* ------------------------------------------------------------------------------------------------ state and outcome */

static int state(struct firn_sink *interface, const char *json)
{
    struct sink *sink = of(interface);
    struct firn_error *err = NULL;
    auto_json struct json_object *parsed = NULL;
    if (json == NULL)
        return misused(sink, "no state");
    size_t length = strnlen(json, STATE_LONGEST + 1);
    if (length > STATE_LONGEST)
        return misused(sink, "a state of more than 64 KiB");
    if (json_parse(json, length, "state of the plugin", &parsed, &err) < 0)
        return services_broken_take(sink->services, err);
    pthread_mutex_lock(&sink->lock);
    free(sink->state);
    sink->state = mem_strdup(json);
    pthread_mutex_unlock(&sink->lock);
    return 0;
}

static int check_outcome(struct sink *sink, const struct firn_outcome *outcome)
{
    if (outcome->consistency < FIRN_CRASH_CONSISTENT ||
        outcome->consistency > FIRN_APPLICATION_CONSISTENT)
        return misused(sink, "outcome: consistency %d is none", (int)outcome->consistency);
    if (outcome->method == NULL || !clean_name(outcome->method, METHOD_LONGEST) ||
        strchr(outcome->method, ' '))
        return misused(sink, "outcome: the method must be one word");
    if (outcome->frozen < -1)
        return misused(sink, "outcome: frozen for %lld ms", (long long)outcome->frozen);
    return 0;
}

static int set_outcome(struct firn_sink *interface, const struct firn_outcome *given)
{
    struct sink *sink = of(interface);
    struct firn_outcome outcome = {0};
    if (given == NULL || given->size < offsetof(struct firn_outcome, reason))
        return misused(sink, "an empty outcome");
    memcpy(&outcome, given, given->size < sizeof(outcome) ? given->size : sizeof(outcome));
    if (check_outcome(sink, &outcome) < 0)
        return -1;
    if (sink->has_outcome)
        return misused(sink, "a second outcome");
    sink->method = mem_strdup(outcome.method);
    sink->reason = services_clean_text(outcome.reason);
    sink->outcome = outcome;
    sink->has_outcome = true;
    return 0;
}

int sink_finish(struct sink *sink, struct snapshot *snapshot, struct firn_error **err)
{
    for (const struct firn_object *object = sink->objects; object != NULL; object = object->next)
        if (object->object != NULL)
            return fail(err, FIRN_INTERNAL, "object %s was not ended: a fault of the plugin",
                        object->name);
    if (!sink->has_outcome)
        return fail(err, FIRN_INTERNAL, "capture() gave no outcome: a fault of the plugin");
    snapshot->consistency = sink->outcome.consistency;
    snapshot->point_in_time = sink->outcome.point_in_time;
    snapshot->frozen = sink->outcome.frozen;
    snapshot->method = steal(sink->method);
    snapshot->reason = steal(sink->reason);
    snapshot->state = steal(sink->state);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ life */

static const struct firn_sink template = {
    .size = sizeof(struct firn_sink),
    .object_begin = object_begin,
    .object_parent = object_parent,
    .extent = extent,
    .zero = zero,
    .same = same,
    .buffer_get = buffer_get,
    .extent_take = extent_take,
    .buffer_put = buffer_put,
    .stream = stream,
    .object_end = object_end,
    .object_abandon = object_abandon,
    .document = document,
    .stream_known = stream_known,
    .state = state,
    .outcome = set_outcome,
};

struct sink *sink_new(struct capture *capture, struct services *services)
{
    struct sink *sink = mem_zalloc(sizeof(*sink));
    sink->interface = template;
    sink->interface.context = sink;
    sink->capture = capture;
    sink->services = services;
    pthread_mutex_init(&sink->lock, NULL);
    return sink;
}

void sink_free(struct sink *sink)
{
    if (sink == NULL)
        return;
    while (sink->objects != NULL) {
        struct firn_object *object = sink->objects;
        sink->objects = object->next;
        object_abandon(object);
        free(object->name);
        free(object);
    }
    free(sink->method);
    free(sink->reason);
    free(sink->state);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

struct firn_sink *sink_interface(struct sink *sink)
{
    return &sink->interface;
}
