/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of snapshots in the cache directory, so that a listing reads only those that it has not
 * seen yet:
 *
 *     DIRECTORY/snapshots-REPOSITORY/SNAPSHOT      the object, byte for byte as in the repository
 *
 * A snapshot never changes, so its id is all that there is to compare. A copy is sealed as the
 * object is: it tells nothing, and is opened by the same seal at each use. A damaged one is read
 * from the repository again. Any thread, any process: a copy is put in its place whole.
 */
#ifndef REPO_SNAPSHOT_CACHE_H
#define REPO_SNAPSHOT_CACHE_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct snapshot_cache;

/* A snapshot as the store lists it. */
struct snapshot_entry {
    uint8_t id[FORMAT_ID_LENGTH];
    uint64_t length;
    int64_t modified; /* as the store says */
    bool cached;      /* whether a copy may be kept */
};

/* Nothing is made on disk before the first copy. repository: its id as text. */
struct snapshot_cache *snapshot_cache_new(const char *directory, const char *repository);
void snapshot_cache_free(struct snapshot_cache *cache); /* NULL is fine, here and below: no cache */
/* Chooses among all snapshots that there are which to keep copies of: as many as its bound of bytes allows. Removes the copies
 * of all others. Sorts the entries by id. */
void snapshot_cache_settle(struct snapshot_cache *cache, struct snapshot_entry *entries,
                           size_t count);
/* The copy, in out, which is empty; false: there is none of that length. */
bool snapshot_cache_get(struct snapshot_cache *cache, const struct snapshot_entry *entry,
                        struct buf *out);
/* Keeps a copy. That it cannot is no error. */
void snapshot_cache_put(struct snapshot_cache *cache, const uint8_t id[FORMAT_ID_LENGTH],
                        const void *data, size_t length);
void snapshot_cache_drop(struct snapshot_cache *cache, const uint8_t id[FORMAT_ID_LENGTH]);

#endif
