/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include "http.h"
#include "identity.h"
#include "lane.h"
#include "limit.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define POLL_INTERVAL      200 /* ms: how late a cancellation or a timeout may be seen */
#define IDLE_DEFAULT       60000
#define COLLECT_DEFAULT    (16u << 20)
#define ERROR_BODY_LIMIT   65536u
#define HEADER_BYTES_LIMIT 65536u
#define HEADER_COUNT_LIMIT 256u
#define WIRE_BUFFER        (256L << 10)
#define KEEPALIVE_IDLE     30L /* s; a peer that is gone is found out within two minutes */
#define KEEPALIVE_INTERVAL 10L

/* Why we ended it ourselves. */
enum stop {
    STOP_NOT,
    STOP_CANCELLED, /* the process is to end */
    STOP_CALLER,    /* the terms say so */
    STOP_SENDER,    /* read_body gave up */
    STOP_RECEIVER,  /* write_body gave up */
    STOP_IDLE,
    STOP_BODY,    /* longer than allowed */
    STOP_HEADERS, /* more than allowed */
    STOP_ENOUGH,  /* of the body of an error: that is success */
};

struct run {
    struct transfer *transfer;
    const struct firn_http_request *request;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *direction; /* where to connect to, when the URL names another */
    struct buf body;
    uint64_t received;   /* bytes of body */
    uint64_t sent;       /* bytes of a body in memory, if they are counted */
    size_t header_bytes; /* of all answers, interim ones included */
    bool
        in_header; /* the first line of an answer came, and not yet the empty one behind its headers */
    int64_t active;       /* when the last byte moved, by the monotonic clock */
    curl_off_t footprint; /* changes when libcurl makes progress */
    enum stop stop;
    char message[CURL_ERROR_SIZE];
};

/* ---- what the server says */

static void drop_headers(struct firn_http_response *response)
{
    for (size_t i = 0; i < response->header_count; i++) {
        free((char *)(uintptr_t)response->headers[i].name);
        free((char *)(uintptr_t)response->headers[i].value);
    }
    response->header_count = 0;
}

void http_response_free(struct firn_http_response *response)
{
    if (response == NULL)
        return;
    drop_headers(response);
    free(response->headers);
    free(response->body);
    free(response);
}

static char *trimmed(const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    return mem_dup(text, length);
}

static void add_header(struct firn_http_response *response, const char *line, const char *colon,
                       size_t length)
{
    char *name = trimmed(line, (size_t)(colon - line));
    for (char *letter = name; *letter != '\0'; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    response->headers =
        mem_resize(response->headers, response->header_count + 1, sizeof(*response->headers));
    response->headers[response->header_count++] = (struct firn_header){
        .name = name,
        .value = trimmed(colon + 1, length - (size_t)(colon + 1 - line)),
    };
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct run *run = context;
    struct firn_http_response *response = run->transfer->response;
    size_t length = size * count;
    if (run->header_bytes == 0) /* the whole of it has no more time than one byte of a body */
        run->active = clock_monotonic();
    run->in_header = length > 2;
    run->header_bytes += length;
    if (run->header_bytes > HEADER_BYTES_LIMIT || response->header_count >= HEADER_COUNT_LIMIT) {
        run->stop = STOP_HEADERS;
        return 0;
    }
    const char *colon = memchr(line, ':', length);
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0)
        drop_headers(response); /* those were of an interim answer, such as 100 Continue */
    else if (colon != NULL && colon > line && run->received == 0 && !isspace((unsigned char)*line))
        add_header(response, line, colon, length);
    return length;
}

static int status_of(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t take_error_body(struct run *run, const char *data, size_t length)
{
    size_t room = ERROR_BODY_LIMIT - run->body.length;
    buf_append(&run->body, data, length < room ? length : room);
    if (length <= room)
        return length;
    run->stop = STOP_ENOUGH;
    return 0;
}

static uint64_t body_limit(const struct firn_http_request *request)
{
    if (request->body_limit != 0)
        return request->body_limit;
    return request->write_body == NULL ? COLLECT_DEFAULT : UINT64_MAX;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct run *run = context;
    size_t length = size * count;
    int status = status_of(run->easy);
    run->active = clock_monotonic();
    if (status < 200 || status > 299)
        return take_error_body(run, data, length);
    run->received += length;
    if (limit_wait(LIMIT_RECEIVE, length) < 0) {
        run->stop = STOP_CANCELLED;
        return 0;
    }
    run->active = clock_monotonic();
    if (run->received > body_limit(run->request)) {
        run->stop = STOP_BODY;
        return 0;
    }
    if (run->request->write_body == NULL) {
        buf_append(&run->body, data, length);
        return length;
    }
    run->transfer->consumed = true;
    if (run->request->write_body(run->request->context, data, length) < 0)
        run->stop = STOP_RECEIVER;
    run->active = clock_monotonic(); /* the receiver may have taken its time */
    return run->stop == STOP_NOT ? length : 0;
}

/* ---- what we say */

static size_t on_read(char *data, size_t size, size_t count, void *context)
{
    struct run *run = context;
    run->transfer->consumed = true;
    uint64_t capacity = size * count, piece = limit_piece(LIMIT_SEND);
    if (piece > 0 && piece < capacity)
        capacity = piece;
    int64_t got = run->request->read_body(run->request->context, data, capacity);
    bool valid = got >= 0 && (uint64_t)got <= capacity;
    if (valid && limit_wait(LIMIT_SEND, (uint64_t)got) < 0) {
        run->stop = STOP_CANCELLED;
        return CURL_READFUNC_ABORT;
    }
    run->active = clock_monotonic();
    if (valid)
        return (size_t)got;
    run->stop = STOP_SENDER;
    return CURL_READFUNC_ABORT;
}

/* A body in memory is handed out like a stream where sending is limited. */
static size_t on_read_memory(char *data, size_t size, size_t count, void *context)
{
    struct run *run = context;
    uint64_t left = run->request->body_length - run->sent, piece = limit_piece(LIMIT_SEND);
    uint64_t length = left < size * count ? left : size * count;
    length = length < piece ? length : piece;
    if (limit_wait(LIMIT_SEND, length) < 0) {
        run->stop = STOP_CANCELLED;
        return CURL_READFUNC_ABORT;
    }
    run->active = clock_monotonic();
    if (length > 0)
        memcpy(data, run->request->body + run->sent, length);
    run->sent += length;
    return length;
}

/* libcurl begins anew when a connection that was kept turns out to be closed. */
static int on_seek_memory(void *context, curl_off_t offset, int origin)
{
    struct run *run = context;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > run->request->body_length)
        return CURL_SEEKFUNC_FAIL;
    run->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool is_token(const char *text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    const char *at = text;
    while (*at != '\0' && (isalnum((unsigned char)*at) || strchr(marks, *at) != NULL))
        at++;
    return at > text && *at == '\0';
}

static bool is_value(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

static void append_line(struct run *run, const char *line)
{
    struct curl_slist *list = curl_slist_append(run->headers, line);
    if (list == NULL)
        abort();
    run->headers = list;
}

static bool has_header(const struct firn_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    return false;
}

static int set_headers(struct run *run, struct firn_error **err)
{
    const struct firn_http_request *request = run->request;
    /* libcurl's own ideas: a form's type for every body, and a second's wait for a server's consent. */
    static const char *const unwanted[] = {"Content-Type", "Expect"};
    for (size_t i = 0; i < array_length(unwanted); i++) {
        auto_free char *line = mem_printf("%s:", unwanted[i]);
        if (!has_header(request, unwanted[i]))
            append_line(run, line);
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const struct firn_header *header = &request->headers[i];
        if (!is_token(header->name) || !is_value(header->value))
            return fail(err, FIRN_INVALID, "header %.40s cannot be sent", header->name);
        bool empty = header->value[strspn(header->value, " \t")] == '\0';
        auto_free char *line = empty ? mem_printf("%s;", header->name)
                                     : mem_printf("%s: %s", header->name, header->value);
        append_line(run, line);
    }
    curl_easy_setopt(run->easy, CURLOPT_HTTPHEADER, run->headers);
    return 0;
}

static int set_method(struct run *run, struct firn_error **err)
{
    const struct firn_http_request *request = run->request;
    CURL *easy = run->easy;
    const char *method = request->method;
    if (!is_token(method))
        return fail(err, FIRN_INVALID, "\"%.20s\" is no HTTP method", method);
    if (request->body_length > INT64_MAX)
        return fail(err, FIRN_INVALID, "a body of %llu bytes is too large",
                    (unsigned long long)request->body_length);
    bool takes_body =
        strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
    if (request->read_body != NULL) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, run);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_length);
    } else if (request->body_length > 0 && limit_piece(LIMIT_SEND) > 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read_memory);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek_memory);
        curl_easy_setopt(easy, CURLOPT_READDATA, run);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, run);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_length);
    } else if (request->body != NULL || takes_body) {
        curl_off_t length = request->body == NULL ? 0 : (curl_off_t)request->body_length;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body == NULL ? "" : request->body);
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    return 0;
}

static const struct http_identity *identity_of(const struct run *run)
{
    return run->transfer->terms == NULL ? NULL : run->transfer->terms->identity;
}

static void set_tls(struct run *run)
{
    const struct firn_http_request *request = run->request;
    CURL *easy = run->easy;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    identity_set_pem(easy, CURLOPT_CAINFO_BLOB, run->transfer->trust, run->transfer->trust_length);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, request->client_cert);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, request->client_key);
}

static int set_identity(struct run *run, struct firn_error **err)
{
    const struct http_identity *identity = identity_of(run);
    auto_free char *host = NULL;
    if (identity == NULL)
        return 0;
    if (identity_apply(identity, run->request->url, run->easy, &run->direction, &host, err) < 0)
        return -1;
    if (host != NULL)
        append_line(run, host);
    return 0;
}

static uint32_t idle_limit(const struct firn_http_request *request)
{
    return request->idle_timeout == 0 ? IDLE_DEFAULT : request->idle_timeout;
}

/* The body is taken as the server has stored it: nothing is uncompressed, so that digests hold. */
static int set_options(struct run *run, struct firn_error **err)
{
    CURL *easy = run->easy;
    long idle = (long)idle_limit(run->request);
    curl_easy_setopt(easy, CURLOPT_URL, run->request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                     1L); /* a cancellation does not wait for the resolver */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    uint64_t piece = limit_piece(LIMIT_RECEIVE);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                     piece > 0 && piece < WIRE_BUFFER ? (long)piece : WIRE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, WIRE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     idle < IDLE_DEFAULT ? idle : (long)IDLE_DEFAULT);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, run->transfer->user_agent);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->message);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, run);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
    set_tls(run);
    if (set_identity(run, err) < 0 || set_method(run, err) < 0)
        return -1;
    return set_headers(run, err);
}

/* ---- the try itself */

static void note_progress(struct run *run)
{
    static const CURLINFO counters[] = {CURLINFO_SIZE_UPLOAD_T, CURLINFO_SIZE_DOWNLOAD_T,
                                        CURLINFO_CONNECT_TIME_T, CURLINFO_APPCONNECT_TIME_T};
    curl_off_t sum = 0;
    for (size_t i = 0; i < array_length(counters); i++) {
        curl_off_t value = 0;
        curl_easy_getinfo(run->easy, counters[i], &value);
        sum += value;
    }
    if (sum != run->footprint)
        run->active = clock_monotonic();
    run->footprint = sum;
}

static enum stop look_around(struct run *run)
{
    const struct http_terms *terms = run->transfer->terms;
    if (cancel_requested())
        return STOP_CANCELLED;
    if (terms != NULL && terms->stopped != NULL && terms->stopped(terms->context))
        return STOP_CALLER;
    note_progress(run);
    return clock_monotonic() - run->active > idle_limit(run->request) ? STOP_IDLE : STOP_NOT;
}

static CURLcode result_of(CURLM *multi)
{
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    return message != NULL && message->msg == CURLMSG_DONE ? message->data.result
                                                           : CURLE_FAILED_INIT;
}

/* CURLE_ABORTED_BY_CALLBACK when it was ended by look_around(). */
static CURLcode drive(struct run *run, CURLM *multi)
{
    int running = 1;
    while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
        enum stop stop = look_around(run);
        if (stop != STOP_NOT) {
            run->stop = stop;
            return CURLE_ABORTED_BY_CALLBACK;
        }
        curl_multi_poll(multi, NULL, 0, POLL_INTERVAL, NULL);
    }
    return result_of(multi);
}

static int explain_stop(struct run *run, struct firn_error **err)
{
    switch (run->stop) {
    case STOP_CANCELLED:
        return cancel_check(err);
    case STOP_CALLER:
        return fail(err, FIRN_CANCELLED, "stopped by the caller");
    case STOP_SENDER:
        return fail(err, FIRN_CANCELLED, "stopped by the sender of the body");
    case STOP_RECEIVER:
        return fail(err, FIRN_CANCELLED, "stopped by the receiver of the body");
    case STOP_IDLE:
        run->transfer->transient = true;
        return fail(err, FIRN_RETRY,
                    run->in_header ? "the answer's header did not end within %u ms"
                                   : "nothing moved for %u ms",
                    idle_limit(run->request));
    case STOP_HEADERS:
        return fail(err, FIRN_CORRUPT, "the answer's header is larger than the %u bytes allowed",
                    HEADER_BYTES_LIMIT);
    default:
        return fail(err, FIRN_CORRUPT, "the answer is longer than the %llu bytes allowed",
                    (unsigned long long)body_limit(run->request));
    }
}

/* What broke on the way: it may work later. */
static int explain_transport(struct run *run, const char *why, struct firn_error **err)
{
    long number = 0;
    char text[128];
    run->transfer->transient = true;
    curl_easy_getinfo(run->easy, CURLINFO_OS_ERRNO, &number);
    if (number == 0)
        return fail(err, FIRN_RETRY, "%s", why);
    return fail(err, FIRN_RETRY, "%s (%s)", why, strerror_r((int)number, text, sizeof(text)));
}

static bool is_http(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static int explain_code(struct run *run, CURLcode code, struct firn_error **err)
{
    const char *why = run->message[0] == '\0' ? curl_easy_strerror(code) : run->message;
    /* libcurl calls an answer that is no HTTP an unsupported protocol, too. */
    if (code == CURLE_UNSUPPORTED_PROTOCOL && is_http(run->request->url))
        code = CURLE_WEIRD_SERVER_REPLY;
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return fail(err, FIRN_INVALID, "%s", why);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return fail(err, FIRN_INVALID, "certificate or key file: %s", why);
    case CURLE_PEER_FAILED_VERIFICATION:
        return fail(
            err, FIRN_DENIED,
            "the server is not trusted: %s (a CA file can be given if it has a CA of its own)",
            why);
    case CURLE_PARTIAL_FILE:
        run->transfer->transient = true;
        return fail(err, FIRN_CORRUPT, "the answer ended early: %s", why);
    case CURLE_OUT_OF_MEMORY: /* libcurl says so of an overlong header line, too */
        return fail(err, FIRN_INTERNAL, "no memory, or an overlong header line");
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return fail(err, FIRN_INTERNAL, "%s", why);
    default:
        return explain_transport(run, why, err);
    }
}

/* Which answers may be others on another try. */
static bool is_transient(int status)
{
    return status == 429 || (status >= 500 && status != 501 && status != 505);
}

static int conclude(struct run *run, CURLcode code, struct firn_error **err)
{
    struct transfer *transfer = run->transfer;
    if (run->stop != STOP_NOT && run->stop != STOP_ENOUGH)
        return explain_stop(run, err);
    if (run->stop != STOP_ENOUGH && code != CURLE_OK)
        return explain_code(run, code, err);
    if (buf_check(&run->body, "answer", err) < 0)
        return -1;
    transfer->response->status = status_of(run->easy);
    transfer->response->body_length = run->body.length;
    transfer->response->body = buf_take(&run->body);
    transfer->transient = is_transient(transfer->response->status);
    curl_off_t seconds = 0;
    curl_easy_getinfo(run->easy, CURLINFO_RETRY_AFTER, &seconds);
    transfer->retry_after = seconds > INT32_MAX ? INT64_MAX : seconds * 1000;
    return 0;
}

int transfer_run(struct transfer *transfer, struct lane *lane, struct firn_error **err)
{
    struct run run = {
        .transfer = transfer,
        .request = transfer->request,
        .easy = lane->easy,
        .body = buf_new(transfer->request->write_body == NULL ? body_limit(transfer->request)
                                                              : ERROR_BODY_LIMIT),
        .active = clock_monotonic(),
    };
    transfer->response = mem_zalloc(sizeof(*transfer->response));
    transfer->retry_after = 0;
    transfer->transient = false;
    int result = set_options(&run, err);
    if (result == 0 && curl_multi_add_handle(lane->multi, lane->easy) != CURLM_OK)
        result = fail(err, FIRN_INTERNAL, "no memory for a transfer");
    if (result == 0) {
        CURLcode code = drive(&run, lane->multi);
        result = conclude(&run, code, err);
        curl_multi_remove_handle(lane->multi, lane->easy);
    }
    if (result < 0) {
        http_response_free(transfer->response);
        transfer->response = NULL;
    }
    curl_easy_setopt(lane->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(run.headers);
    curl_slist_free_all(run.direction);
    buf_free(&run.body);
    return result;
}
