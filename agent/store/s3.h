/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 store: objects of a bucket, over HTTPS. What s3.c (the operations), s3_writer.c and s3_exchange.c share.
 *
 *     put      HEAD, then PUT with If-None-Match: a name that is taken is CONFLICT
 *     writer   gathers the object in memory, then one PUT: packs have random names, so nothing is asked before
 *     get      one GET of a range, straight into the caller's memory
 *     list     ListObjectsV2, a thousand keys a page; ListObjectVersions where there are versions (s3_versions.h)
 *
 * A PUT that was answered is durable; there is nothing to flush. A PUT is whole or not at all: its hash is signed, and the
 * server compares.
 */
#ifndef STORE_S3_H
#define STORE_S3_H

#include "credentials.h"
#include "lock.h"
#include "s3_location.h"
#include "s3_xml.h"
#include "sigv4.h"
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

struct http_client;
struct firn_http_response;

struct s3 {
    struct store base;
    struct http_client *http;
    struct s3_location location;
    atomic_llong skew;  /* ms that the server's clock is ahead of ours */
    atomic_llong ahead; /* that its clock is ahead of our monotonic one, by its last answer */
    atomic_bool unconditional;  /* the server does not implement If-None-Match */
    atomic_bool versioned;      /* the bucket keeps versions: seen in an answer */
    atomic_bool lists_versions; /* … and lists them for these credentials */
    atomic_bool warned;         /* that it does not */
    struct lock_rule lock;      /* of what is put; does not change while there are threads */
    int64_t lock_since;         /* the moment that it counts from; 0: the present */
    struct s3_pins *pins;       /* s3_versions.h */
    pthread_mutex_t mutex;      /* guards what follows */
    pthread_cond_t renewed;     /* renewing has ended */
    bool renewing;              /* somebody asks for other credentials */
    int64_t renew_at;           /* by the monotonic clock; 0: when the server says so */
    struct credentials credentials;
    char *region;
};

struct s3_request {
    const char *method;
    const char *name; /* of the object; NULL: the bucket */
    const struct sigv4_parameter *query;
    size_t query_count;
    const struct firn_header *headers; /* besides those that every request has */
    size_t header_count;
    const void *body;
    size_t body_length;
    const char *payload; /* SHA-256 of body in hex; NULL: there is no body */
    uint8_t *into;       /* where the body of the answer goes; NULL: it is collected */
    size_t into_length;
};

struct s3_answer {
    struct firn_http_response *response; /* of a success; the caller's */
    size_t received;                     /* into `into` */
    struct s3_fault fault;               /* of a failure, if the server said */
};

/* Opens the bucket: asks for one key, so that wrong credentials, bucket or region are told at once. */
int s3_open(const char *location, struct store **out, struct firn_error **err);

/* One request until it succeeds, signed anew for each try. 0: answered with 2xx. Errors as in store.h. */
int s3_exchange(struct s3 *s3, const struct s3_request *request, struct s3_answer *answer,
                struct firn_error **err);
/* A header that holds a time, in ms since 1970; 0 if there is none. */
int64_t s3_header_time(const struct firn_http_response *response, const char *name);
/* ms since 1970 by the server's clock, as its last answer told. */
int64_t s3_clock(const struct s3 *s3);
void s3_answer_free(struct s3_answer *answer);
#define auto_answer __attribute__((cleanup(s3_answer_free)))

/* s3_credentials.c: the first ones. Errors as credentials_load(). */
int s3_credentials_begin(struct s3 *s3, struct firn_error **err);
/* A copy of those in use, renewed if it is time. */
void s3_credentials_take(struct s3 *s3, struct credentials *out);
/* The server does not take those any more: whether there are others now. */
bool s3_credentials_renew(struct s3 *s3, const struct credentials *used);

int s3_writer_open(struct store *store, const char *name, struct store_writer **out,
                   struct firn_error **err);

#endif
