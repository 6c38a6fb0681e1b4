/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to an API server and comes from it, without one: paths, errors, watch events in pieces, the rate limit.
 */
#include "kube/limiter.h"
#include "kube/list.h"
#include "kube/status.h"
#include "kube/type.h"
#include "kube/watch_event.h"

#include "core/buf.h"
#include "core/json.h"
#include "unit/unit.h"

static const struct kube_type backups = {"firn.dev", "v1alpha1", "backups", "Backup", false};

static void paths(void)
{
    static const struct {
        struct kube_target target;
        const char *path, *text;
    } good[] = {
        {{&kube_pods, "ns", "p", NULL}, "/api/v1/namespaces/ns/pods/p", "pods ns/p"},
        {{&kube_pods, "ns", "p", "log"}, "/api/v1/namespaces/ns/pods/p/log", "pods/log ns/p"},
        {{&kube_pods, NULL, NULL, NULL}, "/api/v1/pods", "pods"},
        {{&kube_nodes, "ignored", "n", NULL}, "/api/v1/nodes/n", "nodes n"},
        {{&backups, "ns", NULL, NULL},
         "/apis/firn.dev/v1alpha1/namespaces/ns/backups",
         "backups.firn.dev in ns"},
        {{&backups, "ns", "a:b@c", "status"},
         "/apis/firn.dev/v1alpha1/namespaces/ns/backups/a%3Ab%40c/status",
         "backups/status.firn.dev ns/a:b@c"},
        {{&kube_pods, "ns", "p", "proxy/metrics"},
         "/api/v1/namespaces/ns/pods/p/proxy/metrics",
         "pods/proxy/metrics ns/p"},
    };
    static const struct kube_target bad[] = {
        {&kube_pods, "ns", "..", NULL},     {&kube_pods, "ns", "", NULL},
        {&kube_pods, "ns", "a/b", NULL},    {&kube_pods, "", "p", NULL},
        {&kube_pods, "a/../b", "p", NULL},  {&kube_pods, "ns", "p", "log/.."},
        {&kube_pods, "ns", "%2e%2e", NULL}, {&kube_pods, NULL, "p", NULL},
        {&kube_pods, "ns", ".", NULL},      {&kube_pods, "ns", "p", ""},
    };
    for (size_t i = 0; i < array_length(good); i++) {
        auto_buf struct buf path = buf_new(1000);
        auto_free char *text = kube_target_text(&good[i].target);
        expect_ok(kube_path(&good[i].target, &path, err));
        expect_text(buf_text(&path), good[i].path);
        expect_text(text, good[i].text);
    }
    for (size_t i = 0; i < array_length(bad); i++) {
        auto_buf struct buf path = buf_new(1000);
        expect_error(FIRN_INVALID, kube_path(&bad[i], &path, err));
    }
}

static void selections(void)
{
    static const struct {
        struct kube_selection selection;
        const char *query;
    } cases[] = {
        {{.type = &kube_pods}, ""},
        {{.labels = "a=b,c in (d,e)"}, "labelSelector=a%3Db%2Cc%20in%20%28d%2Ce%29"},
        {{.labels = "a", .fields = "metadata.name=x"},
         "labelSelector=a&fieldSelector=metadata.name%3Dx"},
        {{.labels = "", .fields = "b"}, "fieldSelector=b"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_buf struct buf query = buf_new(1000);
        kube_selection_query(&cases[i].selection, &query);
        expect_text(buf_text(&query), cases[i].query);
    }
}

/* ---------------------------------------------------------------------------------------------- errors */

#define STATUS "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","

static void errors(void)
{
    static const struct kube_target target = {&backups, "shop", "b1", NULL};
    static const struct kube_target everywhere = {&kube_pods, NULL, NULL, NULL};
    static const struct {
        int status;
        const char *body;
        const struct kube_target *target;
        enum firn_code code;
        const char *message;
    } cases[] = {
        {404, STATUS "\"reason\":\"NotFound\",\"message\":\"none\",\"code\":404}", &target,
         FIRN_NOTFOUND, "create backups.firn.dev shop/b1: none (HTTP 404)"},
        {409, STATUS "\"reason\":\"AlreadyExists\",\"message\":\"there\"}", &target, FIRN_CONFLICT,
         "create backups.firn.dev shop/b1: there (HTTP 409)"},
        {403, STATUS "\"reason\":\"Forbidden\",\"message\":\"User \\\"u\\\" cannot create it\"}",
         &target, FIRN_DENIED,
         "create backups.firn.dev shop/b1: User \"u\" cannot create it (HTTP 403) (a Role with the "
         "verb \"create\" for \"backups\" in the API group \"firn.dev\", in the namespace shop "
         "would allow it)"},
        {403, STATUS "\"reason\":\"Forbidden\",\"message\":\"User \\\"u\\\" cannot list it\"}",
         &everywhere, FIRN_DENIED,
         "create pods: User \"u\" cannot list it (HTTP 403) (a ClusterRole with the verb "
         "\"create\" for \"pods\" in the API group \"\" would allow it)"},
        {403, STATUS "\"reason\":\"Forbidden\",\"message\":\"exceeded quota\"}", &target,
         FIRN_DENIED, "create backups.firn.dev shop/b1: exceeded quota (HTTP 403)"},
        {401, STATUS "\"reason\":\"Unauthorized\",\"message\":\"Unauthorized\"}", &target,
         FIRN_DENIED,
         "create backups.firn.dev shop/b1: Unauthorized (HTTP 401) (the credentials are not "
         "accepted: expired, revoked, or of another cluster)"},
        {422, STATUS "\"reason\":\"Invalid\"}", &target, FIRN_INVALID,
         "create backups.firn.dev shop/b1: Invalid (HTTP 422)"},
        {502, "<html>\n  <b>Bad\tgateway</b>\r\n</html>", &target, FIRN_RETRY,
         "create backups.firn.dev shop/b1: <html> <b>Bad gateway</b> </html> (HTTP 502)"},
        {500, "", &target, FIRN_RETRY,
         "create backups.firn.dev shop/b1: no reason given (HTTP 500)"},
        {410, "{\"kind\":7}", &target, FIRN_RETRY,
         "create backups.firn.dev shop/b1: {\"kind\":7} (HTTP 410)"},
        {302, "", NULL, FIRN_INTERNAL, "create /version: no reason given (HTTP 302)"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct kube_status status;
        auto_error struct firn_error *err = NULL;
        kube_status_read(cases[i].status, cases[i].body, strlen(cases[i].body), &status);
        CU_ASSERT_EQUAL(kube_status_fail(&status, "create", cases[i].target, "/version", &err), -1);
        CU_ASSERT_EQUAL(error_code(err), cases[i].code);
        expect_text(error_message(err), cases[i].message);
        kube_status_free(&status);
    }
}

static void retry_after(void)
{
    static const struct {
        const char *body;
        int64_t ms;
    } cases[] = {
        {STATUS "\"details\":{\"retryAfterSeconds\":7}}", 7000},
        {STATUS "\"details\":{\"retryAfterSeconds\":-7}}", 0},
        {STATUS "\"details\":{\"retryAfterSeconds\":9223372036854775807}}", 0},
        {STATUS "\"details\":{}}", 0},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct kube_status status;
        kube_status_read(429, cases[i].body, strlen(cases[i].body), &status);
        CU_ASSERT_EQUAL(status.retry_ms, cases[i].ms);
        kube_status_free(&status);
    }
}

/* ---------------------------------------------------------------------------------------------- watch events */

struct seen {
    char text[400];
    int limit; /* stop after so many; 0: never */
};

static int on_event(void *context, const struct watch_event *event, struct firn_error **err)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "%d:%s;", (int)event->type,
             kube_name(event->object));
    return seen->limit > 0 && --seen->limit == 0 ? fail(err, FIRN_CANCELLED, "enough") : 0;
}

#define EVENT(type, name)                                                                          \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\"}}}\n"

/* Whatever the pieces are that the network cuts it into. */
static void events(void)
{
    static const char text[] = EVENT("ADDED", "a") "\n" EVENT("MODIFIED", "b") EVENT("DELETED", "c")
        EVENT("BOOKMARK", "") EVENT("ERROR", "") EVENT("NEW", "d");
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct seen seen = {0};
        struct watch_stream stream = watch_stream_new(on_event, &seen);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            size_t left = sizeof(text) - 1 - at;
            expect_ok(watch_stream_feed(&stream, text + at, left < piece ? left : piece, err));
        }
        expect_text(seen.text, "1:a;2:b;3:c;4:;5:;6:d;");
        watch_stream_free(&stream);
    }
}

static void wrong_events(void)
{
    static const char *const bad[] = {
        "x\n", "{}\n", "[]\n", "{\"object\":7}\n", "null\n", "{\"type\":\"ADDED\"}\n"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct seen seen = {0};
        struct watch_stream stream = watch_stream_new(on_event, &seen);
        expect_error(FIRN_CORRUPT, watch_stream_feed(&stream, bad[i], strlen(bad[i]), err));
        watch_stream_free(&stream);
    }
    struct seen seen = {.limit = 2};
    struct watch_stream stream = watch_stream_new(on_event, &seen);
    static const char three[] = EVENT("ADDED", "a") EVENT("ADDED", "b") EVENT("ADDED", "c");
    expect_error(FIRN_CANCELLED, watch_stream_feed(&stream, three, sizeof(three) - 1, err));
    expect_text(seen.text, "1:a;1:b;");
    watch_stream_free(&stream);
}

static void endless_line(void)
{
    struct seen seen = {0};
    struct watch_stream stream = watch_stream_new(on_event, &seen);
    static char blanks[1 << 20];
    memset(blanks, ' ', sizeof(blanks));
    for (int i = 0; i < 16; i++)
        expect_ok(watch_stream_feed(&stream, blanks, sizeof(blanks), err));
    expect_error(FIRN_CORRUPT, watch_stream_feed(&stream, blanks, sizeof(blanks), err));
    watch_stream_free(&stream);
}

/* ---------------------------------------------------------------------------------------------- the rate limit */

/* Waits are reckoned, not slept: what was taken in advance makes the next wait longer. */
static void limit(void)
{
    struct limiter *limiter = limiter_new(0.001, 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(limiter_take(limiter), 0);
    int64_t first = limiter_take(limiter);
    int64_t second = limiter_take(limiter);
    CU_ASSERT_TRUE(first > 900000 && first <= 1000001);
    CU_ASSERT_TRUE(second > first + 900000 && second <= 2000001);
    limiter_free(limiter);
    limiter = limiter_new(0, 1);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(limiter_take(limiter), 0);
    limiter_free(limiter);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"paths", paths},
        {"selections", selections},
        {"errors", errors},
        {"Retry-After", retry_after},
        {"watch events in pieces", events},
        {"wrong watch events", wrong_events},
        {"an endless line", endless_line},
        {"the rate limit", limit},
    };
    return unit_run("kube-wire", tests, array_length(tests));
}
