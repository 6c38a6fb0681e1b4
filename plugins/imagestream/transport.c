/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include "certificates.h"
#include "location.h"

#include <core/buf.h>
#include <core/clock.h>
#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <ctype.h>
#include <string.h>

#define REDIRECTS_MOST 10
#define HEADERS_MOST   8
#define COLLECT_LIMIT  (1u << 20)
#define REPEATS        4
#define MESSAGE_MOST   300
/* Less than this in one stall timeout is a trickle, whatever its regularity. */
#define TRICKLE_BYTES 4096

/* Stands between the host and whoever takes the body: collects, or passes on, and watches the pace.
 * */
struct intake {
    const struct transport *transport;
    const struct call *call;
    struct buf collected;
    int64_t
        window_start; /* ms, monotonic; moved on by the time that the taker needs; 0: no byte yet */
    uint64_t window_bytes;
    uint64_t total;
    const char *stopped; /* why it ended the transfer, or NULL */
};

static bool trickles(struct intake *intake, size_t length)
{
    int64_t now = clock_monotonic();
    intake->window_bytes += length;
    if (intake->window_start == 0)
        intake->window_start = now;
    if (now - intake->window_start < intake->transport->stall_timeout)
        return false;
    bool slow = intake->window_bytes < TRICKLE_BYTES;
    intake->window_start = now;
    intake->window_bytes = 0;
    return slow;
}

static int take_body(void *context, const void *data, size_t length)
{
    struct intake *intake = context;
    if (intake->transport->host->cancelled(intake->transport->host)) {
        intake->stopped = "it was cancelled";
        return -1;
    }
    if (trickles(intake, length)) {
        intake->stopped = "the transfer only trickles";
        return -1;
    }
    intake->total += length;
    if (intake->call->write_body == NULL) {
        buf_append(&intake->collected, data, length);
        intake->stopped =
            intake->collected.overflowed ? "the answer is longer than it may be" : NULL;
        return intake->collected.overflowed ? -1 : 0;
    }
    int64_t before = clock_monotonic();
    int result = intake->call->write_body(intake->call->context, data, length);
    intake->window_start += clock_monotonic() - before;
    return result;
}

static void add_header(struct firn_header *headers, size_t *count, const char *name,
                       const char *value)
{
    if (value != NULL)
        headers[(*count)++] = (struct firn_header){.name = name, .value = value};
}

/* One exchange with one server. */
static int exchange_once(struct intake *intake, const char *url, bool trusted,
                         struct firn_http_response **response, struct firn_error **err)
{
    const struct call *call = intake->call;
    const struct firn_host *host = intake->transport->host;
    auto_certificates struct certificates certificates = {0};
    certificates_find(url, intake->transport->ca_file, &certificates);
    struct firn_header headers[HEADERS_MOST];
    size_t count = 0;
    add_header(headers, &count, "Authorization", trusted ? call->authorization : NULL);
    add_header(headers, &count, "Accept", call->accept);
    add_header(headers, &count, "Content-Type", call->content_type);
    add_header(headers, &count, "Range", call->range);
    add_header(headers, &count, "Content-Range", call->content_range);
    bool get = strcmp(call->method, "GET") == 0;
    struct firn_http_request request = {
        .size = sizeof(request),
        .method = call->method,
        .url = url,
        .headers = headers,
        .header_count = count,
        .ca_file = certificates.ca_file,
        .client_cert = trusted ? certificates.client_cert : NULL,
        .client_key = trusted ? certificates.client_key : NULL,
        .body = call->body,
        .body_length = call->body_length,
        .read_body = call->read_body,
        .write_body = get ? take_body : NULL,
        .context = get ? (void *)intake : call->context,
        .body_limit = get ? 0 : COLLECT_LIMIT,
        .idle_timeout = (uint32_t)intake->transport->stall_timeout,
        .retries = call->read_body == NULL ? REPEATS : 0,
    };
    intake->window_start = 0; /* the host may have to wait and repeat before the first byte comes */
    intake->window_bytes = 0;
    if (host->http(host, &request, response) == 0)
        return 0;
    if (host->cancelled(host))
        return fail(err, FIRN_CANCELLED, "%s %s: cancelled", call->method, url);
    if (intake->stopped != NULL)
        return fail(err, intake->collected.overflowed ? FIRN_CORRUPT : FIRN_RETRY, "%s %s: %s",
                    call->method, url, intake->stopped);
    return fail(err, FIRN_UNSAID, "%s %s: no answer", call->method, url);
}

static const char *header_of(const struct firn_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

static bool redirects(const struct call *call, const struct firn_http_response *response)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    if (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0)
        return false;
    for (size_t i = 0; i < array_length(statuses); i++)
        if (response->status == statuses[i])
            return header_of(response, "location") != NULL;
    return false;
}

static void answer_set_take(struct answer *out, struct intake *intake,
                            struct firn_http_response *response, char *url)
{
    out->host = intake->transport->host;
    out->response = response;
    out->status = response->status;
    out->url = url;
    if (intake->collected.length > 0) {
        out->body_length = intake->collected.length;
        out->body = buf_take(&intake->collected);
    } else {
        out->body_length = response->body == NULL ? 0 : response->body_length;
        out->body = response->body == NULL ? mem_strdup("")
                                           : mem_dup(response->body, response->body_length);
    }
}

/* Follows redirects until somebody answers. */
static int exchange_chain(struct intake *intake, struct answer *out, struct firn_error **err)
{
    auto_free char *url = mem_strdup(intake->call->url);
    for (int hop = 0; hop <= REDIRECTS_MOST; hop++) {
        if (location_check(url, intake->transport->plain_http, err) < 0)
            return hop == 0 ? -1 : wrap(err, "%s redirects to", intake->call->url);
        struct firn_http_response *response = NULL;
        if (exchange_once(intake, url, location_same_origin(url, intake->call->url), &response,
                          err) < 0)
            return -1;
        if (!redirects(intake->call, response)) {
            answer_set_take(out, intake, response, steal(url));
            return 0;
        }
        char *next = NULL;
        int resolved = location_resolve(url, header_of(response, "location"), &next, err);
        intake->transport->host->http_free(intake->transport->host, response);
        if (resolved < 0)
            return -1;
        free(url);
        url = next;
    }
    return fail(err, FIRN_INVALID, "%s: more than %d redirects", intake->call->url, REDIRECTS_MOST);
}

int transport_exchange(const struct transport *transport, const struct call *call,
                       struct answer *out, struct firn_error **err)
{
    *out = (struct answer){0};
    bool repeatable =
        call->write_body == NULL && call->read_body == NULL && strcmp(call->method, "GET") == 0;
    /* The host repeats what failed before the first byte; this is for what breaks off in the
     * middle. */
    for (int tries = repeatable ? 2 : 1;; tries--) {
        auto_error struct firn_error *failure = NULL;
        struct intake intake = {
            .transport = transport,
            .call = call,
            .collected = buf_new(call->body_limit == 0 ? COLLECT_LIMIT : (size_t)call->body_limit),
        };
        int result = exchange_chain(&intake, out, &failure);
        bool again = result < 0 && tries > 1 && intake.total > 0 && intake.stopped == NULL &&
                     error_code(failure) == FIRN_UNSAID;
        buf_free(&intake.collected);
        if (result == 0)
            return 0;
        if (!again)
            return fail(err, error_code(failure), "%s", error_message(failure));
    }
}

void answer_free(struct answer *answer)
{
    if (answer->response != NULL)
        answer->host->http_free(answer->host, answer->response);
    free(answer->body);
    free(answer->url);
    *answer = (struct answer){0};
}

const char *answer_header(const struct answer *answer, const char *name)
{
    return header_of(answer->response, name);
}

static enum firn_code code_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return FIRN_DENIED;
    case 404:
        return FIRN_NOTFOUND;
    case 409:
        return FIRN_CONFLICT;
    case 408:
    case 429:
        return FIRN_RETRY;
    case 500:
    case 501:
    case 507:
        return FIRN_INTERNAL;
    default:
        return status >= 500 ? FIRN_RETRY : FIRN_INVALID;
    }
}

/* What the registry says in its own words ({"errors": [{"code": …, "message": …}]}), or nothing. */
static void append_reason(struct buf *text, const struct answer *answer)
{
    auto_json struct json_object *json = NULL;
    if (json_parse(answer->body, answer->body_length, "error", &json, NULL) < 0)
        return;
    const char *code = json_string_or(json, "errors.0.code", NULL);
    const char *message = json_string_or(json, "errors.0.message", NULL);
    if (message == NULL)
        message = json_string_or(json, "details", NULL);
    if (code == NULL && message == NULL)
        return;
    buf_printf(text, " (%.60s%s%.200s)", code == NULL ? "" : code,
               code == NULL || message == NULL ? "" : ": ", message == NULL ? "" : message);
}

int answer_fail(const struct answer *answer, const char *what, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(MESSAGE_MOST);
    append_reason(&text, answer);
    for (size_t i = 0; i < text.length; i++)
        if (iscntrl((unsigned char)text.data[i]))
            text.data[i] = ' ';
    return fail(err, code_of(answer->status), "%s: the registry answers %d%s", what, answer->status,
                buf_text(&text));
}
