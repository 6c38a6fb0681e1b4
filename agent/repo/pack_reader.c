/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames are read through a window on the pack that is aligned for direct I/O and holds a few of
 * them.
 */
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "pack.h"
#include "pack_layout.h"
#include "pack_table.h"
#include "repo.h"
#include "store/store.h"

#include <openssl/crypto.h>
#include <zstd.h>

#define PAGE 4096u

struct pack_reader {
    struct repo *repo;
    ZSTD_DCtx *decompressor;
    uint8_t pack[FORMAT_ID_LENGTH]; /* what unsealer and window belong to, if unsealer is set */
    struct unsealer *unsealer;
    size_t ahead; /* read this far ahead, if it is wanted: what the store likes to be asked for */
    uint8_t *window;
    uint64_t window_begin;
    size_t window_length;
    uint8_t *plain; /* a compressed frame, opened */
};

int pack_reader_new(struct repo *repo, struct pack_reader **out, struct firn_error **err)
{
    struct pack_reader *reader = mem_zalloc(sizeof(*reader));
    reader->repo = repo;
    reader->ahead = store_manner(repo->store)->range;
    reader->window = mem_aligned(reader->ahead + FORMAT_CHUNK_MAX + CRYPT_OVERHEAD + 2 * PAGE);
    reader->plain = mem_aligned(FORMAT_CHUNK_MAX);
    reader->decompressor = ZSTD_createDCtx();
    *out = reader;
    if (reader->decompressor == NULL) {
        pack_reader_free(steal(*out));
        return fail(err, FIRN_INTERNAL, "no memory for a decompressor");
    }
    return 0;
}

void pack_reader_free(struct pack_reader *reader)
{
    if (reader == NULL)
        return;
    unsealer_free(reader->unsealer);
    ZSTD_freeDCtx(reader->decompressor);
    free(reader->window);
    if (reader->plain != NULL)
        OPENSSL_cleanse(reader->plain, FORMAT_CHUNK_MAX);
    free(reader->plain);
    free(reader);
}

uint64_t pack_span(const struct pack_trailer *trailer, uint32_t first, uint32_t last)
{
    return trailer->frames[last].offset + trailer->frames[last].stored -
           trailer->frames[first].offset;
}

/* Turns the reader to another pack. */
static int turn_to(struct pack_reader *reader, const struct pack_trailer *trailer,
                   struct firn_error **err)
{
    if (reader->unsealer != NULL && memcmp(reader->pack, trailer->id, FORMAT_ID_LENGTH) == 0)
        return 0;
    unsealer_free(steal(reader->unsealer));
    reader->window_length = 0;
    uint8_t key[FORMAT_KEY_LENGTH];
    int result = keyring_key(&reader->repo->keyring, trailer->class, trailer->keying, key, err);
    if (result == 0)
        result = unsealer_new(key, &reader->unsealer, err);
    OPENSSL_cleanse(key, sizeof(key));
    memcpy(reader->pack, trailer->id, FORMAT_ID_LENGTH);
    return result;
}

/* Makes the window hold the frame, and as much of what follows up to the frame `through` as fits. */
static int look_at(struct pack_reader *reader, const struct pack_trailer *trailer, uint32_t number,
                   uint32_t through, const uint8_t **sealed, struct firn_error **err)
{
    const struct pack_frame *frame = &trailer->frames[number];
    uint64_t begin = reader->window_begin;
    if (frame->offset < begin || frame->offset + frame->stored > begin + reader->window_length) {
        begin = frame->offset - frame->offset % PAGE;
        uint64_t end = frame->offset + frame->stored;
        for (uint32_t next = number + 1; next <= through && next < trailer->frame_count; next++) {
            if (pack_span(trailer, number, next) > reader->ahead)
                break;
            end = trailer->frames[next].offset + trailer->frames[next].stored;
        }
        end = (end + PAGE - 1) / PAGE * PAGE;
        if (end > trailer->length)
            end = trailer->length;
        char name[PACK_NAME_LENGTH];
        pack_name(trailer->id, name);
        reader->window_length = 0;
        if (store_get(reader->repo->store, name, begin, reader->window, end - begin, err) < 0)
            return -1;
        reader->window_begin = begin;
        reader->window_length = end - begin;
    }
    *sealed = reader->window + (frame->offset - begin);
    return 0;
}

static int open_frame(struct pack_reader *reader, const struct pack_trailer *trailer,
                      uint32_t number, const uint8_t *sealed, void *out, struct firn_error **err)
{
    const struct pack_frame *frame = &trailer->frames[number];
    uint8_t aad[PACK_FRAME_AAD];
    pack_frame_aad(reader->repo->id, trailer->id, number, frame->compressed, frame->raw, aad);
    void *plain = frame->compressed ? reader->plain : out;
    if (unsealer_open(reader->unsealer, aad, sizeof(aad), sealed, frame->stored, plain, err) < 0)
        return -1;
    if (!frame->compressed)
        return 0;
    size_t length = ZSTD_decompressDCtx(reader->decompressor, out, frame->raw, plain,
                                        frame->stored - CRYPT_OVERHEAD);
    if (ZSTD_isError(length))
        return fail(err, FIRN_CORRUPT, "it does not uncompress: %s", ZSTD_getErrorName(length));
    if (length != frame->raw)
        return fail(err, FIRN_CORRUPT, "it uncompresses to %zu bytes, and should to %u", length,
                    frame->raw);
    return 0;
}

int pack_reader_frame(struct pack_reader *reader, const struct pack_trailer *trailer,
                      uint32_t number, uint32_t through, void *out, struct firn_error **err)
{
    const uint8_t *sealed = NULL;
    if (turn_to(reader, trailer, err) < 0 ||
        look_at(reader, trailer, number, through, &sealed, err) < 0)
        return -1;
    if (open_frame(reader, trailer, number, sealed, out, err) < 0) {
        char name[PACK_NAME_LENGTH];
        pack_name(trailer->id, name);
        return wrap(err, "%s: frame %u at offset %llu", name, number,
                    (unsigned long long)trailer->frames[number].offset);
    }
    return 0;
}
