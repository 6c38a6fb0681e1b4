/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: pooled libcurl. One client holds the connections, the DNS and TLS session caches; any
 * thread may use it. TLS is verified, unless an identity says otherwise. Redirects are never followed here: the caller sees the
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

/* Who a request comes from and whom it trusts, where files are not the way to say it. All borrowed. */
struct http_identity {
    uint64_t serial;         /* differs between any two identities of a process */
    const char *trust;       /* PEM text: trusted in place of the system's; NULL: the system's */
    const char *certificate; /* PEM text, or NULL: no client certificate */
    const char *key;
    const char
        *server_name;  /* whom the server's certificate must name; NULL: the host of the URL */
    const char *proxy; /* URL of a proxy; NULL: as the environment says */
    bool unverified;   /* whoever answers is taken for the server: the user asked for it */
};

/* What an exchange may have besides its request. */
struct http_terms {
    const struct http_identity *identity; /* NULL: none but the request's files */
    /* Looked at several times a second: true ends the exchange with CANCELLED. NULL: nobody asks. */
    bool (*stopped)(void *context);
    void *context;
};

/* One exchange, retries included. 0 when an answer came, whatever its status. Errors: RETRY
 * (transport, after the last retry), DENIED (TLS verification: the message names host and reason),
 * CORRUPT (a body longer than body_limit or shorter than Content-Length), CANCELLED (core/cancel.h,
 * or a callback returned -1), INVALID (URL). *out: free with http_response_free(). */
int http_exchange(struct http_client *client, const struct firn_http_request *request,
                  struct firn_http_response **out, struct firn_error **err);
/* The same on other terms; NULL: none. */
int http_exchange_on(struct http_client *client, const struct firn_http_request *request,
                     const struct http_terms *terms, struct firn_http_response **out,
                     struct firn_error **err);
void http_response_free(struct firn_http_response *response); /* NULL is fine */
/* The first header of that name (lower case), or NULL. Borrowed. */
const char *http_header(const struct firn_http_response *response, const char *name);

#endif
