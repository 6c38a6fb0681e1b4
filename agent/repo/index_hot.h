/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot set: every fingerprint of the packs used last, 44 bytes each. A pack that is being
 * written stays; others leave, the one used longest ago first. One thread at a time.
 */
#ifndef REPO_INDEX_HOT_H
#define REPO_INDEX_HOT_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hot;

struct hot_chunk {
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    uint32_t next; /* in its bucket */
    uint8_t kind;  /* enum format_chunk */
};

struct hot *hot_new(void);
void hot_free(struct hot *hot); /* NULL is fine */

/* A pack without chunks, which stays until hot_pack_end(). It must not be there yet. */
void hot_pack_begin(struct hot *hot, uint32_t pack);
/* The next chunk of a pack that was begun; one past FORMAT_PACK_CHUNKS_MAX is left out. */
void hot_pack_add(struct hot *hot, uint32_t pack, enum format_chunk kind,
                  const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH]);
void hot_pack_end(struct hot *hot, uint32_t pack);
/* Instead of hot_pack_end(): the pack and its chunks are gone. */
void hot_pack_abandon(struct hot *hot, uint32_t pack);
bool hot_has(const struct hot *hot, uint32_t pack);
/* The chunks of a pack that is there. Borrowed until the next change. */
const struct hot_chunk *hot_chunks(const struct hot *hot, uint32_t pack, uint32_t *count);

/* Finds a chunk; its pack becomes the one used last. */
bool hot_find(struct hot *hot, enum format_chunk kind,
              const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], uint32_t *pack,
              uint32_t *ordinal);

size_t hot_memory(const struct hot *hot);
/* Roughly what a pack of so many chunks takes. */
size_t hot_pack_memory(uint32_t chunks);
/* Lets packs go until the rest takes no more than this, or only packs that are being written are left. */
void hot_trim(struct hot *hot, size_t memory);

#endif
