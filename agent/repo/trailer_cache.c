/* SPDX-License-Identifier: Apache-2.0 */
#include "trailer_cache.h"

#include "core/error.h"
#include "core/mem.h"
#include "pack.h"
#include "repo.h"

#include <pthread.h>

/* A trailer of 4,096 chunks takes about 200 KiB. */
#define CACHE_BYTES (12u * 1024u * 1024u)
#define CACHE_SLOTS 256u

struct slot {
    struct pack_trailer *trailer; /* NULL: free */
    uint32_t pack;
    uint32_t holders;
    uint64_t used; /* tick of the last use */
};

struct trailer_cache {
    pthread_mutex_t lock;
    struct slot slots[CACHE_SLOTS];
    size_t bytes;
    uint64_t tick;
};

struct trailer_cache *trailer_cache_new(void)
{
    struct trailer_cache *cache = mem_zalloc(sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void trailer_cache_free(struct trailer_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        pack_trailer_free(cache->slots[i].trailer);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static size_t trailer_bytes(const struct pack_trailer *trailer)
{
    return sizeof(*trailer) + trailer->frame_count * sizeof(*trailer->frames) +
           trailer->chunk_count * sizeof(*trailer->chunks) +
           trailer->reference_count * sizeof(*trailer->references);
}

static struct slot *find(struct trailer_cache *cache, uint32_t pack)
{
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        if (cache->slots[i].trailer != NULL && cache->slots[i].pack == pack)
            return &cache->slots[i];
    return NULL;
}

static void drop(struct trailer_cache *cache, struct slot *slot)
{
    cache->bytes -= trailer_bytes(slot->trailer);
    pack_trailer_free(slot->trailer);
    slot->trailer = NULL;
}

/* The least recently used slot that nobody holds; NULL if all are held. */
static struct slot *oldest(struct trailer_cache *cache)
{
    struct slot *found = NULL;
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        struct slot *slot = &cache->slots[i];
        if (slot->trailer != NULL && slot->holders == 0 &&
            (found == NULL || slot->used < found->used))
            found = slot;
    }
    return found;
}

/* A slot for a trailer of this size; NULL when everything is held. */
static struct slot *make_room(struct trailer_cache *cache, size_t bytes)
{
    struct slot *slot = NULL;
    while (cache->bytes + bytes > CACHE_BYTES && (slot = oldest(cache)) != NULL)
        drop(cache, slot);
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        if (cache->slots[i].trailer == NULL)
            return &cache->slots[i];
    slot = oldest(cache);
    if (slot != NULL)
        drop(cache, slot);
    return slot;
}

static const struct pack_trailer *hold_slot(struct trailer_cache *cache, struct slot *slot)
{
    slot->holders++;
    slot->used = ++cache->tick;
    return slot->trailer;
}

/* A pack that a map names and that is not there is damage, as whatever else keeps a map from being followed. */
static int read_trailer(struct repo *repo, uint32_t pack, struct pack_trailer **out,
                        struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH];
    auto_error struct firn_error *why = NULL;
    pack_table_id(repo->packs, pack, id);
    if (pack_trailer_read(repo, id, out, &why) == 0)
        return 0;
    if (error_code(why) != FIRN_NOTFOUND)
        return fail(err, error_code(why), "%s", error_message(why));
    char name[PACK_NAME_LENGTH];
    pack_name(id, name);
    return fail(err, FIRN_CORRUPT, "%s is missing", name);
}

int trailer_hold(struct repo *repo, uint32_t pack, const struct pack_trailer **out,
                 struct firn_error **err)
{
    struct trailer_cache *cache = repo->trailers;
    pthread_mutex_lock(&cache->lock);
    struct slot *slot = find(cache, pack);
    if (slot != NULL)
        *out = hold_slot(cache, slot);
    pthread_mutex_unlock(&cache->lock);
    if (slot != NULL)
        return 0;

    struct pack_trailer *trailer = NULL;
    if (read_trailer(repo, pack, &trailer, err) < 0)
        return -1;
    pthread_mutex_lock(&cache->lock);
    slot = find(cache, pack); /* another thread may have been faster */
    if (slot != NULL) {
        pack_trailer_free(trailer);
    } else if ((slot = make_room(cache, trailer_bytes(trailer))) != NULL) {
        *slot = (struct slot){.trailer = trailer, .pack = pack};
        cache->bytes += trailer_bytes(trailer);
    }
    *out = slot == NULL ? NULL : hold_slot(cache, slot);
    pthread_mutex_unlock(&cache->lock);
    if (*out == NULL) {
        pack_trailer_free(trailer);
        return fail(err, FIRN_INTERNAL, "more than %u pack trailers are in use at once",
                    CACHE_SLOTS);
    }
    return 0;
}

void trailer_release(struct repo *repo, const struct pack_trailer *trailer)
{
    if (trailer == NULL)
        return;
    struct trailer_cache *cache = repo->trailers;
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        if (cache->slots[i].trailer == trailer)
            cache->slots[i].holders--;
    pthread_mutex_unlock(&cache->lock);
}
