/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include "client.h"
#include "status.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "net/url.h"

#include <sys/random.h>

#define TIMEOUT_LEAST 300000
#define IDLE_DEFAULT  150000
#define GRACE         30000 /* ms after its timeout in which the server should have ended it */
#define QUERY_LIMIT   65536u

struct watching {
    const struct kube_watch *watch;
    struct watch_stream stream;
    struct firn_error *failure; /* why the receiver stopped */
    int64_t heard;              /* when the last byte came */
    int64_t idle;               /* ms that may pass without one */
    bool expired;
    bool silent; /* it was stopped for being idle */
};

static int on_error_event(struct watching *watching, struct json_object *object,
                          struct firn_error **err)
{
    const struct kube_selection *selection = &watching->watch->selection;
    const struct kube_target target = {.type = selection->type, .namespace = selection->namespace};
    struct kube_status status;
    kube_status_take(object, &status);
    watching->expired = status.code == 410 || strcmp(status.reason, "Expired") == 0 ||
                        strcmp(status.reason, "Gone") == 0;
    int result = kube_status_fail(&status, "watch", &target, NULL, err);
    kube_status_free(&status);
    return result;
}

static int on_event(void *context, const struct watch_event *event, struct firn_error **err)
{
    struct watching *watching = context;
    const struct kube_watch *watch = watching->watch;
    switch (event->type) {
    case WATCH_ERROR:
        return on_error_event(watching, event->object, err);
    case WATCH_UNKNOWN:
        return 0;
    case WATCH_BOOKMARK:
        watching->idle = watch->idle_timeout == 0 ? IDLE_DEFAULT : watch->idle_timeout;
        break;
    default:
        break;
    }
    return watch->event(watch->context, event, err);
}

static int on_data(void *context, const void *data, size_t length)
{
    struct watching *watching = context;
    int result = watch_stream_feed(&watching->stream, data, length, &watching->failure);
    watching->heard = clock_monotonic(); /* what the receiver took is not the server's silence */
    return result;
}

static bool is_stopped(void *context)
{
    struct watching *watching = context;
    const struct kube_watch *watch = watching->watch;
    if (watch->stopped != NULL && watch->stopped(watch->context))
        return true;
    watching->silent = clock_monotonic() - watching->heard > watching->idle;
    return watching->silent;
}

/* Spread, so that the watches of many clients do not all end at once. */
static uint32_t choose_timeout(const struct kube_watch *watch)
{
    uint32_t random = 0;
    if (watch->timeout != 0)
        return watch->timeout;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = 0;
    return TIMEOUT_LEAST + random % TIMEOUT_LEAST;
}

static int run(struct kube_client *client, struct watching *watching, const char *query,
               int *status, struct firn_error **err)
{
    const struct kube_selection *selection = &watching->watch->selection;
    const struct kube_target target = {.type = selection->type, .namespace = selection->namespace};
    const struct kube_request request = {
        .verb = "watch",
        .method = "GET",
        .target = &target,
        .query = query,
        .accept = selection->metadata_only
                      ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
                      : "application/json",
        .receive = on_data,
        .stopped = is_stopped,
        .context = watching,
        .idle_timeout = UINT32_MAX,
    };
    return kube_request_status(client, &request, NULL, status, err);
}

static int conclude(struct watching *watching, int result, int status, struct firn_error **failure,
                    struct firn_error **err)
{
    if (watching->expired || status == 410)
        return 0;
    if (watching->silent)
        return fail(err, FIRN_RETRY, "watch %s: the server is silent",
                    watching->watch->selection.type->resource);
    if (result == 0)
        return 1;
    struct firn_error **cause = watching->failure != NULL ? &watching->failure : failure;
    if (err != NULL) {
        *err = steal(*cause);
        if ((*err)->code == FIRN_CORRUPT) /* a chunk that lacks its end: the connection broke */
            (*err)->code = FIRN_RETRY;
    }
    return -1;
}

int kube_watch(struct kube_client *client, const struct kube_watch *watch, struct firn_error **err)
{
    uint32_t timeout = choose_timeout(watch);
    auto_buf struct buf query = buf_new(QUERY_LIMIT);
    auto_error struct firn_error *failure = NULL;
    int status = 0;
    struct watching watching = {
        .watch = watch, .heard = clock_monotonic(), .idle = (int64_t)timeout + GRACE};
    kube_selection_query(&watch->selection, &query);
    buf_printf(&query, "%swatch=true&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=",
               query.length == 0 ? "" : "&", (timeout + 999) / 1000);
    url_escape(&query, watch->resource_version);
    if (buf_check(&query, "query of a watch", err) < 0)
        return -1;
    watching.stream = watch_stream_new(on_event, &watching);
    int result = run(client, &watching, buf_text(&query), &status, &failure);
    watch_stream_free(&watching.stream);
    result = conclude(&watching, result, status, &failure, err);
    error_clear(&watching.failure);
    return result;
}
