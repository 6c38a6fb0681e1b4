/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames (RFC 6455, section 5.2). What we send is masked, what we get is not:
 *
 *     FIN . . . OPCODE | MASK LENGTH7 | [LENGTH16 or LENGTH64] | [MASKING KEY] | payload
 */
#include "websocket.h"

#include "backoff.h"
#include "http.h"
#include "identity.h"
#include "url.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define MESSAGE_LIMIT (1u << 20)
#define HEAD_LIMIT    65536u
#define POLL_INTERVAL 200
#define IDLE_DEFAULT  60000
#define CONTROL_MOST  125u
#define GUID          "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct websocket {
    CURL *easy;
    struct curl_slist *direction;
    const struct http_terms *terms;
    uint32_t idle_timeout;
    struct buf input;   /* bytes that came and were not yet used */
    struct buf message; /* the message being put together */
    bool closed;        /* the other side has said good-bye */
    bool open;
    char error[CURL_ERROR_SIZE];
};

static int look_around(const struct websocket *socket, struct firn_error **err)
{
    const struct http_terms *terms = socket->terms;
    if (terms != NULL && terms->stopped != NULL && terms->stopped(terms->context))
        return fail(err, FIRN_CANCELLED, "stopped by the caller");
    return cancel_check(err);
}

/* ---- bytes */

/* Until the connection can be read from, or written to; or for POLL_INTERVAL. */
static void wait_ready(const struct websocket *socket, short events)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(socket->easy, CURLINFO_ACTIVESOCKET, &fd);
    struct pollfd wait = {.fd = fd, .events = events};
    poll(&wait, 1, POLL_INTERVAL);
}

static int send_all(struct websocket *socket, const void *data, size_t length,
                    struct firn_error **err)
{
    const char *rest = data;
    int64_t active = clock_monotonic();
    while (length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(socket->easy, rest, length, &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
            return fail(err, FIRN_RETRY, "%s", curl_easy_strerror(code));
        if (look_around(socket, err) < 0)
            return -1;
        if (sent == 0) {
            if (clock_monotonic() - active > socket->idle_timeout)
                return fail(err, FIRN_RETRY, "nothing moved for %u ms", socket->idle_timeout);
            wait_ready(socket, POLLOUT);
            continue;
        }
        active = clock_monotonic();
        rest += sent;
        length -= sent;
    }
    return 0;
}

/* More bytes into the input. 1: some; 0: the connection has ended. */
static int receive_some(struct websocket *socket, struct firn_error **err)
{
    char piece[16384];
    int64_t active = clock_monotonic();
    for (;;) {
        size_t got = 0;
        CURLcode code = curl_easy_recv(socket->easy, piece, sizeof(piece), &got);
        if (code == CURLE_OK && got == 0)
            return 0;
        if (code == CURLE_OK) {
            buf_append(&socket->input, piece, got);
            return buf_check(&socket->input, "WebSocket", err) < 0 ? -1 : 1;
        }
        if (code != CURLE_AGAIN)
            return fail(err, FIRN_RETRY, "%s", curl_easy_strerror(code));
        if (look_around(socket, err) < 0)
            return -1;
        if (clock_monotonic() - active > socket->idle_timeout)
            return fail(err, FIRN_RETRY, "nothing moved for %u ms", socket->idle_timeout);
        wait_ready(socket, POLLIN);
    }
}

static void consume(struct websocket *socket, size_t length)
{
    struct buf *input = &socket->input;
    memmove(input->data, input->data + length, input->length - length);
    input->length -= length;
    input->data[input->length] = '\0';
}

/* ---- the handshake (section 4.1) */

static char *accept_key(const char *key)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    auto_free char *text = mem_printf("%s" GUID, key);
    auto_buf struct buf out = buf_new(256);
    EVP_Digest(text, strlen(text), digest, &length, EVP_sha1(), NULL);
    base64_encode(&out, digest, length);
    return buf_take(&out);
}

static int send_head(struct websocket *socket, const struct firn_http_request *request,
                     const char *subprotocol, const char *key, struct firn_error **err)
{
    auto_url struct url url;
    auto_buf struct buf head = buf_new(HEAD_LIMIT);
    if (url_parse(request->url, &url, err) < 0)
        return -1;
    buf_printf(&head, "GET %s%s%s HTTP/1.1\r\nHost: %s%s%s\r\n", url.path,
               url.query == NULL ? "" : "?", url.query == NULL ? "" : url.query, url.host,
               url.port == NULL ? "" : ":", url.port == NULL ? "" : url.port);
    buf_printf(&head,
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n",
               key, subprotocol);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct firn_header *header = &request->headers[i];
        if (strpbrk(header->name, "\r\n:") != NULL || strpbrk(header->value, "\r\n") != NULL)
            return fail(err, FIRN_INVALID, "header %.40s cannot be sent", header->name);
        buf_printf(&head, "%s: %s\r\n", header->name, header->value);
    }
    buf_puts(&head, "\r\n");
    if (buf_check(&head, "header of a request", err) < 0)
        return -1;
    return send_all(socket, head.data, head.length, err);
}

/* Copies the header's value; NULL if it is not there. `head` is NUL-terminated and ends with an empty line. */
static char *find_header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        const char *value = line + length + 1;
        value += strspn(value, " \t");
        size_t end = strcspn(value, "\r\n");
        while (end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'))
            end--;
        return mem_dup(value, end);
    }
    return NULL;
}

/* The body of a refusal, as far as it comes: the API server says its length. */
static void take_refusal(struct websocket *socket, const char *head, int status,
                         struct firn_http_response **refusal)
{
    auto_free char *text = find_header(head, "content-length");
    unsigned long long length = text == NULL ? 0 : strtoull(text, NULL, 10);
    struct firn_http_response *response = mem_zalloc(sizeof(*response));
    while (socket->input.length < length && length < HEAD_LIMIT && receive_some(socket, NULL) == 1)
        ;
    response->status = status;
    response->body_length = socket->input.length;
    response->body = mem_dup(buf_text(&socket->input), socket->input.length);
    *refusal = response;
}

static int receive_head(struct websocket *socket, char **head, int *status, struct firn_error **err)
{
    const char *end = NULL;
    while ((end = strstr(buf_text(&socket->input), "\r\n\r\n")) == NULL) {
        int result = receive_some(socket, err);
        if (result == 0)
            return fail(err, FIRN_RETRY, "the server hung up before it answered");
        if (result < 0)
            return -1;
        if (socket->input.length > HEAD_LIMIT)
            return fail(err, FIRN_CORRUPT, "the answer's header is too large");
    }
    size_t length = (size_t)(end - socket->input.data) + 4;
    *head = mem_dup(socket->input.data, length);
    consume(socket, length);
    if (sscanf(*head, "HTTP/1.%*1[01] %3d", status) != 1)
        return fail(err, FIRN_CORRUPT, "the answer is no HTTP");
    return 0;
}

static int shake_hands(struct websocket *socket, const struct firn_http_request *request,
                       const char *subprotocol, struct firn_http_response **refusal,
                       struct firn_error **err)
{
    unsigned char random[16];
    auto_buf struct buf key = buf_new(64);
    auto_free char *head = NULL;
    int status = 0;
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return fail_errno(err, "random bytes");
    base64_encode(&key, random, sizeof(random));
    if (send_head(socket, request, subprotocol, buf_text(&key), err) < 0 ||
        receive_head(socket, &head, &status, err) < 0)
        return -1;
    if (status != 101) {
        take_refusal(socket, head, status, refusal);
        return fail(err, FIRN_INTERNAL, "the server answered %d", status);
    }
    auto_free char *wanted = accept_key(buf_text(&key));
    auto_free char *accepted = find_header(head, "sec-websocket-accept");
    auto_free char *spoken = find_header(head, "sec-websocket-protocol");
    if (accepted == NULL || strcmp(accepted, wanted) != 0)
        return fail(err, FIRN_CORRUPT, "the server does not speak WebSocket");
    if (spoken == NULL || strcmp(spoken, subprotocol) != 0)
        return fail(err, FIRN_INVALID, "the server does not speak %s", subprotocol);
    socket->open = true;
    return 0;
}

/* ---- life */

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return look_around(context, NULL) < 0 ? 1 : 0;
}

static int connect_to(struct websocket *socket, const struct firn_http_request *request,
                      struct firn_error **err)
{
    CURL *easy = socket->easy;
    auto_free char *host = NULL;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)IDLE_DEFAULT);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, socket->error);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, socket);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (socket->terms != NULL && socket->terms->identity != NULL &&
        identity_apply(socket->terms->identity, request->url, easy, &socket->direction, &host,
                       err) < 0)
        return -1;
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        return 0;
    if (look_around(socket, err) < 0)
        return -1;
    return fail(err, code == CURLE_PEER_FAILED_VERIFICATION ? FIRN_DENIED : FIRN_RETRY, "%s",
                socket->error[0] == '\0' ? curl_easy_strerror(code) : socket->error);
}

int websocket_open(const struct firn_http_request *request, const struct http_terms *terms,
                   const char *subprotocol, struct websocket **out,
                   struct firn_http_response **refusal, struct firn_error **err)
{
    struct websocket *socket = mem_zalloc(sizeof(*socket));
    socket->terms = terms;
    socket->idle_timeout = request->idle_timeout == 0 ? IDLE_DEFAULT : request->idle_timeout;
    socket->input = buf_new(2 * MESSAGE_LIMIT);
    socket->message = buf_new(MESSAGE_LIMIT);
    socket->easy = curl_easy_init();
    *refusal = NULL;
    int result = 0;
    if (socket->easy == NULL)
        result = fail(err, FIRN_INTERNAL, "no memory for a connection");
    if (result == 0)
        result = connect_to(socket, request, err);
    if (result == 0)
        result = shake_hands(socket, request, subprotocol, refusal, err);
    if (result < 0) {
        websocket_free(socket);
        return -1;
    }
    *out = socket;
    return 0;
}

static int send_frame(struct websocket *socket, enum opcode opcode, const void *data, size_t length,
                      struct firn_error **err);

void websocket_free(struct websocket *socket)
{
    static const unsigned char normal[] = {0x03, 0xe8}; /* 1000 */
    if (socket == NULL)
        return;
    if (socket->open && !socket->closed)
        send_frame(socket, CLOSE, normal, sizeof(normal), NULL);
    curl_easy_cleanup(socket->easy);
    curl_slist_free_all(socket->direction);
    buf_free(&socket->input);
    buf_free(&socket->message);
    free(socket);
}

/* ---- frames */

static int send_frame(struct websocket *socket, enum opcode opcode, const void *data, size_t length,
                      struct firn_error **err)
{
    unsigned char mask[4];
    auto_buf struct buf frame = buf_new(length + 16);
    if (getrandom(mask, sizeof(mask), 0) != sizeof(mask))
        return fail_errno(err, "random bytes");
    buf_putc(&frame, (char)(0x80 | opcode));
    if (length < 126) {
        buf_putc(&frame, (char)(0x80 | length));
    } else {
        int width = length < 65536 ? 2 : 8;
        buf_putc(&frame, (char)(width == 2 ? 0xfe : 0xff));
        for (int i = width - 1; i >= 0; i--)
            buf_putc(&frame, (char)((uint64_t)length >> (8 * i) & 0xff));
    }
    buf_append(&frame, mask, sizeof(mask));
    size_t start = frame.length;
    buf_append(&frame, data, length);
    if (buf_check(&frame, "WebSocket", err) < 0)
        return -1;
    for (size_t i = 0; i < length; i++)
        frame.data[start + i] = (char)((unsigned char)frame.data[start + i] ^ mask[i % 4]);
    return send_all(socket, frame.data, frame.length, err);
}

int websocket_send(struct websocket *socket, const void *data, size_t length,
                   struct firn_error **err)
{
    return send_frame(socket, BINARY, data, length, err);
}

struct frame {
    enum opcode opcode;
    bool last;
    size_t head; /* bytes before the payload */
    size_t length;
};

/* 1: a whole frame lies in the input; 0: not yet. */
static int parse_frame(const struct websocket *socket, struct frame *out, struct firn_error **err)
{
    const unsigned char *data = (const unsigned char *)buf_text(&socket->input);
    size_t there = socket->input.length;
    if (there < 2)
        return 0;
    unsigned width = (data[1] & 0x7f) == 126 ? 2 : (data[1] & 0x7f) == 127 ? 8 : 0;
    uint64_t length = width == 0 ? data[1] & 0x7f : 0;
    if (there < 2 + width)
        return 0;
    for (unsigned i = 0; i < width; i++)
        length = length << 8 | data[2 + i];
    *out = (struct frame){
        .opcode = data[0] & 0x0f, .last = data[0] & 0x80, .head = 2 + width, .length = length};
    bool control = out->opcode >= CLOSE;
    if ((data[0] & 0x70) != 0 || (data[1] & 0x80) != 0 || length > MESSAGE_LIMIT ||
        (control && (length > CONTROL_MOST || !out->last)))
        return fail(err, FIRN_CORRUPT, "a frame of WebSocket is wrong, or larger than 1 MiB");
    return there >= out->head + length;
}

/* 1: the message is whole; 0: go on; -1: error. */
static int take_frame(struct websocket *socket, const struct frame *frame, struct firn_error **err)
{
    const char *payload = buf_text(&socket->input) + frame->head;
    int result = 0;
    switch (frame->opcode) {
    case CONTINUATION:
    case TEXT:
    case BINARY:
        buf_append(&socket->message, payload, frame->length);
        result = buf_check(&socket->message, "message", err) < 0 ? -1 : frame->last;
        break;
    case CLOSE:
        socket->closed = true;
        break;
    case PING:
        result = send_frame(socket, PONG, payload, frame->length, err);
        break;
    case PONG:
        break;
    default:
        result = fail(err, FIRN_CORRUPT, "a frame of WebSocket of an unknown kind");
    }
    consume(socket, frame->head + frame->length);
    return result;
}

int websocket_receive(struct websocket *socket, const void **data, size_t *length,
                      struct firn_error **err)
{
    buf_reset(&socket->message);
    for (;;) {
        struct frame frame;
        int whole = parse_frame(socket, &frame, err);
        if (whole < 0)
            return -1;
        if (whole == 1) {
            int result = take_frame(socket, &frame, err);
            if (result < 0)
                return -1;
            if (socket->closed)
                return 0;
            if (result == 1) {
                *data = buf_text(&socket->message);
                *length = socket->message.length;
                return 1;
            }
            continue;
        }
        int more = receive_some(socket, err);
        if (more <= 0) {
            socket->closed = true;
            return more;
        }
    }
}
