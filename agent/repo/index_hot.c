/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot set: chained hashing, where a chunk is named by its seat: the place of its pack in
 * `packs` and its ordinal.
 *
 *     buckets    [ seat ] ──> packs[seat >> 16].chunks[seat & 0xffff] ──next──> …
 *     seats      pack number → place in packs
 *     newest ⇄ … ⇄ oldest     the packs that may leave, by use
 */
#include "index_hot.h"

#include "core/mem.h"

#include <endian.h>
#include <string.h>

#define NOBODY        UINT16_MAX /* no place in packs */
#define PACKS_MOST    ((size_t)NOBODY)
#define NO_SEAT       UINT32_MAX
#define BUCKETS_LEAST 4096u

struct hot_pack {
    struct hot_chunk *chunks;
    uint32_t count, capacity;
    uint32_t number;
    bool open;
    uint16_t newer, older; /* free places are linked by `older` */
};

struct hot {
    struct hot_pack *packs;
    size_t pack_count, pack_capacity;
    uint16_t newest, oldest, vacant;
    uint16_t *places; /* by pack number */
    size_t place_count;
    uint32_t *buckets;
    size_t bucket_count; /* a power of two */
    size_t chunk_count;
    size_t chunk_memory;
};

struct hot *hot_new(void)
{
    struct hot *hot = mem_zalloc(sizeof(*hot));
    hot->newest = hot->oldest = hot->vacant = NOBODY;
    hot->bucket_count = BUCKETS_LEAST;
    hot->buckets = mem_alloc(hot->bucket_count * sizeof(*hot->buckets));
    memset(hot->buckets, 0xff, hot->bucket_count * sizeof(*hot->buckets));
    return hot;
}

void hot_free(struct hot *hot)
{
    if (hot == NULL)
        return;
    for (size_t i = 0; i < hot->pack_count; i++)
        free(hot->packs[i].chunks);
    free(hot->packs);
    free(hot->places);
    free(hot->buckets);
    free(hot);
}

size_t hot_memory(const struct hot *hot)
{
    return hot->chunk_memory + hot->pack_capacity * sizeof(*hot->packs) +
           hot->place_count * sizeof(*hot->places) + hot->bucket_count * sizeof(*hot->buckets);
}

size_t hot_pack_memory(uint32_t chunks)
{
    return sizeof(struct hot_pack) + chunks * (sizeof(struct hot_chunk) + sizeof(uint32_t));
}

/* ------------------------------------------------------------------------------------------------ places */

static uint16_t place_of(const struct hot *hot, uint32_t pack)
{
    return pack < hot->place_count ? hot->places[pack] : NOBODY;
}

bool hot_has(const struct hot *hot, uint32_t pack)
{
    return place_of(hot, pack) != NOBODY;
}

static void set_place(struct hot *hot, uint32_t pack, uint16_t place)
{
    if (pack >= hot->place_count) {
        size_t count = ((size_t)pack / 1024 + 1) * 1024;
        hot->places = mem_resize(hot->places, count, sizeof(*hot->places));
        memset(hot->places + hot->place_count, 0xff,
               (count - hot->place_count) * sizeof(*hot->places));
        hot->place_count = count;
    }
    hot->places[pack] = place;
}

static uint16_t take_vacant(struct hot *hot)
{
    uint16_t place = hot->vacant;
    if (place != NOBODY) {
        hot->vacant = hot->packs[place].older;
        return place;
    }
    if (hot->pack_count == hot->pack_capacity) {
        hot->pack_capacity = hot->pack_capacity == 0 ? 64 : 2 * hot->pack_capacity;
        hot->packs = mem_resize(hot->packs, hot->pack_capacity, sizeof(*hot->packs));
    }
    return (uint16_t)hot->pack_count++;
}

/* ------------------------------------------------------------------------------------------------ order of use */

static void unlink_pack(struct hot *hot, uint16_t place)
{
    struct hot_pack *pack = &hot->packs[place];
    *(pack->newer == NOBODY ? &hot->newest : &hot->packs[pack->newer].older) = pack->older;
    *(pack->older == NOBODY ? &hot->oldest : &hot->packs[pack->older].newer) = pack->newer;
}

static void link_newest(struct hot *hot, uint16_t place)
{
    struct hot_pack *pack = &hot->packs[place];
    pack->newer = NOBODY;
    pack->older = hot->newest;
    *(hot->newest == NOBODY ? &hot->oldest : &hot->packs[hot->newest].newer) = place;
    hot->newest = place;
}

static void touch(struct hot *hot, uint16_t place)
{
    if (hot->packs[place].open || hot->newest == place)
        return;
    unlink_pack(hot, place);
    link_newest(hot, place);
}

/* ------------------------------------------------------------------------------------------------ buckets */

static struct hot_chunk *chunk_at(const struct hot *hot, uint32_t seat)
{
    return &hot->packs[seat >> 16].chunks[seat & 0xffff];
}

static uint32_t *bucket_of(const struct hot *hot, const uint8_t *fingerprint)
{
    uint32_t word = 0;
    memcpy(&word, fingerprint + 8, sizeof(word)); /* the first eight bytes decide what is a hook */
    return &hot->buckets[le32toh(word) & (hot->bucket_count - 1)];
}

static void link_chunk(struct hot *hot, uint32_t seat)
{
    struct hot_chunk *chunk = chunk_at(hot, seat);
    uint32_t *bucket = bucket_of(hot, chunk->fingerprint);
    chunk->next = *bucket;
    *bucket = seat;
}

static void unlink_chunk(struct hot *hot, uint32_t seat)
{
    const struct hot_chunk *chunk = chunk_at(hot, seat);
    uint32_t *link = bucket_of(hot, chunk->fingerprint);
    while (*link != seat)
        link = &chunk_at(hot, *link)->next;
    *link = chunk->next;
}

static void link_all(struct hot *hot, uint16_t place)
{
    for (uint32_t i = 0; i < hot->packs[place].count; i++)
        link_chunk(hot, (uint32_t)place << 16 | i);
}

static void resize_buckets(struct hot *hot, size_t count)
{
    free(hot->buckets);
    hot->bucket_count = count;
    hot->buckets = mem_alloc(count * sizeof(*hot->buckets));
    memset(hot->buckets, 0xff, count * sizeof(*hot->buckets));
    for (size_t i = 0; i < hot->pack_count; i++)
        link_all(hot, (uint16_t)i);
}

/* ------------------------------------------------------------------------------------------------ packs */

static void evict(struct hot *hot, uint16_t place)
{
    struct hot_pack *pack = &hot->packs[place];
    for (uint32_t i = 0; i < pack->count; i++)
        unlink_chunk(hot, (uint32_t)place << 16 | i);
    unlink_pack(hot, place);
    set_place(hot, pack->number, NOBODY);
    hot->chunk_count -= pack->count;
    hot->chunk_memory -= pack->capacity * sizeof(*pack->chunks);
    free(pack->chunks);
    *pack = (struct hot_pack){.older = hot->vacant};
    hot->vacant = place;
}

void hot_trim(struct hot *hot, size_t memory)
{
    while (hot->oldest != NOBODY && hot_memory(hot) > memory) {
        evict(hot, hot->oldest);
        if (hot->bucket_count > BUCKETS_LEAST && hot->chunk_count < hot->bucket_count / 4)
            resize_buckets(hot, hot->bucket_count / 2);
    }
}

void hot_pack_begin(struct hot *hot, uint32_t pack)
{
    if (hot->vacant == NOBODY && hot->pack_count == PACKS_MOST && hot->oldest != NOBODY)
        evict(hot, hot->oldest);
    uint16_t place = take_vacant(hot);
    hot->packs[place] = (struct hot_pack){.number = pack, .open = true};
    set_place(hot, pack, place);
}

static void grow_pack(struct hot *hot, struct hot_pack *pack)
{
    uint32_t more = pack->capacity == 0 ? 256 : pack->capacity;
    pack->chunks = mem_resize(pack->chunks, pack->capacity + more, sizeof(*pack->chunks));
    pack->capacity += more;
    hot->chunk_memory += more * sizeof(*pack->chunks);
}

void hot_pack_add(struct hot *hot, uint32_t number, enum format_chunk kind,
                  const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH])
{
    uint16_t place = place_of(hot, number);
    struct hot_pack *pack = &hot->packs[place];
    if (pack->count == FORMAT_PACK_CHUNKS_MAX)
        return;
    if (pack->count == pack->capacity)
        grow_pack(hot, pack);
    struct hot_chunk *chunk = &pack->chunks[pack->count];
    memcpy(chunk->fingerprint, fingerprint, FORMAT_FINGERPRINT_LENGTH);
    chunk->kind = (uint8_t)kind;
    link_chunk(hot, (uint32_t)place << 16 | pack->count);
    pack->count++;
    if (++hot->chunk_count > hot->bucket_count)
        resize_buckets(hot, 2 * hot->bucket_count);
}

void hot_pack_end(struct hot *hot, uint32_t number)
{
    uint16_t place = place_of(hot, number);
    struct hot_pack *pack = &hot->packs[place];
    hot->chunk_memory -= (pack->capacity - pack->count) * sizeof(*pack->chunks);
    pack->capacity = pack->count;
    if (pack->count > 0)
        pack->chunks = mem_resize(pack->chunks, pack->count, sizeof(*pack->chunks));
    pack->open = false;
    link_newest(hot, place);
}

void hot_pack_abandon(struct hot *hot, uint32_t number)
{
    uint16_t place = place_of(hot, number);
    link_newest(hot, place); /* as evict() expects it */
    evict(hot, place);
}

const struct hot_chunk *hot_chunks(const struct hot *hot, uint32_t pack, uint32_t *count)
{
    const struct hot_pack *found = &hot->packs[place_of(hot, pack)];
    *count = found->count;
    return found->chunks;
}

bool hot_find(struct hot *hot, enum format_chunk kind,
              const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], uint32_t *pack,
              uint32_t *ordinal)
{
    uint32_t seat = *bucket_of(hot, fingerprint);
    while (seat != NO_SEAT) {
        const struct hot_chunk *chunk = chunk_at(hot, seat);
        if (chunk->kind == kind &&
            memcmp(chunk->fingerprint, fingerprint, FORMAT_FINGERPRINT_LENGTH) == 0)
            break;
        seat = chunk->next;
    }
    if (seat == NO_SEAT)
        return false;
    *pack = hot->packs[seat >> 16].number;
    *ordinal = seat & 0xffff;
    touch(hot, (uint16_t)(seat >> 16));
    return true;
}
