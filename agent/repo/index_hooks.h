/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: fingerprints → pack, 8 bytes each, in bounded memory. Some are kept always, others if they are samples: when the
 * low bits of the first eight bytes (as a little-endian number) are zero. Four bits at first, one more each time that the table
 * is full. One thread at a time.
 *
 * A hook keeps 39 bits of the fingerprint, so what it finds is only likely: the pack's trailer
 * tells.
 */
#ifndef REPO_INDEX_HOOKS_H
#define REPO_INDEX_HOOKS_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hooks;

struct hooks *hooks_new(size_t memory); /* the most that the table may take */
void hooks_free(struct hooks *hooks);   /* NULL is fine */

/* A newer pack takes the place of an older one. hooks_put() leaves out what is no sample. */
void hooks_put(struct hooks *hooks, const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH],
               uint32_t pack);
void hooks_put_always(struct hooks *hooks, const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH],
                      uint32_t pack);
bool hooks_find(const struct hooks *hooks, const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH],
                uint32_t *pack);

uint64_t hooks_count(const struct hooks *hooks);
uint32_t hooks_sampling(const struct hooks *hooks); /* 1 in this many */
size_t hooks_memory(const struct hooks *hooks);
/* What the next hooks_put() needs besides, while it makes room: 0 unless the table is full. */
size_t hooks_memory_ahead(const struct hooks *hooks);

/* ---- for the cache: a hook as 40 bits and its pack */
/* The next hook at or behind *position (0 at first), which moves on; false: there are no more. */
bool hooks_next(const struct hooks *hooks, size_t *position, uint64_t *key, uint32_t *pack);
/* Of an empty table: makes it large enough for so many, or, as far as memory does not allow that, samples less densely.
 * Hooks that come in the order of another table would crowd at the beginning of one that grows meanwhile, and take quadratic
 * time. */
void hooks_reserve(struct hooks *hooks, uint64_t count);
/* As hooks_put(); one that is no sample (any more) is left out. */
void hooks_put_key(struct hooks *hooks, uint64_t key, uint32_t pack);
/* Samples no more densely than 1 in this many (a power of two): what hooks of a cache were sampled by. */
void hooks_set_sampling(struct hooks *hooks, uint32_t sampling);

#endif
