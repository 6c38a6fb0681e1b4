/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: an open-addressed table with linear probing, doubled until it may not grow; then it is
 * thinned out.
 *
 *     entry   key (40) | pack (24)
 *     key     bits 4 to 42 of the fingerprint's first eight bytes (39) | always a hook (1)
 */
#include "index_hooks.h"

#include "core/mem.h"

#include <endian.h>
#include <string.h>

#define EMPTY       UINT64_MAX
#define PACK_BITS   24u
#define PACK_MASK   ((UINT64_C(1) << PACK_BITS) - 1)
#define ALWAYS      UINT64_C(1) /* in a key: stays, whatever is sampled */
#define CHECK_BITS  39u
#define SAMPLE_BITS 4u  /* the sampling begins at 1 in 2^4 … */
#define SAMPLE_MOST 20u /* … and ends here: a table that is then full takes no more */
#define SLOTS_LEAST 1024u
#define SLOT_SIZE   sizeof(uint64_t)

struct hooks {
    uint64_t *slots;
    size_t slot_bits; /* their number, as a power of two */
    size_t slots_most;
    size_t count;
    unsigned sample_bits;
};

static size_t slot_count(const struct hooks *hooks)
{
    return (size_t)1 << hooks->slot_bits;
}

static bool is_full(const struct hooks *hooks)
{
    return hooks->count >= slot_count(hooks) / 8 * 7;
}

static bool may_grow(const struct hooks *hooks)
{
    return 2 * slot_count(hooks) <= hooks->slots_most;
}

static void allocate(struct hooks *hooks, size_t slots)
{
    hooks->slots = mem_alloc(slots * SLOT_SIZE);
    memset(hooks->slots, 0xff, slots * SLOT_SIZE);
    hooks->count = 0;
}

struct hooks *hooks_new(size_t memory)
{
    struct hooks *hooks = mem_zalloc(sizeof(*hooks));
    hooks->slots_most = memory / SLOT_SIZE;
    hooks->slot_bits = (size_t)__builtin_ctz(SLOTS_LEAST);
    hooks->sample_bits = SAMPLE_BITS;
    allocate(hooks, slot_count(hooks));
    return hooks;
}

void hooks_free(struct hooks *hooks)
{
    if (hooks == NULL)
        return;
    free(hooks->slots);
    free(hooks);
}

/* Whether the key of a hook is still sampled: its lowest check bits follow the SAMPLE_BITS that all samples share. */
static bool is_sample(const struct hooks *hooks, uint64_t key)
{
    uint64_t dense = (UINT64_C(1) << (hooks->sample_bits - SAMPLE_BITS)) - 1;
    return (key & ALWAYS) != 0 || (key >> 1 & dense) == 0;
}

/* The key of a fingerprint as a sample. */
static uint64_t key_of(const uint8_t *fingerprint)
{
    uint64_t word = 0;
    memcpy(&word, fingerprint, sizeof(word));
    return (le64toh(word) >> SAMPLE_BITS & ((UINT64_C(1) << CHECK_BITS) - 1)) << 1;
}

/* Whether the fingerprint is a sample now. */
static bool is_sampled(const struct hooks *hooks, const uint8_t *fingerprint)
{
    return (fingerprint[0] & ((1u << SAMPLE_BITS) - 1)) == 0 &&
           is_sample(hooks, key_of(fingerprint));
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint64_t *slot_of(const struct hooks *hooks, uint64_t key)
{
    size_t mask = slot_count(hooks) - 1;
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - hooks->slot_bits));
    while (hooks->slots[at] != EMPTY && hooks->slots[at] >> PACK_BITS != key)
        at = (at + 1) & mask;
    return &hooks->slots[at];
}

static void place(struct hooks *hooks, uint64_t entry)
{
    uint64_t *slot = slot_of(hooks, entry >> PACK_BITS);
    hooks->count += *slot == EMPTY;
    *slot = entry;
}

static void grow(struct hooks *hooks)
{
    uint64_t *old = hooks->slots;
    size_t old_count = slot_count(hooks);
    hooks->slot_bits++;
    allocate(hooks, slot_count(hooks));
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != EMPTY)
            place(hooks, old[i]);
    }
    free(old);
}

/* Places anew what is still a sample. The survivors wait in a copy of their own: about half of a table, not a second one. */
static void thin_out(struct hooks *hooks)
{
    size_t kept = 0;
    for (size_t i = 0; i < slot_count(hooks); i++) {
        if (hooks->slots[i] != EMPTY && is_sample(hooks, hooks->slots[i] >> PACK_BITS))
            hooks->slots[kept++] = hooks->slots[i];
    }
    auto_free uint64_t *survivors = mem_dup(hooks->slots, kept * SLOT_SIZE);
    memset(hooks->slots, 0xff, slot_count(hooks) * SLOT_SIZE);
    hooks->count = 0;
    for (size_t i = 0; i < kept; i++)
        place(hooks, survivors[i]);
}

static void make_room(struct hooks *hooks)
{
    if (is_full(hooks) && may_grow(hooks))
        grow(hooks);
    while (is_full(hooks) && hooks->sample_bits < SAMPLE_MOST) {
        hooks->sample_bits++;
        thin_out(hooks);
    }
}

void hooks_reserve(struct hooks *hooks, uint64_t count)
{
    while (count >= slot_count(hooks) / 8 * 7 && may_grow(hooks))
        grow(hooks);
    for (; count >= slot_count(hooks) / 8 * 7 && hooks->sample_bits < SAMPLE_MOST; count /= 2)
        hooks->sample_bits++;
}

void hooks_put_key(struct hooks *hooks, uint64_t key, uint32_t pack)
{
    uint64_t entry = key << PACK_BITS | (pack & PACK_MASK);
    make_room(hooks);
    if (is_sample(hooks, key) && !is_full(hooks) && entry != EMPTY)
        place(hooks, entry);
}

void hooks_put(struct hooks *hooks, const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH],
               uint32_t pack)
{
    if (is_sampled(hooks, fingerprint))
        hooks_put_key(hooks, key_of(fingerprint), pack);
}

void hooks_put_always(struct hooks *hooks, const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH],
                      uint32_t pack)
{
    hooks_put_key(hooks, key_of(fingerprint) | ALWAYS, pack);
}

bool hooks_find(const struct hooks *hooks, const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH],
                uint32_t *pack)
{
    uint64_t entry = *slot_of(hooks, key_of(fingerprint) | ALWAYS);
    if (entry == EMPTY && is_sampled(hooks, fingerprint))
        entry = *slot_of(hooks, key_of(fingerprint));
    *pack = (uint32_t)(entry & PACK_MASK);
    return entry != EMPTY;
}

uint64_t hooks_count(const struct hooks *hooks)
{
    return hooks->count;
}

uint32_t hooks_sampling(const struct hooks *hooks)
{
    return UINT32_C(1) << hooks->sample_bits;
}

size_t hooks_memory(const struct hooks *hooks)
{
    return slot_count(hooks) * SLOT_SIZE;
}

size_t hooks_memory_ahead(const struct hooks *hooks)
{
    if (!is_full(hooks))
        return 0;
    if (may_grow(hooks))
        return 2 * hooks_memory(hooks);
    return hooks->sample_bits < SAMPLE_MOST ? hooks_memory(hooks) : 0;
}

bool hooks_next(const struct hooks *hooks, size_t *position, uint64_t *key, uint32_t *pack)
{
    while (*position < slot_count(hooks) && hooks->slots[*position] == EMPTY)
        ++*position;
    if (*position == slot_count(hooks))
        return false;
    uint64_t entry = hooks->slots[(*position)++];
    *key = entry >> PACK_BITS;
    *pack = (uint32_t)(entry & PACK_MASK);
    return true;
}

void hooks_set_sampling(struct hooks *hooks, uint32_t sampling)
{
    unsigned bits = 0;
    while (bits < SAMPLE_MOST && UINT32_C(1) << bits < sampling)
        bits++;
    if (bits <= hooks->sample_bits)
        return;
    hooks->sample_bits = bits;
    thin_out(hooks);
}
