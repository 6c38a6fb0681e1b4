/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4: the Authorization header of a request to S3 or STS.
 * Source: AWS General Reference, "Create a signed AWS API request"; tested against its vectors.
 *
 * What is signed is what goes over the wire: path and query come in as they are sent, so that
 * nothing is encoded twice in two ways.
 */
#ifndef STORE_SIGV4_H
#define STORE_SIGV4_H

#include <firn/plugin.h>

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct buf;

struct sigv4_scope {
    const char *access_key;
    const char *secret_key;
    const char *region;
    const char *service;
};

struct sigv4_parameter {
    const char *name;
    const char *value;
};

struct sigv4_request {
    const char *method;
    const char *path;  /* percent-encoded */
    const char *query; /* as sigv4_query() makes it; "" if there is none */
    const struct firn_header
        *headers; /* all of them are signed; `host` must be there; each name once */
    size_t header_count;
    const char *payload; /* SHA-256 of the body, in hex */
};

#define SIGV4_HEADERS_MAX    16u
#define SIGV4_PARAMETERS_MAX 16u
#define SIGV4_TIME_LENGTH    17 /* "20130524T000000Z" and a NUL */
#define SIGV4_HASH_LENGTH    65 /* hex and a NUL */

void sigv4_time(int64_t time, char out[SIGV4_TIME_LENGTH]);
int sigv4_hash(const void *data, size_t length, char out[SIGV4_HASH_LENGTH],
               struct firn_error **err);
/* Appends the parameters encoded and in canonical order: what stands behind the "?". */
void sigv4_query(struct buf *out, const struct sigv4_parameter *parameters, size_t count);
/* Appends the value of the header Authorization. time: what the header x-amz-date says. */
int sigv4_authorization(const struct sigv4_scope *scope, const struct sigv4_request *request,
                        const char *time, struct buf *out, struct firn_error **err);

#endif
