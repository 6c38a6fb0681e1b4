/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: pooled libcurl. One client holds the connections, the DNS and TLS session caches; any
 * thread may use it. TLS is always verified. Redirects are never followed here: the caller sees the
 * 3xx and decides what to send where. The meaning of a request and a response is that of
 * <firn/plugin.h> (struct firn_http_request), which this module implements.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <firn/plugin.h>

#include <stdbool.h>

struct firn_error;
struct http_client;

/* The process ignores SIGPIPE from now on, unless it handles it: a peer that hangs up is an error, not its end. */
struct http_client *http_client_new(const char *user_agent);
void http_client_free(struct http_client *client); /* NULL is fine */

/* One exchange, retries included. 0 when an answer came, whatever its status. Errors: RETRY
 * (transport, after the last retry), DENIED (TLS verification: the message names host and reason),
 * CORRUPT (a body longer than body_limit or shorter than Content-Length), CANCELLED (core/cancel.h,
 * or a callback returned -1), INVALID (URL). *out: free with http_response_free(). */
int http_exchange(struct http_client *client, const struct firn_http_request *request,
                  struct firn_http_response **out, struct firn_error **err);
void http_response_free(struct firn_http_response *response); /* NULL is fine */
/* The first header of that name (lower case), or NULL. Borrowed. */
const char *http_header(const struct firn_http_response *response, const char *name);

#endif
