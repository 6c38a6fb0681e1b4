/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deduplication index: finds chunks that the repository already holds. Only a cache: losing or
 * distrusting it costs deduplication, never data. Memory is bounded, whatever the size of the
 * repository:
 *
 *     hooks    sampled fingerprints → pack. One in 16 at first; when the table is full, every other one is dropped and the
 *              sampling doubles (1 in 32 …). Always hooks: digest records, and the first chunk of every pack. Chunks of
 *              maps never. Kept in the cache directory between runs.
 *     hot      every fingerprint of the packs used last: the trailers in an LRU, and the packs being written.
 *
 * A hit on a hook brings the pack's trailer in (authenticated, read from the store), and with it
 * its neighbours: what was written together is found together. A chunk counts as found only when
 * its full fingerprint is in such a trailer, of a pack that the store listed at the start of this
 * run and that no collector is about to remove.
 *
 * Thread-safe: one mutex.
 */
#ifndef REPO_INDEX_H
#define REPO_INDEX_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct index;
struct repo;

#define INDEX_MEMORY (64u * 1024u * 1024u) /* default bound, hooks and hot together */

/* Begins a session (gate.h). Reads the cache of this repository from cache_directory (NULL: no cache), and
 * reads the trailers of those that the cache does not know, a few at once. progress (may be NULL)
 * is called now and then with packs read and packs to read: by any thread, but one at a time, and
 * it must not call the index. CANCELLED. */
typedef void index_progress(void *context, uint32_t done, uint32_t total);
int index_open(struct repo *repo, const char *cache_directory, size_t memory,
               index_progress *progress, void *context, struct index **out,
               struct firn_error **err);
/* Removes the cache; that there is none is no error. */
void index_forget(struct repo *repo, const char *cache_directory);
/* Writes the cache (packs that are finished only); a failure to write is not an error. */
void index_close(struct index *index);

/* 1: found, *pack and *ordinal say where; 0: not held; -1: a trailer could not be read for another
 * reason than damage (a damaged or vanished pack is no longer used for deduplication, and logged
 * once). */
int index_find(struct index *index, enum format_chunk kind,
               const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], uint32_t *pack,
               uint32_t *ordinal, struct firn_error **err);
/* For chunks that are about to be looked up one by one: brings in the packs that hooks of any of them name, so that those
 * before the first hook are found, too. -1 as index_find(). */
int index_look_ahead(struct index *index, const uint8_t (*fingerprints)[FORMAT_FINGERPRINT_LENGTH],
                     size_t count, struct firn_error **err);
/* The chunks of this pack are likely to be asked for next: brings its trailer in. Says whether it had to be read. Errors are
 * ignored. */
bool index_hint(struct index *index, uint32_t pack);

/* A pack that is being written: its chunks are found from now on. */
void index_pack_begin(struct index *index, uint32_t pack);
void index_pack_add(struct index *index, uint32_t pack, enum format_chunk kind,
                    const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH]); /* ordinals count up */
/* The pack is durable; from now on it may leave memory. */
void index_pack_end(struct index *index, uint32_t pack);
/* The pack was given up: its chunks are found no more. */
void index_pack_abandon(struct index *index, uint32_t pack);

struct index_statistics {
    uint64_t hooks;
    uint32_t sampling; /* 1 in this many */
    uint32_t packs;
    uint64_t trailers_read;
    size_t memory; /* bytes in use */
};
void index_statistics(struct index *index, struct index_statistics *out);

#endif
