/* SPDX-License-Identifier: Apache-2.0 */
#include "spare.h"

#include "compress.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "crypt.h"
#include "damage.h"
#include "gate.h"
#include "pack.h"
#include "repo.h"
#include "store/store.h"
#include "trailer_cache.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

#define THREADS_MAX 8u

/* A chunk that is wanted. */
struct entry {
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    uint32_t pack; /* where it lies: PACK_NONE: nowhere */
    uint32_t ordinal;
    uint8_t kind;
    bool used;
};

struct spares {
    struct repo *repo;
    const struct damage *damage;
    uint32_t *wanted; /* pack numbers */
    size_t wanted_count;
    struct entry *entries; /* open addressing by the first bytes of the fingerprint */
    size_t capacity, count;
    pthread_mutex_t lock; /* of the scan */
    uint32_t next, end;
    struct firn_error *error;
    struct pack_reader *reader; /* for proving and salvage */
    struct fingerprinter *fingerprinter;
    uint8_t *frame;
    uint32_t frame_pack, frame_number; /* what frame holds; PACK_NONE: nothing */
};

struct spares *spares_new(struct repo *repo, const struct damage *damage)
{
    struct spares *spares = mem_zalloc(sizeof(*spares));
    spares->repo = repo;
    spares->damage = damage;
    spares->frame_pack = PACK_NONE;
    spares->capacity = 1024;
    spares->entries = mem_array(spares->capacity, sizeof(*spares->entries));
    pthread_mutex_init(&spares->lock, NULL);
    return spares;
}

void spares_free(struct spares *spares)
{
    if (spares == NULL)
        return;
    pack_reader_free(spares->reader);
    fingerprinter_free(spares->fingerprinter);
    pthread_mutex_destroy(&spares->lock);
    free(spares->frame);
    free(spares->wanted);
    free(spares->entries);
    free(spares);
}

/* ------------------------------------------------------------------------------------------------ the table */

/* The entry of a chunk, or the free one where it would be. */
static struct entry *place_of(const struct spares *spares, uint8_t kind, const uint8_t *fingerprint)
{
    uint64_t hash;
    memcpy(&hash, fingerprint, sizeof(hash));
    size_t at = hash & (spares->capacity - 1);
    while (spares->entries[at].used &&
           (spares->entries[at].kind != kind ||
            memcmp(spares->entries[at].fingerprint, fingerprint, FORMAT_FINGERPRINT_LENGTH) != 0))
        at = (at + 1) & (spares->capacity - 1);
    return &spares->entries[at];
}

static void grow(struct spares *spares)
{
    struct entry *old = spares->entries;
    size_t count = spares->capacity;
    spares->capacity *= 2;
    spares->entries = mem_array(spares->capacity, sizeof(*spares->entries));
    for (size_t i = 0; i < count; i++)
        if (old[i].used)
            *place_of(spares, old[i].kind, old[i].fingerprint) = old[i];
    free(old);
}

static void want_chunk(struct spares *spares, const struct pack_chunk *chunk)
{
    struct entry *entry = place_of(spares, chunk->kind, chunk->fingerprint);
    if (entry->used)
        return;
    *entry = (struct entry){.pack = PACK_NONE, .kind = chunk->kind, .used = true};
    memcpy(entry->fingerprint, chunk->fingerprint, FORMAT_FINGERPRINT_LENGTH);
    if (++spares->count > spares->capacity / 2)
        grow(spares);
}

int spares_want(struct spares *spares, uint32_t pack, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (trailer_hold(spares->repo, pack, &trailer, err) < 0)
        return -1;
    for (uint32_t i = 0; i < trailer->chunk_count; i++)
        want_chunk(spares, &trailer->chunks[i]);
    trailer_release(spares->repo, trailer);
    spares->wanted = mem_resize(spares->wanted, spares->wanted_count + 1, sizeof(*spares->wanted));
    spares->wanted[spares->wanted_count++] = pack;
    return 0;
}

static void offer(struct spares *spares, uint32_t pack, uint32_t ordinal,
                  const struct pack_chunk *chunk)
{
    struct entry *entry = place_of(spares, chunk->kind, chunk->fingerprint);
    if (!entry->used || entry->pack != PACK_NONE)
        return;
    entry->pack = pack;
    entry->ordinal = ordinal;
}

enum spare_state spares_find(struct spares *spares, uint32_t damaged, uint32_t chunk,
                             uint32_t *pack, uint32_t *ordinal)
{
    const struct damaged_pack *entry = damage_find(spares->damage, damaged);
    const struct pack_trailer *trailer = NULL;
    if (entry->whole || trailer_hold(spares->repo, damaged, &trailer, NULL) < 0)
        return SPARE_NONE;
    enum spare_state state = SPARE_NONE;
    if (chunk < trailer->chunk_count) {
        const struct pack_chunk *wanted = &trailer->chunks[chunk];
        const struct entry *found = place_of(spares, wanted->kind, wanted->fingerprint);
        *pack = found->pack;
        *ordinal = found->ordinal;
        if (found->used && found->pack != PACK_NONE)
            state = SPARE_FOUND;
        else if (!damaged_pack_lost(entry, wanted->frame))
            state = SPARE_INTACT;
    }
    trailer_release(spares->repo, trailer);
    return state;
}

/* ------------------------------------------------------------------------------------------------ the scan */

/* Takes the next pack to look through; the lock is held. */
static bool take(struct spares *spares, uint32_t *pack)
{
    while (spares->error == NULL && spares->next < spares->end) {
        *pack = spares->next++;
        if (gate_allows(spares->repo, *pack) && damage_find(spares->damage, *pack) == NULL)
            return true;
    }
    return false;
}

static void *scan(void *context)
{
    struct spares *spares = context;
    uint32_t pack = 0;
    pthread_mutex_lock(&spares->lock);
    while (take(spares, &pack)) {
        struct pack_trailer *trailer = NULL;
        auto_error struct firn_error *why = NULL;
        uint8_t id[FORMAT_ID_LENGTH];
        pack_table_id(spares->repo->packs, pack, id);
        pthread_mutex_unlock(&spares->lock);
        bool read =
            cancel_check(&why) == 0 && pack_trailer_read(spares->repo, id, &trailer, &why) == 0;
        pthread_mutex_lock(&spares->lock);
        for (uint32_t i = 0; read && i < trailer->chunk_count; i++)
            offer(spares, pack, i, &trailer->chunks[i]);
        pack_trailer_free(trailer);
        bool gone = error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND;
        if (!read && !gone && spares->error == NULL)
            spares->error = steal(why);
    }
    pthread_mutex_unlock(&spares->lock);
    return NULL;
}

int spares_scan(struct spares *spares, struct firn_error **err)
{
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    spares->next = 0;
    spares->end = pack_table_count(spares->repo->packs);
    if (spares->count == 0)
        return 0;
    while (started < THREADS_MAX && started < spares->end / 8 &&
           pthread_create(&threads[started], NULL, scan, spares) == 0)
        started++;
    scan(spares);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (spares->error == NULL)
        return 0;
    error_set(err, error_code(spares->error), "%s", error_message(spares->error));
    error_clear(&spares->error);
    return -1;
}

/* ------------------------------------------------------------------------------------------------ reading */

static int prepare(struct spares *spares, struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    if (spares->reader != NULL)
        return 0;
    spares->frame = mem_aligned(FORMAT_CHUNK_MAX);
    int result = keyring_fingerprint_key(&spares->repo->keyring, key, err);
    if (result == 0)
        result = fingerprinter_new(key, &spares->fingerprinter, err);
    OPENSSL_cleanse(key, sizeof(key));
    return result < 0 ? -1 : pack_reader_new(spares->repo, &spares->reader, err);
}

static int read_frame(struct spares *spares, uint32_t pack, const struct pack_trailer *trailer,
                      uint32_t number, struct firn_error **err)
{
    if (spares->frame_pack == pack && spares->frame_number == number)
        return 0;
    spares->frame_pack = PACK_NONE;
    if (prepare(spares, err) < 0 ||
        pack_reader_frame(spares->reader, trailer, number, number, spares->frame, err) < 0)
        return -1;
    spares->frame_pack = pack;
    spares->frame_number = number;
    return 0;
}

static int prove_chunk(struct spares *spares, const struct pack_chunk *chunk,
                       struct firn_error **err)
{
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    if (fingerprinter_make(spares->fingerprinter, (enum format_chunk)chunk->kind,
                           spares->frame + chunk->offset, chunk->length, fingerprint, err) < 0)
        return -1;
    if (memcmp(fingerprint, chunk->fingerprint, sizeof(fingerprint)) != 0)
        return fail(err, FIRN_CORRUPT, "a chunk is not what its fingerprint says");
    return 0;
}

int spares_prove(struct spares *spares, uint32_t pack, uint32_t ordinal, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (trailer_hold(spares->repo, pack, &trailer, err) < 0)
        return -1;
    int result = ordinal < trailer->chunk_count
                     ? read_frame(spares, pack, trailer, trailer->chunks[ordinal].frame, err)
                     : fail(err, FIRN_CORRUPT, "a pack has lost chunks");
    if (result == 0)
        result = prove_chunk(spares, &trailer->chunks[ordinal], err);
    trailer_release(spares->repo, trailer);
    return result;
}

/* ------------------------------------------------------------------------------------------------ salvage */

/* A pack that takes what another still holds. */
struct rescue {
    struct pack_writer *writer; /* NULL: nothing was taken yet */
    struct compressor *compressor;
    struct pack_chunk *chunks; /* taken so far, in their new order */
    uint32_t count;
};

static bool is_needed(const struct spares *spares, const struct pack_trailer *trailer,
                      const struct pack_frame *frame)
{
    for (uint32_t i = 0; i < frame->chunk_count; i++) {
        const struct pack_chunk *chunk = &trailer->chunks[frame->first_chunk + i];
        if (place_of(spares, chunk->kind, chunk->fingerprint)->pack == PACK_NONE)
            return true;
    }
    return false;
}

/* The frame that was read goes into the new pack as it is. */
static int rescue_frame(struct spares *spares, struct rescue *rescue,
                        const struct pack_trailer *trailer, const struct pack_frame *frame,
                        struct firn_error **err)
{
    const struct pack_chunk *chunks = &trailer->chunks[frame->first_chunk];
    const void *payload = NULL;
    size_t length = 0;
    bool compressed = false;
    for (uint32_t i = 0; i < frame->chunk_count; i++)
        if (prove_chunk(spares, &chunks[i], err) < 0)
            return -1;
    if (rescue->writer == NULL &&
        pack_writer_open(spares->repo, FORMAT_DATA, &rescue->writer, err) < 0)
        return -1;
    if (compressor_run(rescue->compressor, spares->frame, frame->raw, &payload, &length,
                       &compressed, err) < 0 ||
        pack_writer_append(rescue->writer, payload, length, frame->raw, compressed, chunks,
                           frame->chunk_count, err) < 0)
        return -1;
    memcpy(rescue->chunks + rescue->count, chunks, frame->chunk_count * sizeof(*chunks));
    rescue->count += frame->chunk_count;
    return 0;
}

static int rescue_frames(struct spares *spares, uint32_t pack, const struct pack_trailer *trailer,
                         struct rescue *rescue, uint64_t *bytes, struct firn_error **err)
{
    const struct damaged_pack *damaged = damage_find(spares->damage, pack);
    for (uint32_t i = 0; i < trailer->frame_count; i++) {
        const struct pack_frame *frame = &trailer->frames[i];
        if (damaged_pack_lost(damaged, i) || !is_needed(spares, trailer, frame))
            continue;
        if (cancel_check(err) < 0 || read_frame(spares, pack, trailer, i, err) < 0 ||
            rescue_frame(spares, rescue, trailer, frame, err) < 0)
            return -1;
        *bytes += frame->raw;
    }
    return 0;
}

/* The new pack is durable: its chunks are found from now on. */
static int finish_rescue(struct spares *spares, struct rescue *rescue, struct firn_error **err)
{
    uint32_t number = 0;
    if (rescue->writer == NULL)
        return 0;
    if (pack_table_number(spares->repo->packs, pack_writer_id(rescue->writer), &number, err) < 0 ||
        pack_writer_finish(steal(rescue->writer), NULL, 0, err) < 0)
        return -1;
    pack_table_set_present(spares->repo->packs, number);
    for (uint32_t i = 0; i < rescue->count; i++)
        offer(spares, number, i, &rescue->chunks[i]);
    return 0;
}

static int salvage_pack(struct spares *spares, uint32_t pack, struct compressor *compressor,
                        uint64_t *bytes, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (trailer_hold(spares->repo, pack, &trailer, err) < 0)
        return -1;
    struct rescue rescue = {.compressor = compressor};
    rescue.chunks = mem_array(trailer->chunk_count + 1, sizeof(*rescue.chunks));
    int result = trailer->class == FORMAT_DATA
                     ? rescue_frames(spares, pack, trailer, &rescue, bytes, err)
                     : 0; /* maps are written anew */
    if (result == 0)
        result = finish_rescue(spares, &rescue, err);
    pack_writer_abort(rescue.writer);
    free(rescue.chunks);
    trailer_release(spares->repo, trailer);
    return result;
}

int spares_salvage(struct spares *spares, uint64_t *bytes, struct firn_error **err)
{
    struct compressor *compressor = NULL;
    if (compressor_new(COMPRESS_LEVEL, &compressor, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; result == 0 && i < spares->wanted_count; i++)
        result = salvage_pack(spares, spares->wanted[i], compressor, bytes, err);
    compressor_free(compressor);
    return result;
}
