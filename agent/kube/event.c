/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include "object.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/utf8.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

#define SERIES_MOST     256u   /* remembered at once */
#define SERIES_LIFETIME 600000 /* ms since the last one: later ones are a new event */
#define REPORT_INTERVAL 60000
#define NOTE_MOST       1024u
#define INSTANCE_MOST   128
#define NAME_MOST       230

/* An event that may repeat. */
struct series {
    struct series *next; /* the one that happened last comes first */
    char *key;
    char *namespace;
    char *name;
    int64_t last;     /* when it last happened, by the monotonic clock */
    int64_t reported; /* when the server last heard of it */
    int64_t when;     /* when it last happened, by the wall clock */
    int count;
    int told; /* the count that the server knows */
};

struct kube_recorder {
    pthread_mutex_t lock;
    struct kube_client *client;
    char *controller;
    char *instance;
    struct series *series;
    unsigned count;
};

struct kube_recorder *kube_recorder_new(struct kube_client *client, const char *controller,
                                        const char *instance)
{
    struct kube_recorder *recorder = mem_zalloc(sizeof(*recorder));
    pthread_mutex_init(&recorder->lock, NULL);
    recorder->client = client;
    recorder->controller = mem_strdup(controller);
    recorder->instance = mem_printf("%.*s", INSTANCE_MOST, instance);
    return recorder;
}

static void free_series(struct series *series)
{
    free(series->key);
    free(series->namespace);
    free(series->name);
    free(series);
}

/* metav1.MicroTime. */
static void set_time(struct json_object *object, const char *member, int64_t when)
{
    char text[CLOCK_TEXT_LENGTH];
    clock_format(when, text);
    auto_free char *micro = mem_printf("%.23s000Z", text);
    json_set_string(object, member, micro);
}

static int report(struct kube_recorder *recorder, struct series *series, struct firn_error **err)
{
    const struct kube_target target = {&kube_events, series->namespace, series->name, NULL};
    auto_json struct json_object *patch = json_object_new_object();
    struct json_object *body = json_object_new_object();
    json_set_int(body, "count", series->count);
    set_time(body, "lastObservedTime", series->when);
    json_set_take(patch, "series", body);
    series->reported = clock_monotonic();
    if (kube_merge(recorder->client, &target, patch, NULL, err) < 0)
        return -1;
    series->told = series->count;
    return 0;
}

void kube_recorder_free(struct kube_recorder *recorder)
{
    if (recorder == NULL)
        return;
    while (recorder->series != NULL) {
        struct series *series = recorder->series;
        recorder->series = series->next;
        if (series->told < series->count)
            report(recorder, series, NULL);
        free_series(series);
    }
    pthread_mutex_destroy(&recorder->lock);
    free(recorder->controller);
    free(recorder->instance);
    free(recorder);
}

/* ---- the first of its kind */

static struct json_object *reference(struct json_object *object)
{
    static const char *const members[] = {"apiVersion", "kind"};
    static const char *const metadata[] = {"namespace", "name", "uid", "resourceVersion"};
    struct json_object *result = json_object_new_object();
    for (size_t i = 0; i < array_length(members); i++)
        json_set_string(result, members[i], json_string_or(object, members[i], NULL));
    for (size_t i = 0; i < array_length(metadata); i++) {
        auto_free char *path = mem_printf("metadata.%s", metadata[i]);
        json_set_string(result, metadata[i], json_string_or(object, path, NULL));
    }
    return result;
}

/* At most NOTE_MOST bytes, whole characters. */
static char *cut_note(const char *note)
{
    size_t length = 0;
    size_t left = strlen(note);
    while (left > 0) {
        size_t step = utf8_character(note + length, left);
        if (step == 0 || length + step > NOTE_MOST)
            break;
        length += step;
        left -= step;
    }
    return mem_dup(note, length);
}

static struct json_object *make_event(const struct kube_recorder *recorder,
                                      const struct kube_event *event, const struct series *series)
{
    auto_free char *note = cut_note(event->note);
    struct json_object *object = kube_object_new(&kube_events, series->namespace, series->name);
    set_time(object, "eventTime", series->when);
    json_set_string(object, "reportingController", recorder->controller);
    json_set_string(object, "reportingInstance", recorder->instance);
    json_set_string(object, "action", event->action);
    json_set_string(object, "reason", event->reason);
    json_set_string(object, "type", event->warning ? "Warning" : "Normal");
    json_set_string(object, "note", note);
    json_set_take(object, "regarding", reference(event->regarding));
    return object;
}

static struct series *new_series(const struct kube_event *event, char *key)
{
    struct series *series = mem_zalloc(sizeof(*series));
    const char *namespace = kube_namespace(event->regarding);
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = (uint64_t)clock_now();
    series->key = key;
    /* Where the API wants those of objects that lie in no namespace. */
    series->namespace = mem_strdup(*namespace == '\0' ? "kube-system" : namespace);
    series->name = mem_printf("%.*s.%016llx", NAME_MOST, kube_name(event->regarding),
                              (unsigned long long)random);
    series->when = clock_now();
    series->last = series->reported = clock_monotonic();
    series->count = series->told = 1;
    return series;
}

/* ---- repetitions */

/* Takes the series of that key out of the list, and forgets those that are over. NULL: there is none. */
static struct series *take_series(struct kube_recorder *recorder, const char *key)
{
    struct series *found = NULL;
    unsigned kept = 0;
    int64_t now = clock_monotonic();
    for (struct series **at = &recorder->series; *at != NULL;) {
        struct series *series = *at;
        bool over = now - series->last > SERIES_LIFETIME || kept + 1 >= SERIES_MOST;
        bool same = !over && strcmp(series->key, key) == 0;
        if (!over && !same) {
            at = &series->next;
            kept++;
            continue;
        }
        *at = series->next;
        if (same) {
            found = series;
            continue;
        }
        if (series->told < series->count)
            report(recorder, series, NULL);
        free_series(series);
    }
    return found;
}

static int record(struct kube_recorder *recorder, const struct kube_event *event,
                  struct firn_error **err)
{
    char *key = mem_printf("%s %s/%s %d %s %s %s", kube_uid(event->regarding),
                           kube_namespace(event->regarding), kube_name(event->regarding),
                           event->warning, event->reason, event->action, event->note);
    struct series *series = take_series(recorder, key);
    int result = 0;
    if (series == NULL) {
        series = new_series(event, key);
        auto_json struct json_object *object = make_event(recorder, event, series);
        const struct kube_target target = {.type = &kube_events, .namespace = series->namespace};
        result = kube_create(recorder->client, &target, object, NULL, err);
        if (result < 0) {
            free_series(series);
            return -1;
        }
    } else {
        free(key);
        series->count++;
        series->when = clock_now();
        series->last = clock_monotonic();
        /* The second at once: it makes a series of the event. */
        if (series->count == 2 || series->last - series->reported >= REPORT_INTERVAL)
            result = report(recorder, series, err);
    }
    series->next = recorder->series;
    recorder->series = series;
    return result;
}

int kube_event(struct kube_recorder *recorder, const struct kube_event *event,
               struct firn_error **err)
{
    pthread_mutex_lock(&recorder->lock);
    int result = record(recorder, event, err);
    pthread_mutex_unlock(&recorder->lock);
    return result;
}
