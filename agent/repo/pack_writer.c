/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames are sealed straight into a staging area that is aligned for direct I/O; whole pages of it
 * go to the store.
 */
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "pack.h"
#include "pack_layout.h"
#include "protection.h"
#include "repo.h"
#include "store/store.h"

#include <assert.h>
#include <openssl/crypto.h>

#define PAGE        4096u
#define STAGE_FLUSH (2u * 1024u * 1024u) /* written to the store once this much is staged */
#define STAGE_SIZE  (STAGE_FLUSH + 2u * FORMAT_CHUNK_MAX)

struct pack_writer {
    struct repo *repo;
    struct store_writer *file;
    struct sealer *frames;
    struct sealer *trailer;
    uint8_t header[PACK_HEADER_LENGTH];
    uint8_t id[FORMAT_ID_LENGTH];
    uint8_t *stage;
    size_t staged;
    uint64_t length; /* of all that was appended, staged or written */
    uint32_t crc;
    struct buf frame_records;
    struct buf chunk_records;
    uint32_t frame_count;
    uint32_t chunk_count;
};

static void writer_free(struct pack_writer *writer)
{
    store_writer_abort(writer->file);
    sealer_free(writer->frames);
    sealer_free(writer->trailer);
    buf_free(&writer->frame_records);
    buf_free(&writer->chunk_records);
    free(writer->stage);
    free(writer);
}

static void make_header(struct pack_writer *writer, enum format_class class, const uint8_t *keying)
{
    auto_buf struct buf header = buf_new(PACK_HEADER_LENGTH);
    buf_append(&header, PACK_HEADER_MAGIC, 8);
    buf_le32(&header, FORMAT_VERSION);
    buf_le32(&header, (uint32_t) class);
    buf_append(&header, writer->repo->id, FORMAT_ID_LENGTH);
    buf_append(&header, writer->id, FORMAT_ID_LENGTH);
    buf_append(&header, keying, FORMAT_KEYING_LENGTH);
    static const uint8_t zeros[PACK_HEADER_LENGTH];
    buf_append(&header, zeros, PACK_HEADER_LENGTH - 4 - header.length);
    buf_le32(&header, crypt_crc32c(0, header.data, header.length));
    memcpy(writer->header, header.data, PACK_HEADER_LENGTH);
}

static int make_keys(struct pack_writer *writer, enum format_class class, struct firn_error **err)
{
    uint8_t keying[FORMAT_KEYING_LENGTH], key[FORMAT_KEY_LENGTH];
    int result = keyring_new_key(&writer->repo->keyring, class, keying, key, err);
    if (result == 0)
        result = sealer_new(key, &writer->frames, err);
    if (result == 0)
        result = keyring_trailer_key(&writer->repo->keyring, keying, key, err);
    if (result == 0)
        result = sealer_new(key, &writer->trailer, err);
    OPENSSL_cleanse(key, sizeof(key));
    if (result == 0)
        make_header(writer, class, keying);
    return result;
}

/* Writes out the first `length` bytes of the stage. */
static int stage_write(struct pack_writer *writer, size_t length, struct firn_error **err)
{
    if (length == 0)
        return 0;
    if (store_write(writer->file, writer->stage, length, err) < 0)
        return -1;
    writer->staged -= length;
    memmove(writer->stage, writer->stage + length, writer->staged);
    return 0;
}

/* Accounts for `length` bytes that were put at the end of the stage. */
static int stage_grow(struct pack_writer *writer, size_t length, struct firn_error **err)
{
    writer->crc = crypt_crc32c(writer->crc, writer->stage + writer->staged, length);
    writer->staged += length;
    writer->length += length;
    if (writer->staged < STAGE_FLUSH)
        return 0;
    return stage_write(writer, writer->staged - writer->staged % PAGE, err);
}

static int stage_append(struct pack_writer *writer, const void *data, size_t length,
                        struct firn_error **err)
{
    const uint8_t *from = data;
    while (length > 0) {
        size_t part = length < FORMAT_CHUNK_MAX ? length : FORMAT_CHUNK_MAX;
        memcpy(writer->stage + writer->staged, from, part);
        if (stage_grow(writer, part, err) < 0)
            return -1;
        from += part;
        length -= part;
    }
    return 0;
}

int pack_writer_open(struct repo *repo, enum format_class class, struct pack_writer **out,
                     struct firn_error **err)
{
    struct pack_writer *writer = mem_zalloc(sizeof(*writer));
    writer->repo = repo;
    writer->stage = mem_aligned(STAGE_SIZE);
    writer->frame_records = buf_new((size_t)FORMAT_PACK_CHUNKS_MAX * PACK_FRAME_RECORD);
    writer->chunk_records = buf_new((size_t)FORMAT_PACK_CHUNKS_MAX * PACK_CHUNK_RECORD);
    crypt_random(writer->id, sizeof(writer->id));
    char name[PACK_NAME_LENGTH];
    pack_name(writer->id, name);
    if (make_keys(writer, class, err) < 0 ||
        store_writer_open(repo->store, name, &writer->file, err) < 0 ||
        stage_append(writer, writer->header, PACK_HEADER_LENGTH, err) < 0) {
        writer_free(writer);
        return wrap(err, "begin a pack");
    }
    *out = writer;
    return 0;
}

const uint8_t *pack_writer_id(const struct pack_writer *writer)
{
    return writer->id;
}

uint64_t pack_writer_stored(const struct pack_writer *writer)
{
    return writer->length;
}

int pack_writer_append(struct pack_writer *writer, const void *payload, size_t length, uint32_t raw,
                       bool compressed, const struct pack_chunk *chunks, size_t chunk_count,
                       struct firn_error **err)
{
    assert(length <= FORMAT_CHUNK_MAX && raw <= FORMAT_CHUNK_MAX && chunk_count > 0);
    uint8_t aad[PACK_FRAME_AAD];
    pack_frame_aad(writer->repo->id, writer->id, writer->frame_count, compressed, raw, aad);
    size_t sealed = length + CRYPT_OVERHEAD;
    if (sealer_seal(writer->frames, aad, sizeof(aad), payload, length,
                    writer->stage + writer->staged, err) < 0)
        return wrap(err, "seal a frame");
    buf_le32(&writer->frame_records, (uint32_t)sealed);
    buf_le32(&writer->frame_records, raw);
    buf_le32(&writer->frame_records, (uint32_t)chunk_count | (compressed ? PACK_COMPRESSED : 0));
    for (size_t i = 0; i < chunk_count; i++) {
        buf_le32(&writer->chunk_records, (uint32_t)chunks[i].kind << 24 | chunks[i].length);
        buf_append(&writer->chunk_records, chunks[i].fingerprint, FORMAT_FINGERPRINT_LENGTH);
    }
    writer->frame_count++;
    writer->chunk_count += (uint32_t)chunk_count;
    return stage_grow(writer, sealed, err);
}

/* Seals the trailer, with the header and the references as its associated data. */
static int append_trailer(struct pack_writer *writer, const void *references,
                          size_t references_length, size_t *sealed_length, struct firn_error **err)
{
    size_t limit = 16 + writer->frame_records.length + writer->chunk_records.length;
    auto_buf struct buf plain = buf_new(limit);
    buf_le32(&plain, writer->frame_count);
    buf_le32(&plain, writer->chunk_count);
    buf_append(&plain, writer->frame_records.data, writer->frame_records.length);
    buf_append(&plain, writer->chunk_records.data, writer->chunk_records.length);
    if (buf_check(&writer->frame_records, "frame table", err) < 0 ||
        buf_check(&writer->chunk_records, "chunk table", err) < 0 ||
        buf_check(&plain, "trailer", err) < 0)
        return -1;
    auto_buf struct buf aad = buf_new(PACK_HEADER_LENGTH + references_length);
    buf_append(&aad, writer->header, PACK_HEADER_LENGTH);
    buf_append(&aad, references, references_length);
    *sealed_length = plain.length + CRYPT_OVERHEAD;
    auto_free uint8_t *sealed = mem_alloc(*sealed_length);
    if (sealer_seal(writer->trailer, aad.data, aad.length, plain.data, plain.length, sealed, err) <
        0)
        return wrap(err, "seal a trailer");
    return stage_append(writer, sealed, *sealed_length, err);
}

static int append_tail(struct pack_writer *writer, const struct pack_tail *tail,
                       struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(PACK_TAIL_LENGTH);
    buf_append(&bytes, PACK_TAIL_MAGIC, 8);
    buf_le64(&bytes, tail->length);
    buf_le64(&bytes, tail->references);
    buf_le32(&bytes, tail->reference_count);
    buf_le32(&bytes, tail->trailer_length);
    buf_le32(&bytes, tail->pack_crc);
    buf_le32(&bytes, tail->references_crc);
    static const uint8_t zeros[PACK_TAIL_LENGTH];
    buf_append(&bytes, zeros, PACK_TAIL_LENGTH - 4 - bytes.length);
    buf_le32(&bytes, crypt_crc32c(0, bytes.data, bytes.length));
    return stage_append(writer, bytes.data, bytes.length, err);
}

static int write_end(struct pack_writer *writer, const void *references, size_t count,
                     struct firn_error **err)
{
    struct pack_tail tail = {.references = writer->length, .reference_count = (uint32_t)count};
    size_t trailer = 0;
    if (stage_append(writer, references, count * FORMAT_ID_LENGTH, err) < 0 ||
        append_trailer(writer, references, count * FORMAT_ID_LENGTH, &trailer, err) < 0 ||
        stage_append(writer, writer->header, PACK_HEADER_LENGTH, err) < 0)
        return -1;
    tail.trailer_length = (uint32_t)trailer;
    tail.length = writer->length + PACK_TAIL_LENGTH;
    tail.pack_crc = writer->crc;
    tail.references_crc = crypt_crc32c(0, references, count * FORMAT_ID_LENGTH);
    if (append_tail(writer, &tail, err) < 0)
        return -1;
    return stage_write(writer, writer->staged, err);
}

int pack_writer_finish(struct pack_writer *writer, const uint8_t (*references)[FORMAT_ID_LENGTH],
                       size_t reference_count, struct firn_error **err)
{
    int result = write_end(writer, references, reference_count, err);
    free(steal(writer->stage)); /* the store may take its time */
    if (result == 0)
        result = store_writer_finish(steal(writer->file), err);
    uint32_t number = 0;
    if (result == 0)
        result = pack_table_number(writer->repo->packs, writer->id, &number, err);
    if (result < 0)
        error_wrap(err, "finish a pack");
    else
        protection_note_written(writer->repo, number);
    writer_free(writer);
    return result;
}

void pack_writer_abort(struct pack_writer *writer)
{
    if (writer != NULL)
        writer_free(writer);
}
