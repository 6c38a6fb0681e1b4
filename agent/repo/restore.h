/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restore: reads objects of a snapshot back. A volume's map is resolved once, window by window in
 * rising offset; inside a window the frames are read in the order of the packs, by several threads,
 * each frame once. Memory is fixed.
 */
#ifndef REPO_RESTORE_H
#define REPO_RESTORE_H

#include <firn/plugin.h>

#include "snapshot.h"

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct repo;
struct restore_reader;

/* start: a volume's first offset (a multiple of FORMAT_BLOCK_SIZE), or how many bytes of a stream
 * to skip. workers: 0: one a core. repo and object are borrowed. DENIED: the key is write-only. */
int restore_open(struct repo *repo, const struct snapshot_object *object, uint64_t start,
                 unsigned workers, struct restore_reader **out, struct firn_error **err);
/* Of a volume, only where it differs from an older or newer one, its base: data, and zeros where the
 * base has data or has ended. What no extent names is as in the base. base is borrowed, too. */
int restore_open_changes(struct repo *repo, const struct snapshot_object *object,
                         const struct snapshot_object *base, unsigned workers,
                         struct restore_reader **out, struct firn_error **err);
/* Whoever restores what is left of a damaged object is told of each stretch that cannot be read: it comes as zeros. By any
 * thread, but one at a time for each object. */
struct restore_salvage {
    void (*lost)(void *context, const char *object, uint64_t offset, uint64_t length,
                 const char *why);
    void *context;
};
/* As restore_open(), but damage is no error, and the digest of a stream that lost something is not proven. salvage is borrowed. */
int restore_open_salvage(struct repo *repo, const struct snapshot_object *object, uint64_t start,
                         const struct restore_salvage *salvage, struct restore_reader **out,
                         struct firn_error **err);
/* As next_extent in <firn/plugin.h>. Thread-safe. */
int restore_next(struct restore_reader *reader, struct firn_extent *extent,
                 struct firn_error **err);
void restore_release(struct restore_reader *reader, struct firn_extent *extent);
/* Streams and documents, in order: bytes read, 0 at the end, -1. At the end the digest, if any, is proven (CORRUPT). */
int64_t restore_read(struct restore_reader *reader, void *data, size_t capacity,
                     struct firn_error **err);
void restore_close(struct restore_reader *reader); /* NULL is fine */

/* A whole document, appended to out. */
struct buf;
int restore_document(struct repo *repo, const struct snapshot_object *object, struct buf *out,
                     struct firn_error **err);

#endif
