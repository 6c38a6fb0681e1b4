/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Meta packs: where a run's maps go, one frame a chunk, and come from. The writer collects the
 * packs that its maps rely on: they are the references that the pack states in the clear.
 */
#ifndef REPO_META_H
#define REPO_META_H

#include "format.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;
struct meta_shelf;
struct meta_writer;
struct repo;

/* The shelf of a repository: what meta_read finds of packs that are still being written. */
struct meta_shelf *meta_shelf_new(void);
void meta_shelf_free(struct meta_shelf *shelf); /* NULL is fine; no writer may be left */

/* Opens no pack before the first chunk. Thread-safe from then on. */
int meta_writer_new(struct repo *repo, struct meta_writer **out, struct firn_error **err);
/* Stores one chunk (at most FORMAT_CHUNK_MAX bytes) and says where it lies. fingerprint: NULL: of
 * the data. The packs whose numbers are in relies_on (count of them) become references of the pack
 * it lies in. */
int meta_writer_put(struct meta_writer *meta, enum format_chunk kind, const uint8_t *fingerprint,
                    const void *data, size_t length, const uint32_t *relies_on, size_t count,
                    uint32_t *pack, uint32_t *ordinal, struct firn_error **err);
/* Makes everything durable; frees the writer, also on error. Says how many bytes and packs it stored. */
int meta_writer_finish(struct meta_writer *meta, uint64_t *stored, uint32_t *packs,
                       struct firn_error **err);
void meta_writer_abort(struct meta_writer *meta);

/* A chunk of a meta pack, appended to out; also of packs that a meta_writer of this process still
 * has open (then it comes from memory or the unfinished pack). CORRUPT, NOTFOUND. A few trailers
 * are cached in the repository. */
int meta_read(struct repo *repo, uint32_t pack, uint32_t ordinal, struct buf *out,
              struct firn_error **err);

#endif
