/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of contents as OCI spells them (image-spec, descriptor.md): "sha256:" and 64 hex digits,
 * or "sha512:" and 128. Both are computed by OpenSSL.
 */
#ifndef IMAGESTREAM_DIGEST_H
#define IMAGESTREAM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

struct firn_error;

/* A well-formed digest of a known algorithm, lower-case hex. Anything else may hold what does not
 * belong in a path. */
bool digest_valid(const char *text);
/* The digest of data by the algorithm of `like` (a valid digest, or NULL: sha256): a new string. */
char *digest_of(const char *like, const void *data, size_t length);
/* -1 with CORRUPT unless data has that (valid) digest; `what` names the data. */
int digest_check(const char *digest, const void *data, size_t length, const char *what,
                 struct firn_error **err);

/* Checks bytes that come piece by piece. */
struct digest_run;
struct digest_run *digest_run_new(const char *digest); /* a valid digest, borrowed */
void digest_run_add(struct digest_run *run, const void *data, size_t length);
/* Whether all that was added has the digest. To be asked once. */
bool digest_run_matches(struct digest_run *run);
void digest_run_free(struct digest_run **run);
#define auto_digest_run __attribute__((cleanup(digest_run_free)))

#endif
