/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket (RFC 6455), as a client: a message stream both ways over one connection, with TLS, proxies and credentials like any
 * other request. libcurl makes the connection, and encrypts; handshake and framing are here, because the libcurl of stable
 * distributions is built without them. One thread at a time.
 */
#ifndef NET_WEBSOCKET_H
#define NET_WEBSOCKET_H

#include <firn/plugin.h>

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct firn_http_response;
struct http_terms;
struct websocket;

/* request: url (https:// or http://), headers and idle_timeout count; terms must outlive the socket. subprotocol: the one that
 * both are to speak. *refusal: the answer, if there was one and it was not 101; the caller's. Errors as http.h. */
int websocket_open(const struct firn_http_request *request, const struct http_terms *terms,
                   const char *subprotocol, struct websocket **out,
                   struct firn_http_response **refusal, struct firn_error **err);
void websocket_free(struct websocket *socket); /* says good-bye if it can; NULL is fine */
/* One binary message. */
int websocket_send(struct websocket *socket, const void *data, size_t length,
                   struct firn_error **err);
/* 1: a message, text or binary, put together from its fragments; 0: the other side has closed; -1: error. *data is borrowed
 * until the next call; at most 1 MiB (CORRUPT). Pings are answered. */
int websocket_receive(struct websocket *socket, const void **data, size_t *length,
                      struct firn_error **err);

#endif
