/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector.h"

#include "client.h"
#include "watch.h"

#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/backoff.h"
#include "net/http.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define STACK      (256u << 10)
#define LASTING    10000 /* ms: a watch that held so long starts the pauses from the shortest again */
#define BEFORE_ANY 64

/* What is remembered of an object; the key is "namespace/name". */
struct known {
    unsigned list; /* the list that saw it last */
    char uid[40];
};

struct kube_reflector {
    struct kube_client *client;
    struct kube_reflector_options options;
    char *namespace;
    char *labels;
    char *fields;
    pthread_t thread;
    atomic_bool stopping;
    struct lh_table *known;
    unsigned list; /* the number of the present list */
    char *resource_version;
    uint32_t failures; /* in a row */
    atomic_uint_fast64_t lists, watches, events, bookmarks;
};

static bool is_stopped(void *context)
{
    struct kube_reflector *reflector = context;
    return reflector->stopping;
}

/* ---- what is known */

static void free_known(struct lh_entry *entry)
{
    free(lh_entry_k(entry));
    free(lh_entry_v(entry));
}

static char *key_of(struct json_object *object)
{
    return mem_printf("%s/%s", kube_namespace(object), kube_name(object));
}

static void remember(struct kube_reflector *reflector, struct json_object *object)
{
    auto_free char *key = key_of(object);
    struct lh_entry *entry = lh_table_lookup_entry(reflector->known, key);
    struct known *known = entry == NULL ? NULL : lh_entry_v(entry);
    if (known == NULL) {
        known = mem_zalloc(sizeof(*known));
        if (lh_table_insert(reflector->known, steal(key), known) != 0)
            abort();
    }
    known->list = reflector->list;
    snprintf(known->uid, sizeof(known->uid), "%s", kube_uid(object));
}

static void forget(struct kube_reflector *reflector, const char *key)
{
    lh_table_delete(reflector->known, key);
}

static struct json_object *last_words(const struct kube_reflector *reflector, const char *key,
                                      const char *uid)
{
    const char *slash = strchr(key, '/');
    auto_free char *namespace = mem_printf("%.*s", (int)(slash - key), key);
    struct json_object *object = kube_object_new(reflector->options.selection.type,
                                                 *namespace == '\0' ? NULL : namespace, slash + 1);
    json_set_string(json_at(object, "metadata"), "uid", uid);
    return object;
}

/* What the list just taken has not seen is gone. */
static void remove_unseen(struct kube_reflector *reflector)
{
    struct lh_entry *entry = reflector->known->head;
    while (entry != NULL) {
        struct lh_entry *next = entry->next;
        const struct known *known = lh_entry_v(entry);
        if (known->list != reflector->list) {
            auto_json struct json_object *object =
                last_words(reflector, lh_entry_k(entry), known->uid);
            reflector->options.removed(reflector->options.context, object);
            lh_table_delete_entry(reflector->known, entry);
        }
        entry = next;
    }
}

/* ---- list and watch */

static int on_item(void *context, struct json_object *object, struct firn_error **err)
{
    struct kube_reflector *reflector = context;
    (void)err;
    remember(reflector, object);
    reflector->options.changed(reflector->options.context, object);
    return 0;
}

/* What was told stays told: it is told again, or as removed in the end. */
static void on_again(void *context)
{
    struct kube_reflector *reflector = context;
    reflector->list++;
}

static int take_list(struct kube_reflector *reflector, struct firn_error **err)
{
    const struct kube_list list = {
        .selection = reflector->options.selection,
        .item = on_item,
        .again = on_again,
        .context = reflector,
        .stopped = is_stopped,
    };
    reflector->lists++;
    reflector->list++;
    free(steal(reflector->resource_version));
    if (kube_list(reflector->client, &list, &reflector->resource_version, err) < 0)
        return -1;
    remove_unseen(reflector);
    if (reflector->options.synced != NULL)
        reflector->options.synced(reflector->options.context);
    return 0;
}

static int on_event(void *context, const struct watch_event *event, struct firn_error **err)
{
    struct kube_reflector *reflector = context;
    const char *version = kube_resource_version(event->object);
    if (*version == '\0')
        return fail(err, FIRN_CORRUPT, "watch event: its object has no resourceVersion");
    free(reflector->resource_version);
    reflector->resource_version = mem_strdup(version);
    reflector->failures = 0;
    if (event->type == WATCH_BOOKMARK) {
        reflector->bookmarks++;
        return 0;
    }
    reflector->events++;
    if (event->type == WATCH_DELETED) {
        auto_free char *key = key_of(event->object);
        forget(reflector, key);
        reflector->options.removed(reflector->options.context, event->object);
        return 0;
    }
    remember(reflector, event->object);
    reflector->options.changed(reflector->options.context, event->object);
    return 0;
}

static int take_watch(struct kube_reflector *reflector, struct firn_error **err)
{
    auto_free char *from = mem_strdup(reflector->resource_version);
    const struct kube_watch watch = {
        .selection = reflector->options.selection,
        .resource_version = from,
        .timeout = reflector->options.watch_timeout,
        .idle_timeout = reflector->options.idle_timeout,
        .event = on_event,
        .stopped = is_stopped,
        .context = reflector,
    };
    int64_t begun = clock_monotonic();
    reflector->watches++;
    int result = kube_watch(reflector->client, &watch, err);
    if (clock_monotonic() - begun > LASTING)
        reflector->failures = 0;
    if (result == 0)
        free(steal(reflector->resource_version));
    return result;
}

/* One list, or one watch. A watch may fail for what is passing, and goes on from where it was. */
static int step(struct kube_reflector *reflector, struct firn_error **err)
{
    if (reflector->resource_version == NULL)
        return take_list(reflector, err);
    int result = take_watch(reflector, err);
    if (result < 0 && err != NULL && error_code(*err) != FIRN_RETRY)
        free(steal(reflector->resource_version));
    return result;
}

static void *run(void *context)
{
    struct kube_reflector *reflector = context;
    const struct http_terms terms = {.stopped = is_stopped, .context = reflector};
    while (!reflector->stopping && !cancel_requested()) {
        auto_error struct firn_error *failure = NULL;
        bool watched = reflector->resource_version != NULL;
        int result = step(reflector, &failure);
        if (reflector->stopping || cancel_requested())
            break;
        if (result == 0 && !watched) { /* listed */
            reflector->failures = 0;
            continue;
        }
        if (result < 0) {
            log_debug("%s", error_message(failure));
            if (reflector->options.failed != NULL)
                reflector->options.failed(reflector->options.context, failure);
        }
        /* Also after a watch that ended well: one that ends at once must not be asked for again and again. */
        if (backoff_wait(backoff_pause(reflector->failures++, 0), &terms, NULL) < 0)
            break;
    }
    return NULL;
}

/* ---- life */

struct kube_reflector *kube_reflector_start(struct kube_client *client,
                                            const struct kube_reflector_options *options)
{
    struct kube_reflector *reflector = mem_zalloc(sizeof(*reflector));
    pthread_attr_t attributes;
    reflector->client = client;
    reflector->options = *options;
    reflector->namespace = mem_strdup(options->selection.namespace);
    reflector->labels = mem_strdup(options->selection.labels);
    reflector->fields = mem_strdup(options->selection.fields);
    reflector->options.selection.namespace = reflector->namespace;
    reflector->options.selection.labels = reflector->labels;
    reflector->options.selection.fields = reflector->fields;
    reflector->known = lh_kchar_table_new(BEFORE_ANY, free_known);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    if (reflector->known == NULL ||
        pthread_create(&reflector->thread, &attributes, run, reflector) != 0)
        abort();
    pthread_attr_destroy(&attributes);
    return reflector;
}

void kube_reflector_stop(struct kube_reflector *reflector)
{
    if (reflector == NULL)
        return;
    reflector->stopping = true;
    pthread_join(reflector->thread, NULL);
    lh_table_free(reflector->known);
    free(reflector->resource_version);
    free(reflector->namespace);
    free(reflector->labels);
    free(reflector->fields);
    free(reflector);
}

struct kube_reflector_counts kube_reflector_counts(const struct kube_reflector *reflector)
{
    return (struct kube_reflector_counts){
        .lists = reflector->lists,
        .watches = reflector->watches,
        .events = reflector->events,
        .bookmarks = reflector->bookmarks,
    };
}
