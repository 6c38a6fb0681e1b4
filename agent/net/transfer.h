/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer: one try of an HTTP exchange over a lane. Nothing is repeated here, and nothing
 * followed.
 */
#ifndef NET_TRANSFER_H
#define NET_TRANSFER_H

#include <firn/plugin.h>

#include <stdbool.h>
#include <stddef.h>

struct firn_error;
struct http_terms;
struct lane;

struct transfer {
    const struct firn_http_request *request;
    const struct http_terms *terms; /* NULL: none */
    const char *user_agent;
    const char *trust; /* PEM text of all certificates to trust; NULL: the system's */
    size_t trust_length;

    /* Filled in by transfer_run(): */
    struct firn_http_response *response; /* NULL if no answer came */
    int64_t retry_after;                 /* ms that the answer asks to wait; 0: it does not say */
    bool transient;                      /* it failed, or was answered, in a way that may pass */
    bool consumed; /* a callback of the request was called: another try would begin in the middle */
};

/* 0 when an answer came. Errors as in http.h, without the URL. */
int transfer_run(struct transfer *transfer, struct lane *lane, struct firn_error **err);

#endif
