/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport: one HTTP exchange with a registry, its token service or its object storage, made safe
 * against all three.
 *
 *  - Only https, or http to loopback, or http when the user asked for it.
 *  - Redirects of GET and HEAD are followed, ten at most. Authorization and client certificates go
 *    to the origin that they were meant for, and to nobody that it redirects to.
 *  - What is collected has a limit; a transfer that only trickles is given up.
 */
#ifndef IMAGESTREAM_TRANSPORT_H
#define IMAGESTREAM_TRANSPORT_H

#include <firn/plugin.h>

#include <stdbool.h>

struct firn_error;

/* The code of an error whose reason the host knows better: no answer came, and host->http() kept
 * why. Whoever ends the operation with it says nothing, so that the host's reason is shown. */
#define FIRN_UNSAID ((enum firn_code)64)

struct transport {
    const struct firn_host *host;
    bool plain_http;
    char *ca_file;         /* of the user; NULL: what certs.d has for the host */
    int64_t stall_timeout; /* ms */
};

struct call {
    const char *method;
    const char *url;
    const char *authorization; /* header's value, or NULL */
    const char *accept;
    const char *content_type;
    const char *range;         /* "bytes=5-" */
    const char *content_range; /* "0-99", as distribution-spec wants it */
    const char *body;
    uint64_t body_length;
    int64_t (*read_body)(void *context, void *data, size_t capacity);
    int (*write_body)(void *context, const void *data, size_t length); /* NULL: collected */
    void *context;
    uint64_t body_limit; /* of what is collected; 0: 1 MiB */
};

struct answer {
    const struct firn_host *host;
    struct firn_http_response *response;
    int status;
    char *body; /* never NULL, NUL-terminated */
    size_t body_length;
    char *url; /* that answered, after redirects */
};
#define auto_answer __attribute__((cleanup(answer_free)))

/* 0 when an answer came, whatever its status; FIRN_UNSAID when none came. (A redirect is an answer
 * for other methods than GET and HEAD.) Calls whose body is in memory and whose answer is collected
 * are repeated after failures; streaming ones are not. Thread-safe. */
int transport_exchange(const struct transport *transport, const struct call *call,
                       struct answer *out, struct firn_error **err);
void answer_free(struct answer *answer);
/* The first header of that name (lower case), or NULL. Borrowed. */
const char *answer_header(const struct answer *answer, const char *name);
/* An error made from an answer that was not the hoped-for one: code by status, text by the
 * registry, made printable. */
int answer_fail(const struct answer *answer, const char *what, struct firn_error **err);

#endif
