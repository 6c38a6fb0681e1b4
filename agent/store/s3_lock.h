/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object Lock: retention and legal holds of objects in S3, and what a bucket can do. Source: Amazon S3 API Reference,
 * PutObject, HeadObject, PutObjectRetention, PutObjectLegalHold, GetObjectLockConfiguration.
 */
#ifndef STORE_S3_LOCK_H
#define STORE_S3_LOCK_H

#include <firn/plugin.h>

#include "store.h"

#include <stddef.h>

struct firn_error;
struct s3;

#define S3_LOCK_HEADERS    3u
#define S3_CHECKSUM_LENGTH 48u

/* A SHA-256 in hex as the header x-amz-checksum-sha256 has it. */
void s3_checksum(const char *payload, char out[S3_CHECKSUM_LENGTH]);

/* What the headers point to. */
struct s3_lock_headers {
    char until[32];
    char checksum[S3_CHECKSUM_LENGTH];
};

/* The headers of a PUT: its checksum, and the lock by the store's rule, if there is one. payload: SHA-256 of the body in hex,
 * which AWS wants to see once more where objects get locked, also by a rule of the bucket; NULL: there is no body. Returns how
 * many of at most S3_LOCK_HEADERS there are. */
size_t s3_lock_headers(struct s3 *s3, const char *name, const char *payload,
                       struct s3_lock_headers *out, struct firn_header *headers);
/* If *err is DENIED because that version is locked or held: says so. Returns -1. */
int s3_lock_explain(struct s3 *s3, const char *name, const char *version, struct firn_error **err);

/* The operations of the store. */
int s3_probe(struct store *store, const char *name, struct store_abilities *out,
             struct firn_error **err);
int s3_can_lock(struct store *store, struct firn_error **err);
void s3_set_lock_rule(struct store *store, const struct lock_rule *rule, int64_t since);
int s3_lock_read(struct store *store, const char *name, struct store_lock *out,
                 struct firn_error **err);
int s3_lock_extend(struct store *store, const char *name, enum store_lock_mode mode, int64_t until,
                   struct firn_error **err);
int s3_hold(struct store *store, const char *name, struct firn_error **err);
int s3_release(struct store *store, const char *name, struct firn_error **err);

#endif
