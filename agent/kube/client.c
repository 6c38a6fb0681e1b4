/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "config.h"
#include "credentials.h"
#include "limiter.h"
#include "status.h"
#include "type.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/backoff.h"
#include "net/http.h"
#include "net/websocket.h"

#include <stdatomic.h>

#define TRIES           4
#define PER_SECOND      20
#define BURST           40
#define BODY_LIMIT      (64u << 20)
#define PATIENCE        60000 /* ms: a server that asks to wait longer has given its answer */
#define GROUPS_MOST     32u
#define HEADERS_MOST    (5 + GROUPS_MOST)
#define SEND_BODY_LIMIT (64u << 20)

struct kube_client {
    struct kube_config *config;
    struct kube_credentials *credentials;
    struct http_client *http;
    struct limiter *limiter;
    uint32_t idle_timeout;
    atomic_uint_fast64_t requests;
};

struct kube_client *kube_client_new_take(struct kube_config *config,
                                         const struct kube_limits *limits)
{
    static const struct kube_limits none;
    const struct kube_limits *given = limits == NULL ? &none : limits;
    struct kube_client *client = mem_zalloc(sizeof(*client));
    client->config = config;
    client->credentials = kube_credentials_new(config);
    client->http = http_client_new("firn/" FIRN_VERSION);
    client->limiter = limiter_new(given->per_second > 0 ? given->per_second : PER_SECOND,
                                  given->burst > 0 ? given->burst : BURST);
    client->idle_timeout = given->idle_timeout;
    return client;
}

int kube_client_open(const struct kube_options *options, const struct kube_limits *limits,
                     struct kube_client **out, struct firn_error **err)
{
    struct kube_config *config = NULL;
    if (kube_config_load(options, &config, err) < 0)
        return -1;
    *out = kube_client_new_take(config, limits);
    return 0;
}

void kube_client_free(struct kube_client *client)
{
    if (client == NULL)
        return;
    http_client_free(client->http);
    kube_credentials_free(client->credentials);
    limiter_free(client->limiter);
    kube_config_free(client->config);
    free(client);
}

void kube_client_free_pointer(struct kube_client **client)
{
    kube_client_free(steal(*client));
}

const struct kube_config *kube_client_config(const struct kube_client *client)
{
    return client->config;
}

const char *kube_client_namespace(const struct kube_client *client)
{
    return client->config->namespace;
}

uint64_t kube_client_requests(const struct kube_client *client)
{
    return client->requests;
}

/* ---- one try */

struct attempt {
    struct kube_client *client;
    const struct kube_request *request;
    const struct kube_identity *identity;
    const char *url;
    const char *body; /* NULL: none */
    size_t body_length;
    struct firn_http_response *response;
    bool consumed; /* receive() was called */
};

static int on_body(void *context, const void *data, size_t length)
{
    struct attempt *attempt = context;
    attempt->consumed = true;
    return attempt->request->receive(attempt->request->context, data, length);
}

struct header_list {
    struct firn_header header[HEADERS_MOST];
    size_t count;
};

static void add_header(struct header_list *list, const char *name, const char *value)
{
    if (value != NULL && list->count < HEADERS_MOST)
        list->header[list->count++] = (struct firn_header){name, value};
}

static void add_headers(struct header_list *list, const struct attempt *attempt)
{
    const struct kube_request *request = attempt->request;
    const struct kube_config *config = attempt->client->config;
    add_header(list, "Accept", request->accept == NULL ? "application/json" : request->accept);
    if (attempt->body != NULL)
        add_header(list, "Content-Type",
                   request->content_type == NULL ? "application/json" : request->content_type);
    add_header(list, "Authorization", attempt->identity->authorization);
    add_header(list, "Impersonate-User", config->impersonate);
    struct json_object *groups = config->impersonate_groups;
    for (size_t i = 0; json_object_is_type(groups, json_type_array) && i < GROUPS_MOST &&
                       i < json_object_array_length(groups);
         i++)
        add_header(list, "Impersonate-Group",
                   json_object_get_string(json_object_array_get_idx(groups, i)));
}

static int send_once(struct attempt *attempt, struct firn_error **err)
{
    struct kube_client *client = attempt->client;
    const struct kube_request *request = attempt->request;
    struct header_list headers = {.count = 0};
    add_headers(&headers, attempt);
    const struct firn_http_request wire = {
        .size = sizeof(wire),
        .method = request->method,
        .url = attempt->url,
        .headers = headers.header,
        .header_count = headers.count,
        .body = attempt->body,
        .body_length = attempt->body_length,
        .write_body = request->receive == NULL ? NULL : on_body,
        .context = attempt,
        .body_limit = request->body_limit != 0   ? request->body_limit
                      : request->receive == NULL ? BODY_LIMIT
                                                 : UINT64_MAX,
        .idle_timeout = request->idle_timeout != 0 ? request->idle_timeout : client->idle_timeout,
    };
    const struct http_terms terms = {
        .identity = &attempt->identity->wire,
        .stopped = request->stopped,
        .context = request->context,
    };
    if (backoff_wait(limiter_take(client->limiter), &terms, err) < 0)
        return -1;
    client->requests++;
    return http_exchange_on(client->http, &wire, &terms, &attempt->response, err);
}

/* ---- whether to try again */

static bool is_read(const struct kube_request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* How long to wait before the next try, from the answer's header or its Status. */
static int64_t asked_pause(const struct firn_http_response *response)
{
    const char *header = http_header(response, "retry-after");
    long seconds = header == NULL ? 0 : strtol(header, NULL, 10);
    if (seconds > 0)
        return seconds > PATIENCE ? INT64_MAX : seconds * 1000;
    struct kube_status status;
    kube_status_read(response->status, response->body, response->body_length, &status);
    int64_t pause = status.retry_ms;
    kube_status_free(&status);
    return pause;
}

/* *pause: what the server asked for. */
static bool may_repeat(const struct attempt *attempt, enum firn_code failure, int64_t *pause)
{
    const struct kube_request *request = attempt->request;
    bool harmless = is_read(request) || request->repeatable;
    *pause = 0;
    if (attempt->consumed)
        return false;
    if (attempt->response == NULL)
        return harmless && (failure == FIRN_RETRY || failure == FIRN_CORRUPT); /* or cut short */
    int status = attempt->response->status;
    if (status != 429 && status < 500)
        return false;
    *pause = asked_pause(attempt->response);
    return (status == 429 || *pause > 0 || harmless) && *pause <= PATIENCE;
}

/* 1: renewed, try again; 0: the answer stands. */
static int renew(struct attempt *attempt, struct firn_error **err)
{
    struct kube_credentials *credentials = attempt->client->credentials;
    if (!kube_credentials_reject(credentials, attempt->identity))
        return 0;
    kube_identity_put(attempt->identity);
    attempt->identity = NULL;
    return kube_credentials_get(credentials, &attempt->identity, err) < 0 ? -1 : 1;
}

static void log_repeat(const struct attempt *attempt, const struct firn_error *failure,
                       int64_t pause)
{
    if (attempt->response != NULL)
        log_debug("%s %s: answered %d, again in %lld ms", attempt->request->method, attempt->url,
                  attempt->response->status, (long long)pause);
    else
        log_debug("%s, again in %lld ms", error_message(failure), (long long)pause);
}

/* Until an answer came that stands, in attempt->response. */
static int try_until(struct attempt *attempt, struct firn_error **err)
{
    const struct http_terms terms = {.stopped = attempt->request->stopped,
                                     .context = attempt->request->context};
    bool renewed = false;
    for (uint32_t number = 0;; number++) {
        auto_error struct firn_error *failure = NULL;
        int64_t asked = 0;
        int result = send_once(attempt, &failure);
        if (result == 0 && attempt->response->status == 401 && !renewed) {
            int again = renew(attempt, err);
            if (again < 0)
                return -1;
            renewed = true;
            if (again == 1) {
                http_response_free(steal(attempt->response));
                continue;
            }
        }
        if (number + 1 >= TRIES || !may_repeat(attempt, error_code(failure), &asked)) {
            if (err != NULL)
                *err = steal(failure);
            return result;
        }
        int64_t pause = backoff_pause(number, asked);
        log_repeat(attempt, failure, pause);
        http_response_free(steal(attempt->response));
        if (backoff_wait(pause, &terms, err) < 0)
            return -1;
    }
}

/* ---- the request */

static int make_url(const struct kube_client *client, const struct kube_request *request,
                    char **out, struct firn_error **err)
{
    auto_buf struct buf url = buf_new(65536);
    buf_puts(&url, client->config->server);
    if (request->path != NULL)
        buf_puts(&url, request->path);
    else if (kube_path(request->target, &url, err) < 0)
        return -1;
    if (request->query != NULL && *request->query != '\0')
        buf_printf(&url, "?%s", request->query);
    if (buf_check(&url, "URL of a request", err) < 0)
        return -1;
    *out = buf_take(&url);
    return 0;
}

static int judge(const struct attempt *attempt, struct firn_error **err)
{
    const struct kube_request *request = attempt->request;
    const struct firn_http_response *response = attempt->response;
    if (response->status >= 200 && response->status <= 299)
        return 0;
    struct kube_status status;
    kube_status_read(response->status, response->body, response->body_length, &status);
    int result = kube_status_fail(&status, request->verb, request->target, request->path, err);
    kube_status_free(&status);
    return result;
}

/* response: the caller's, also of an answer that is an error; NULL if none came. */
static int exchange(struct kube_client *client, const struct kube_request *request,
                    struct firn_http_response **response, struct firn_error **err)
{
    auto_free char *url = NULL;
    auto_buf struct buf body = buf_new(SEND_BODY_LIMIT);
    struct attempt attempt = {.client = client, .request = request};
    *response = NULL;
    if (make_url(client, request, &url, err) < 0)
        return -1;
    if (request->body != NULL)
        json_write(&body, request->body);
    if (buf_check(&body, "body of a request", err) < 0)
        return -1;
    attempt.url = url;
    attempt.body = request->body == NULL ? NULL : buf_text(&body);
    attempt.body_length = body.length;
    if (kube_credentials_get(client->credentials, &attempt.identity, err) < 0)
        return -1;
    int result = try_until(&attempt, err);
    kube_identity_put(attempt.identity);
    *response = attempt.response;
    return result < 0 ? -1 : judge(&attempt, err);
}

static void free_response(struct firn_http_response **response)
{
    http_response_free(*response);
}
#define auto_response __attribute__((cleanup(free_response)))

int kube_request_status(struct kube_client *client, const struct kube_request *request,
                        struct json_object **out, int *status, struct firn_error **err)
{
    auto_response struct firn_http_response *response = NULL;
    int result = exchange(client, request, &response, err);
    *status = response == NULL ? 0 : response->status;
    if (result < 0 || out == NULL || request->receive != NULL)
        return result;
    if (json_parse(response->body, response->body_length, "answer", out, err) == 0)
        return 0;
    auto_free char *what =
        request->target == NULL ? mem_strdup(request->path) : kube_target_text(request->target);
    if (err != NULL)
        (*err)->code = FIRN_CORRUPT;
    return wrap(err, "%s %s", request->verb, what);
}

int kube_request(struct kube_client *client, const struct kube_request *request,
                 struct json_object **out, struct firn_error **err)
{
    int status = 0;
    return kube_request_status(client, request, out, &status, err);
}

int kube_request_text(struct kube_client *client, const struct kube_request *request, char **out,
                      size_t *length, struct firn_error **err)
{
    auto_response struct firn_http_response *response = NULL;
    if (exchange(client, request, &response, err) < 0)
        return -1;
    *out = steal(response->body);
    *length = response->body_length;
    return 0;
}

/* ---- WebSocket */

struct kube_channel {
    struct websocket *socket;
    const struct kube_identity *identity;
    struct http_terms terms;
};

struct websocket *kube_channel_socket(struct kube_channel *channel)
{
    return channel->socket;
}

void kube_channel_close(struct kube_channel *channel)
{
    if (channel == NULL)
        return;
    websocket_free(channel->socket);
    kube_identity_put(channel->identity);
    free(channel);
}

static int open_channel(struct attempt *attempt, const char *subprotocol,
                        struct kube_channel *channel, struct firn_error **err)
{
    const struct kube_request *request = attempt->request;
    struct header_list headers = {.count = 0};
    attempt->identity = channel->identity;
    add_headers(&headers, attempt);
    const struct firn_http_request wire = {
        .size = sizeof(wire),
        .url = attempt->url,
        .headers = headers.header,
        .header_count = headers.count,
        .idle_timeout =
            request->idle_timeout != 0 ? request->idle_timeout : attempt->client->idle_timeout,
    };
    channel->terms = (struct http_terms){.identity = &channel->identity->wire,
                                         .stopped = request->stopped,
                                         .context = request->context};
    if (backoff_wait(limiter_take(attempt->client->limiter), &channel->terms, err) < 0)
        return -1;
    attempt->client->requests++;
    auto_error struct firn_error *failure = NULL;
    if (websocket_open(&wire, &channel->terms, subprotocol, &channel->socket, &attempt->response,
                       &failure) == 0)
        return 0;
    if (attempt->response != NULL)
        return judge(attempt, err);
    auto_free char *what = kube_target_text(request->target);
    if (err != NULL)
        *err = steal(failure);
    return wrap(err, "%s %s", request->verb, what);
}

int kube_channel_open(struct kube_client *client, const struct kube_request *request,
                      const char *subprotocol, struct kube_channel **out, struct firn_error **err)
{
    auto_free char *url = NULL;
    if (make_url(client, request, &url, err) < 0)
        return -1;
    struct attempt attempt = {.client = client, .request = request, .url = url};
    struct kube_channel *channel = mem_zalloc(sizeof(*channel));
    int result = -1;
    for (int tries = 0; tries < 2; tries++) {
        auto_error struct firn_error *failure = NULL;
        if (channel->identity == NULL &&
            kube_credentials_get(client->credentials, &channel->identity, err) < 0)
            break;
        result = open_channel(&attempt, subprotocol, channel, &failure);
        bool refused = attempt.response != NULL && attempt.response->status == 401;
        http_response_free(steal(attempt.response));
        if (result == 0 || tries > 0 || !refused ||
            !kube_credentials_reject(client->credentials, channel->identity)) {
            if (err != NULL)
                *err = steal(failure);
            break;
        }
        kube_identity_put(steal(channel->identity));
    }
    if (result < 0) {
        kube_channel_close(channel);
        return -1;
    }
    *out = channel;
    return 0;
}
