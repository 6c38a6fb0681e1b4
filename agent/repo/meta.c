/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A meta pack is closed at a few MiB. Until it is durable, its chunks are kept in memory,
 * compressed, on the repository's shelf, so that a run that was just written can be read back (to
 * merge runs).
 */
#include "meta.h"

#include "compress.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "gate.h"
#include "pack.h"
#include "repo.h"
#include "trailer_cache.h"

#include <assert.h>
#include <pthread.h>

#define META_PACK_STORED    (4u * 1024u * 1024u)
#define META_PACK_CHUNKS    4096u
#define META_REFERENCES_MAX (1u << 22)
#define READ_AHEAD          8u /* frames */

struct kept_chunk {
    void *payload;
    size_t length;
    uint32_t raw;
    bool compressed;
};

struct meta_writer {
    struct repo *repo;
    pthread_mutex_t lock;
    struct pack_writer *pack; /* NULL: none open */
    uint32_t number;
    struct kept_chunk *kept; /* of the open pack, by ordinal */
    uint32_t kept_count;
    struct compressor *compressor;
    struct fingerprinter *fingerprinter;
    uint8_t (*references)[FORMAT_ID_LENGTH];
    size_t reference_count;
    uint8_t *referenced; /* bit set of pack numbers that are in references */
    size_t referenced_length;
    uint64_t stored;
    uint32_t packs;
    bool failed;              /* what it holds is not what its callers were told */
    struct meta_writer *next; /* on the shelf */
};

struct meta_shelf {
    pthread_mutex_t lock;
    struct meta_writer *writers;
    struct pack_reader *reader;
    uint32_t last_pack, last_frame; /* that it read */
};

struct meta_shelf *meta_shelf_new(void)
{
    struct meta_shelf *shelf = mem_zalloc(sizeof(*shelf));
    shelf->last_pack = PACK_NONE;
    pthread_mutex_init(&shelf->lock, NULL);
    return shelf;
}

void meta_shelf_free(struct meta_shelf *shelf)
{
    if (shelf == NULL)
        return;
    assert(shelf->writers == NULL);
    pack_reader_free(shelf->reader);
    pthread_mutex_destroy(&shelf->lock);
    free(shelf);
}

int meta_writer_new(struct repo *repo, struct meta_writer **out, struct firn_error **err)
{
    struct meta_writer *meta = mem_zalloc(sizeof(*meta));
    meta->repo = repo;
    pthread_mutex_init(&meta->lock, NULL);
    uint8_t key[FORMAT_KEY_LENGTH];
    if (keyring_fingerprint_key(&repo->keyring, key, err) < 0 ||
        fingerprinter_new(key, &meta->fingerprinter, err) < 0 ||
        compressor_new(COMPRESS_LEVEL_META, &meta->compressor, err) < 0) {
        meta_writer_abort(meta);
        return -1;
    }
    pthread_mutex_lock(&repo->meta->lock);
    meta->next = repo->meta->writers;
    repo->meta->writers = meta;
    pthread_mutex_unlock(&repo->meta->lock);
    *out = meta;
    return 0;
}

static void forget_pack(struct meta_writer *meta)
{
    for (uint32_t i = 0; i < meta->kept_count; i++)
        free(meta->kept[i].payload);
    meta->kept_count = 0;
    meta->reference_count = 0;
    if (meta->referenced != NULL)
        memset(meta->referenced, 0, meta->referenced_length);
}

static void writer_free(struct meta_writer *meta)
{
    struct meta_shelf *shelf = meta->repo->meta;
    pthread_mutex_lock(&shelf->lock);
    for (struct meta_writer **link = &shelf->writers; *link != NULL; link = &(*link)->next) {
        if (*link == meta) {
            *link = meta->next;
            break;
        }
    }
    pthread_mutex_unlock(&shelf->lock);
    pack_writer_abort(meta->pack);
    forget_pack(meta);
    compressor_free(meta->compressor);
    fingerprinter_free(meta->fingerprinter);
    free(meta->kept);
    free(meta->references);
    free(meta->referenced);
    pthread_mutex_destroy(&meta->lock);
    free(meta);
}

static int open_pack(struct meta_writer *meta, struct firn_error **err)
{
    if (pack_writer_open(meta->repo, FORMAT_META, &meta->pack, err) < 0)
        return -1;
    if (meta->kept == NULL)
        meta->kept = mem_array(META_PACK_CHUNKS, sizeof(*meta->kept));
    return pack_table_number(meta->repo->packs, pack_writer_id(meta->pack), &meta->number, err);
}

static int close_pack(struct meta_writer *meta, struct firn_error **err)
{
    if (meta->pack == NULL)
        return 0;
    uint8_t id[FORMAT_ID_LENGTH];
    memcpy(id, pack_writer_id(meta->pack), sizeof(id));
    meta->stored += pack_writer_stored(meta->pack);
    meta->packs++;
    if (pack_writer_finish(steal(meta->pack), (const uint8_t(*)[FORMAT_ID_LENGTH])meta->references,
                           meta->reference_count, err) < 0)
        return -1;
    pack_table_set_present(meta->repo->packs, meta->number);
    gate_written(meta->repo, id, (const uint8_t(*)[FORMAT_ID_LENGTH])meta->references,
                 meta->reference_count);
    forget_pack(meta);
    return 0;
}

/* After a failure the open pack may lack a chunk whose place is not free again: nothing of it may be committed, also
 * when the caller gives up only the object that met the failure. */
static int refuse_failed(const struct meta_writer *meta, struct firn_error **err)
{
    if (!meta->failed)
        return 0;
    return fail(err, FIRN_INTERNAL, "a map could not be written before: nothing can be committed");
}

/* Adds a pack to the references of the open pack, once. */
static int add_reference(struct meta_writer *meta, uint32_t pack, struct firn_error **err)
{
    size_t byte = pack / 8;
    if (pack == PACK_NONE || pack == meta->number)
        return 0;
    if (byte >= meta->referenced_length) {
        size_t length = byte * 2 + 64;
        meta->referenced = mem_resize(meta->referenced, length, 1);
        memset(meta->referenced + meta->referenced_length, 0, length - meta->referenced_length);
        meta->referenced_length = length;
    }
    if ((meta->referenced[byte] & 1u << pack % 8) != 0)
        return 0;
    if (meta->reference_count >= META_REFERENCES_MAX)
        return fail(err, FIRN_INTERNAL, "a meta pack relies on more than %u packs",
                    META_REFERENCES_MAX);
    meta->referenced[byte] |= (uint8_t)(1u << pack % 8);
    if (meta->reference_count % 1024 == 0)
        meta->references =
            mem_resize(meta->references, meta->reference_count + 1024, sizeof(*meta->references));
    pack_table_id(meta->repo->packs, pack, meta->references[meta->reference_count++]);
    return 0;
}

static int put_locked(struct meta_writer *meta, struct pack_chunk *chunk, const void *data,
                      uint32_t *pack, uint32_t *ordinal, struct firn_error **err)
{
    struct kept_chunk kept = {.raw = chunk->length};
    const void *payload = NULL;
    if (compressor_run(meta->compressor, data, chunk->length, &payload, &kept.length,
                       &kept.compressed, err) < 0 ||
        pack_writer_append(meta->pack, payload, kept.length, chunk->length, kept.compressed, chunk,
                           1, err) < 0)
        return -1;
    kept.payload = mem_dup(payload, kept.length);
    *pack = meta->number;
    *ordinal = meta->kept_count;
    meta->kept[meta->kept_count++] = kept;
    return 0;
}

int meta_writer_put(struct meta_writer *meta, enum format_chunk kind, const uint8_t *fingerprint,
                    const void *data, size_t length, const uint32_t *relies_on, size_t count,
                    uint32_t *pack, uint32_t *ordinal, struct firn_error **err)
{
    assert(length > 0 && length <= FORMAT_CHUNK_MAX);
    struct pack_chunk chunk = {.kind = (uint8_t)kind, .length = (uint32_t)length};
    pthread_mutex_lock(&meta->lock);
    int result = refuse_failed(meta, err);
    if (result == 0 && meta->pack == NULL)
        result = open_pack(meta, err);
    if (fingerprint != NULL)
        memcpy(chunk.fingerprint, fingerprint, FORMAT_FINGERPRINT_LENGTH);
    else if (result == 0)
        result =
            fingerprinter_make(meta->fingerprinter, kind, data, length, chunk.fingerprint, err);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add_reference(meta, relies_on[i], err);
    if (result == 0)
        result = put_locked(meta, &chunk, data, pack, ordinal, err);
    if (result == 0 && (pack_writer_stored(meta->pack) >= META_PACK_STORED ||
                        meta->kept_count == META_PACK_CHUNKS))
        result = close_pack(meta, err);
    meta->failed = result < 0;
    pthread_mutex_unlock(&meta->lock);
    return result;
}

int meta_writer_finish(struct meta_writer *meta, uint64_t *stored, uint32_t *packs,
                       struct firn_error **err)
{
    int result = refuse_failed(meta, err) < 0 ? -1 : close_pack(meta, err);
    *stored = meta->stored;
    *packs = meta->packs;
    writer_free(meta);
    return result;
}

void meta_writer_abort(struct meta_writer *meta)
{
    if (meta != NULL)
        writer_free(meta);
}

/* Looks for the chunk in the packs that are still open: 1 found and appended, 0 not there, -1. */
static int read_kept(struct meta_shelf *shelf, uint32_t pack, uint32_t ordinal, struct buf *out,
                     struct firn_error **err)
{
    int result = 0;
    for (struct meta_writer *meta = shelf->writers; meta != NULL && result == 0;
         meta = meta->next) {
        pthread_mutex_lock(&meta->lock);
        if (meta->pack != NULL && meta->number == pack && ordinal < meta->kept_count) {
            const struct kept_chunk *kept = &meta->kept[ordinal];
            result = compress_undo(kept->payload, kept->length, kept->compressed, kept->raw, out,
                                   err) < 0
                         ? -1
                         : 1;
        }
        pthread_mutex_unlock(&meta->lock);
    }
    return result;
}

static int read_stored(struct repo *repo, uint32_t pack, const struct pack_trailer *trailer,
                       uint32_t ordinal, struct buf *out, struct firn_error **err)
{
    if (trailer->class != FORMAT_META || ordinal >= trailer->chunk_count)
        return fail(err, FIRN_CORRUPT, "a map refers to chunk %u of a pack that has no such map",
                    ordinal);
    const struct pack_chunk *chunk = &trailer->chunks[ordinal];
    auto_free uint8_t *frame = mem_alloc(trailer->frames[chunk->frame].raw);
    if (repo->meta->reader == NULL && pack_reader_new(repo, &repo->meta->reader, err) < 0)
        return -1;
    struct meta_shelf *shelf = repo->meta;
    /* Whoever reads a run to its end reads its chunks in order; whoever looks for a place, or merges runs, does not. */
    bool follows = shelf->last_pack == pack && shelf->last_frame + 1 == chunk->frame;
    uint32_t through = chunk->frame + (follows ? READ_AHEAD : 0);
    if (pack_reader_frame(shelf->reader, trailer, chunk->frame, through, frame, err) < 0)
        return -1;
    shelf->last_pack = pack;
    shelf->last_frame = chunk->frame;
    buf_append(out, frame + chunk->offset, chunk->length);
    return buf_check(out, "map chunk", err);
}

int meta_read(struct repo *repo, uint32_t pack, uint32_t ordinal, struct buf *out,
              struct firn_error **err)
{
    struct meta_shelf *shelf = repo->meta;
    pthread_mutex_lock(&shelf->lock);
    int result = read_kept(shelf, pack, ordinal, out, err);
    if (result == 0) {
        const struct pack_trailer *trailer = NULL;
        result = trailer_hold(repo, pack, &trailer, err);
        if (result == 0)
            result = read_stored(repo, pack, trailer, ordinal, out, err);
        trailer_release(repo, trailer);
    }
    pthread_mutex_unlock(&shelf->lock);
    return result < 0 ? -1 : 0;
}
