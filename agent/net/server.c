/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64u
#define IDLE_SECONDS    30u
#define REQUEST_MEMORY  (32u * 1024u) /* headers of one connection */

struct server {
    struct MHD_Daemon *daemon;
    server_handler *handler;
    void *context;
};

static enum MHD_Result send_reply(struct MHD_Connection *connection, unsigned status,
                                  const char *type, struct buf *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_length, void **state)
{
    static const char plain[] = "text/plain; charset=utf-8";
    const struct server *server = context;
    (void)version;
    (void)upload;
    (void)upload_length;
    (void)state;
    auto_buf struct buf body = buf_new(SERVER_BODY_MAX);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        buf_puts(&body, "only GET and HEAD are answered here\n");
        return send_reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, plain, &body);
    }
    struct server_reply reply = {.status = MHD_HTTP_OK, .type = plain, .body = &body};
    server->handler(server->context, path, &reply);
    if (body.overflowed) {
        buf_reset(&body);
        buf_puts(&body, "the answer is too long\n");
        return send_reply(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, plain, &body);
    }
    return send_reply(connection, (unsigned)reply.status, reply.type, &body);
}

/* The last ':' parts host and port; brackets around an IPv6 address go. */
static int resolve(const char *address, struct addrinfo **out, struct firn_error **err)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0')
        return fail(err, FIRN_INVALID, "listen on \"%s\": HOST:PORT or :PORT is expected", address);
    auto_free char *host = mem_dup(address, (size_t)(colon - address));
    char *name = host;
    size_t length = strlen(name);
    if (length > 1 && name[0] == '[' && name[length - 1] == ']') {
        name[length - 1] = '\0';
        name++;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_family = AF_UNSPEC};
    int code = getaddrinfo(*name != '\0' ? name : NULL, colon + 1, &hints, out);
    if (code != 0)
        return fail(err, FIRN_INVALID, "listen on %s: %s", address, gai_strerror(code));
    return 0;
}

/* A socket that listens on one of the addresses; errno of the last one that failed otherwise. */
static int listen_on(const struct addrinfo *addresses)
{
    int kept = EADDRNOTAVAIL;
    for (const struct addrinfo *each = addresses; each != NULL; each = each->ai_next) {
        int fd = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
            bind(fd, each->ai_addr, each->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
            return fd;
        kept = errno;
        if (fd >= 0)
            close(fd);
    }
    errno = kept;
    return -1;
}

int server_open(const char *address, server_handler *handler, void *context, struct server **out,
                struct firn_error **err)
{
    struct addrinfo *addresses;
    if (resolve(address, &addresses, err) < 0)
        return -1;
    int fd = listen_on(addresses);
    int reason = errno;
    freeaddrinfo(addresses);
    if (fd < 0)
        return fail(err, reason == EADDRINUSE ? FIRN_CONFLICT : FIRN_INVALID, "listen on %s: %s",
                    address, strerror(reason));
    struct server *server = mem_zalloc(sizeof(*server));
    server->handler = handler;
    server->context = context;
    server->daemon = MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, answer, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY, MHD_OPTION_END);
    if (server->daemon == NULL) {
        close(fd);
        free(server);
        return fail(err, FIRN_INTERNAL, "listen on %s: the server does not start", address);
    }
    *out = server;
    return 0;
}

uint16_t server_port(const struct server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info != NULL ? info->port : 0;
}

void server_close(struct server *server)
{
    if (server == NULL)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}
