/* SPDX-License-Identifier: Apache-2.0 */
/* The server, asked by the client over loopback. */
#include "unit/unit.h"

#include "core/buf.h"
#include "net/http.h"
#include "net/server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static void handle(void *context, const char *path, struct server_reply *reply)
{
    (void)context;
    if (strcmp(path, "/metrics") == 0) {
        reply->type = "text/plain; version=0.0.4";
        buf_puts(reply->body, "up 1\n");
    } else if (strcmp(path, "/long") == 0) {
        for (unsigned i = 0; i <= SERVER_BODY_MAX / 1024; i++)
            buf_printf(reply->body, "%1024u", i);
    } else {
        reply->status = 404;
        buf_printf(reply->body, "no %s\n", path);
    }
}

static struct server *open_server(void)
{
    struct server *server = NULL;
    expect_ok(server_open("127.0.0.1:0", handle, NULL, &server, err));
    return server;
}

static void expect_answer(struct http_client *client, const struct server *server,
                          const char *method, const char *path, int status, const char *body)
{
    auto_free char *url = mem_printf("http://127.0.0.1:%u%s", server_port(server), path);
    struct firn_http_request request = {
        .size = sizeof(request), .method = method, .url = url, .body_limit = 1 << 20};
    struct firn_http_response *response = NULL;
    expect_ok(http_exchange(client, &request, &response, err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(response);
    CU_ASSERT_EQUAL(response->status, status);
    CU_ASSERT_EQUAL(response->body_length, strlen(body));
    CU_ASSERT_EQUAL(memcmp(response->body, body, strlen(body)), 0);
    http_response_free(response);
}

static void test_answers(void)
{
    struct server *server = open_server();
    struct http_client *client = http_client_new("test");
    expect_answer(client, server, "GET", "/metrics?a=b", 200, "up 1\n");
    expect_answer(client, server, "GET", "/other", 404, "no /other\n");
    expect_answer(client, server, "DELETE", "/metrics", 405,
                  "only GET and HEAD are answered here\n");
    http_client_free(client);
    server_close(server);
}

static void test_addresses(void)
{
    struct server *server = open_server(), *second = NULL;
    auto_free char *taken = mem_printf("127.0.0.1:%u", server_port(server));
    expect_error(FIRN_CONFLICT, server_open(taken, handle, NULL, &second, err));
    expect_error(FIRN_INVALID, server_open("192.0.2.1:0", handle, NULL, &second, err));
    expect_error(FIRN_INVALID, server_open("127.0.0.1", handle, NULL, &second, err));
    expect_error(FIRN_INVALID, server_open("127.0.0.1:", handle, NULL, &second, err));
    expect_error(FIRN_INVALID, server_open("127.0.0.1:http", handle, NULL, &second, err));
    expect_ok(server_open("[::1]:0", handle, NULL, &second, err));
    server_close(second);
    expect_ok(server_open(":0", handle, NULL, &second, err));
    server_close(second);
    server_close(server);
}

/* Clients that say nothing keep nobody from being answered, nor the server from being closed. */
static void test_silent(void)
{
    struct server *server = open_server();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server_port(server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fds[20];
    for (size_t i = 0; i < array_length(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CU_ASSERT_EQUAL(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
        CU_ASSERT_EQUAL(write(fds[i], "GET /me", 7), 7);
    }
    struct http_client *client = http_client_new("test");
    expect_answer(client, server, "GET", "/metrics", 200, "up 1\n");
    http_client_free(client);
    server_close(server);
    for (size_t i = 0; i < array_length(fds); i++)
        close(fds[i]);
}

static void test_long(void)
{
    struct server *server = open_server();
    struct http_client *client = http_client_new("test");
    expect_answer(client, server, "GET", "/long", 500, "the answer is too long\n");
    http_client_free(client);
    server_close(server);
}

static const struct unit_test tests[] = {
    {"answers", test_answers},
    {"addresses", test_addresses},
    {"silent clients", test_silent},
    {"an answer that is too long", test_long},
};

int main(void)
{
    return unit_run("server", tests, array_length(tests));
}
