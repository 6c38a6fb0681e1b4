/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs: trailer and frames, behind their seals. The first byte says how the rest is taken:
 *
 *     even    u16 length of the trailer | u8 references | trailer | references | contents of the frames that the trailer names
 *     odd     the whole pack as it lies in the store
 *
 * What is taken adds up: frames lie one behind the other, chunks fill them, and reading a frame gives its bytes or fails.
 */
#include "memory_store.h"

#include "repo/crypt.h"
#include "repo/pack.h"
#include "repo/pack_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACK_MOST (4u * 1024u * 1024u)

static const uint8_t pack_id[FORMAT_ID_LENGTH] = {0xab, 0xcd, 1};

struct keys {
    uint8_t keying[FORMAT_KEYING_LENGTH];
    struct sealer *frames, *trailer;
};

static void make_header(const struct repo *repo, const struct keys *keys, struct buf *pack)
{
    static const uint8_t zeros[PACK_HEADER_LENGTH];
    buf_append(pack, PACK_HEADER_MAGIC, 8);
    buf_le32(pack, FORMAT_VERSION);
    buf_le32(pack, FORMAT_DATA);
    buf_append(pack, repo->id, FORMAT_ID_LENGTH);
    buf_append(pack, pack_id, FORMAT_ID_LENGTH);
    buf_append(pack, keys->keying, FORMAT_KEYING_LENGTH);
    buf_append(pack, zeros, PACK_HEADER_LENGTH - 4 - pack->length);
    buf_le32(pack, crypt_crc32c(0, pack->data, pack->length));
}

static void seal_into(struct sealer *sealer, const void *aad, size_t aad_length, const void *plain,
                      size_t length, struct buf *pack)
{
    auto_free uint8_t *sealed = mem_alloc(length + CRYPT_OVERHEAD);
    if (sealer_seal(sealer, aad, aad_length, plain, length, sealed, NULL) < 0)
        abort();
    buf_append(pack, sealed, length + CRYPT_OVERHEAD);
}

/* The frames that the trailer names, sealed, of the contents, which are repeated as often as needed. */
static void make_frames(const struct repo *repo, struct sealer *sealer, struct cursor trailer,
                        struct cursor contents, struct buf *pack)
{
    uint32_t frames = cursor_le32(&trailer);
    cursor_le32(&trailer);
    for (uint32_t i = 0; i < frames && !trailer.failed && pack->length < PACK_MOST; i++) {
        uint32_t stored = cursor_le32(&trailer), raw = cursor_le32(&trailer);
        bool compressed = (cursor_le32(&trailer) & PACK_COMPRESSED) != 0;
        if (trailer.failed || stored < CRYPT_OVERHEAD || stored > FORMAT_CHUNK_MAX + CRYPT_OVERHEAD)
            return;
        auto_free uint8_t *plain = mem_array(stored, 1);
        size_t length = stored - CRYPT_OVERHEAD;
        size_t part = length < contents.length ? length : contents.length;
        if (part > 0)
            memcpy(plain, cursor_bytes(&contents, part), part);
        uint8_t aad[PACK_FRAME_AAD];
        pack_frame_aad(repo->id, pack_id, i, compressed, raw, aad);
        seal_into(sealer, aad, sizeof(aad), plain, length, pack);
    }
}

static void make_end(const struct keys *keys, const uint8_t *trailer, size_t trailer_length,
                     const uint8_t *references, uint32_t count, struct buf *pack)
{
    uint8_t header[PACK_HEADER_LENGTH];
    memcpy(header, pack->data, sizeof(header));
    uint64_t place = pack->length;
    auto_buf struct buf aad = buf_new(SIZE_MAX);
    buf_append(&aad, header, sizeof(header));
    buf_append(&aad, references, (size_t)count * FORMAT_ID_LENGTH);
    buf_append(pack, references, (size_t)count * FORMAT_ID_LENGTH);
    seal_into(keys->trailer, aad.data, aad.length, trailer, trailer_length, pack);
    buf_append(pack, header, sizeof(header));
    size_t tail = pack->length;
    buf_append(pack, PACK_TAIL_MAGIC, 8);
    buf_le64(pack, tail + PACK_TAIL_LENGTH);
    buf_le64(pack, place);
    buf_le32(pack, count);
    buf_le32(pack, (uint32_t)trailer_length + CRYPT_OVERHEAD);
    buf_le32(pack, 0);
    buf_le32(pack, crypt_crc32c(0, references, (size_t)count * FORMAT_ID_LENGTH));
    static const uint8_t zeros[PACK_TAIL_LENGTH];
    buf_append(pack, zeros, tail + PACK_TAIL_LENGTH - 4 - pack->length);
    buf_le32(pack, crypt_crc32c(0, pack->data + tail, PACK_TAIL_LENGTH - 4));
}

static void make_pack(struct repo *repo, const uint8_t *data, size_t size, struct buf *pack)
{
    struct cursor input = cursor_new(data, size);
    size_t trailer_length = cursor_le16(&input);
    uint32_t count = cursor_u8(&input) % 8;
    if (trailer_length > input.length)
        trailer_length = input.length;
    const uint8_t *trailer = cursor_bytes(&input, trailer_length);
    if (count > input.length / FORMAT_ID_LENGTH)
        count = (uint32_t)(input.length / FORMAT_ID_LENGTH);
    const uint8_t *references = cursor_bytes(&input, count * FORMAT_ID_LENGTH);
    if (input.failed)
        return;
    struct keys keys = {.frames = NULL};
    uint8_t key[FORMAT_KEY_LENGTH];
    if (keyring_new_key(&repo->keyring, FORMAT_DATA, keys.keying, key, NULL) < 0 ||
        sealer_new(key, &keys.frames, NULL) < 0 ||
        keyring_trailer_key(&repo->keyring, keys.keying, key, NULL) < 0 ||
        sealer_new(key, &keys.trailer, NULL) < 0)
        abort();
    make_header(repo, &keys, pack);
    make_frames(repo, keys.frames, cursor_new(trailer, trailer_length), input, pack);
    make_end(&keys, trailer, trailer_length, references, count, pack);
    sealer_free(keys.frames);
    sealer_free(keys.trailer);
}

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void check_trailer(const struct pack_trailer *trailer)
{
    uint64_t offset = PACK_HEADER_LENGTH;
    uint32_t chunk = 0;
    for (uint32_t i = 0; i < trailer->frame_count; i++) {
        const struct pack_frame *frame = &trailer->frames[i];
        uint32_t filled = 0;
        expect(frame->offset == offset && frame->raw <= FORMAT_CHUNK_MAX &&
               frame->first_chunk == chunk && frame->chunk_count > 0);
        for (; chunk < frame->first_chunk + frame->chunk_count; chunk++) {
            expect(chunk < trailer->chunk_count && trailer->chunks[chunk].frame == i &&
                   trailer->chunks[chunk].offset == filled && trailer->chunks[chunk].length > 0);
            filled += trailer->chunks[chunk].length;
        }
        expect(filled == frame->raw);
        offset += frame->stored;
    }
    expect(chunk == trailer->chunk_count && offset < trailer->length);
}

static void read_frames(struct repo *repo, const struct pack_trailer *trailer)
{
    struct pack_reader *reader = NULL;
    if (pack_reader_new(repo, &reader, NULL) < 0)
        abort();
    for (uint32_t i = 0; i < trailer->frame_count && i < 16; i++) {
        auto_free uint8_t *out = mem_alloc(trailer->frames[i].raw);
        pack_reader_frame(reader, trailer, i, trailer->frame_count - 1, out, NULL);
    }
    pack_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct repo *repo = memory_repo();
    auto_buf struct buf pack = buf_new(2 * PACK_MOST);
    if (size > 0 && data[0] % 2 == 0)
        make_pack(repo, data + 1, size - 1, &pack);
    else if (size > 0)
        buf_append(&pack, data + 1, size - 1);
    char name[PACK_NAME_LENGTH];
    pack_name(pack_id, name);
    if (store_put(repo->store, name, pack.data == NULL ? "" : pack.data, pack.length, NULL) < 0)
        abort();
    struct pack_trailer *trailer = NULL;
    if (pack_trailer_read(repo, pack_id, &trailer, NULL) == 0) {
        check_trailer(trailer);
        read_frames(repo, trailer);
    }
    pack_trailer_free(trailer);
    uint8_t(*references)[FORMAT_ID_LENGTH] = NULL;
    size_t count = 0;
    if (pack_references_read(repo, pack_id, pack.length, &references, &count, NULL) == 0)
        free(references);
    if (store_remove(repo->store, name, NULL) < 0)
        abort();
    return 0;
}
