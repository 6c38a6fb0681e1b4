/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression: zstd, frame by frame. What does not shrink by a thirty-second is kept as it is.
 */
#ifndef REPO_COMPRESS_H
#define REPO_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct compressor;
struct firn_error;

#define COMPRESS_LEVEL      1 /* of data */
#define COMPRESS_LEVEL_META 3 /* of maps */

/* One per thread. level: 1 … 19. */
int compressor_new(int level, struct compressor **out, struct firn_error **err);
void compressor_free(struct compressor *compressor); /* NULL is fine */
/* *payload is the compressor's own memory, valid until its next run, or data itself if that did not
 * shrink. length is at most FORMAT_CHUNK_MAX. */
int compressor_run(struct compressor *compressor, const void *data, size_t length,
                   const void **payload, size_t *payload_length, bool *compressed,
                   struct firn_error **err);
/* The same into memory of the caller's, at least `length` bytes: *payload is then `out` or data. */
int compressor_run_into(struct compressor *compressor, const void *data, size_t length, void *out,
                        const void **payload, size_t *payload_length, bool *compressed,
                        struct firn_error **err);
/* Appends a message compressed as a whole, at COMPRESS_LEVEL_META; compress_undo takes it back. */
int compress_message(const void *data, size_t length, struct buf *out, struct firn_error **err);
/* Appends the original `raw` bytes of a payload. For small things; packs are read by pack_reader. CORRUPT. */
int compress_undo(const void *payload, size_t length, bool compressed, uint32_t raw,
                  struct buf *out, struct firn_error **err);

#endif
