/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server (libmicrohttpd) for what is asked of a running agent: metrics, health. It answers GET and HEAD; a
 * request's body is never read.
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include <stdint.h>

struct buf;
struct firn_error;
struct server;

struct server_reply {
    int status;       /* 200 if it is left alone */
    const char *type; /* media type; static; "text/plain; charset=utf-8" if it is left alone */
    struct buf *body; /* to be filled, at most SERVER_BODY_MAX bytes */
};

#define SERVER_BODY_MAX (16u * 1024u * 1024u)

/* Answers a request for path ("/metrics", without its query). Called by several threads at a time. */
typedef void server_handler(void *context, const char *path, struct server_reply *reply);

/* address: "HOST:PORT", "[::1]:PORT", or ":PORT" for all addresses; port 0 takes a free one. The handler may be called from
 * now on. CONFLICT: the port is taken; INVALID: not an address of this machine. */
int server_open(const char *address, server_handler *handler, void *context, struct server **out,
                struct firn_error **err);
uint16_t server_port(const struct server *server);
/* Ends the requests in progress. NULL is fine. */
void server_close(struct server *server);

#endif
