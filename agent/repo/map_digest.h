/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest records: let a stream that the repository holds be found by its digest alone, without its
 * bytes. A record is a chunk of kind FORMAT_CHUNK_DIGEST under the fingerprint of the digest's
 * text, written after the run that it names:
 *
 *     u8 version = 1 | v length of the stream in bytes | v extents | v units | v spans | spans × { id (16), v ordinal, v count }
 */
#ifndef REPO_MAP_DIGEST_H
#define REPO_MAP_DIGEST_H

#include "format.h"
#include "map.h"

#include <stdint.h>

struct firn_error;
struct index;
struct meta_writer;
struct repo;

/* Records that the stream with this fingerprint has this length and this run (written before,
 * through the same meta writer or an earlier one). INVALID: a run of too many spans. */
int map_digest_write(struct repo *repo, struct meta_writer *meta,
                     const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], uint64_t length,
                     const struct map_run *run, struct firn_error **err);
/* 1: found: *out (the caller's to free) is the run, *length the stream's length, and every pack
 * that it relies on is present. 0: not held, or not whole. -1: the store could not be read. */
int map_digest_find(struct repo *repo, struct index *index,
                    const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], struct map_run *out,
                    uint64_t *length, struct firn_error **err);

#endif
