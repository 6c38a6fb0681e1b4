/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the end of a pack: tail, header copy, trailer, references. Nothing in it is believed
 * before the trailer's seal, which covers the header and the references, was opened.
 */
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "pack.h"
#include "pack_layout.h"
#include "repo.h"
#include "store/store.h"

#include <openssl/crypto.h>

/* Read at once: holds the end of nearly every pack. */
#define END_WINDOW   (192u * 1024u)
#define CLEAR_WINDOW (16u * 1024u) /* holds what most meta packs say in the clear */
#define TRAILER_MAX                                                                                \
    (8u + FORMAT_PACK_CHUNKS_MAX * (PACK_FRAME_RECORD + PACK_CHUNK_RECORD) + CRYPT_OVERHEAD)
#define REFERENCES_MAX (1u << 22)
#define PAGE           4096u

/* The last `length` bytes of a pack, read so far. */
struct ending {
    const char *name;
    uint64_t pack_length;
    uint8_t *data;
    size_t length;
};

static int ending_read(struct repo *repo, struct ending *ending, uint64_t length,
                       struct firn_error **err)
{
    uint64_t begin = ending->pack_length - length;
    begin -= begin % PAGE;
    free(ending->data);
    ending->length = ending->pack_length - begin;
    ending->data = mem_aligned((ending->length + PAGE - 1) / PAGE * PAGE);
    return store_get(repo->store, ending->name, begin, ending->data, ending->length, err);
}

static int parse_tail(const struct ending *ending, struct pack_tail *tail, struct firn_error **err)
{
    const uint8_t *bytes = ending->data + ending->length - PACK_TAIL_LENGTH;
    struct cursor cursor = cursor_new(bytes, PACK_TAIL_LENGTH);
    const uint8_t *magic = cursor_bytes(&cursor, 8);
    tail->length = cursor_le64(&cursor);
    tail->references = cursor_le64(&cursor);
    tail->reference_count = cursor_le32(&cursor);
    tail->trailer_length = cursor_le32(&cursor);
    tail->pack_crc = cursor_le32(&cursor);
    tail->references_crc = cursor_le32(&cursor);
    cursor_bytes(&cursor, PACK_TAIL_LENGTH - 4 - 40);
    if (memcmp(magic, PACK_TAIL_MAGIC, 8) != 0 ||
        cursor_le32(&cursor) != crypt_crc32c(0, bytes, PACK_TAIL_LENGTH - 4))
        return fail(err, FIRN_CORRUPT, "%s: its tail is damaged or cut off", ending->name);
    if (tail->length != ending->pack_length)
        return fail(err, FIRN_CORRUPT, "%s: it has %llu bytes, and should have %llu", ending->name,
                    (unsigned long long)ending->pack_length, (unsigned long long)tail->length);
    uint64_t end =
        (uint64_t)tail->reference_count * FORMAT_ID_LENGTH + tail->trailer_length + PACK_END_LENGTH;
    if (tail->reference_count > REFERENCES_MAX || tail->trailer_length > TRAILER_MAX ||
        tail->trailer_length < CRYPT_OVERHEAD || tail->references < PACK_HEADER_LENGTH ||
        tail->references > tail->length || tail->length - tail->references != end)
        return fail(err, FIRN_CORRUPT, "%s: its tail states impossible lengths", ending->name);
    return 0;
}

static int parse_header(struct repo *repo, const char *name, const uint8_t *bytes,
                        const uint8_t *id, struct pack_trailer *trailer, struct firn_error **err)
{
    struct cursor cursor = cursor_new(bytes, PACK_HEADER_LENGTH);
    const uint8_t *magic = cursor_bytes(&cursor, 8);
    uint32_t version = cursor_le32(&cursor);
    uint32_t class = cursor_le32(&cursor);
    const uint8_t *repository = cursor_bytes(&cursor, FORMAT_ID_LENGTH);
    const uint8_t *own_id = cursor_bytes(&cursor, FORMAT_ID_LENGTH);
    memcpy(trailer->keying, cursor_bytes(&cursor, FORMAT_KEYING_LENGTH), FORMAT_KEYING_LENGTH);
    cursor_bytes(&cursor, PACK_HEADER_LENGTH - 4 - 208);
    if (memcmp(magic, PACK_HEADER_MAGIC, 8) != 0 ||
        cursor_le32(&cursor) != crypt_crc32c(0, bytes, PACK_HEADER_LENGTH - 4))
        return fail(err, FIRN_CORRUPT, "%s: its header is damaged", name);
    if (version != FORMAT_VERSION)
        return fail(err, FIRN_INVALID,
                    "%s: pack version %u; this Firn reads version %u: use a newer one", name,
                    version, FORMAT_VERSION);
    if (memcmp(repository, repo->id, FORMAT_ID_LENGTH) != 0 ||
        memcmp(own_id, id, FORMAT_ID_LENGTH) != 0)
        return fail(err, FIRN_CORRUPT, "%s: it is another pack, or of another repository", name);
    if (class != FORMAT_DATA && class != FORMAT_META)
        return fail(err, FIRN_CORRUPT, "%s: unknown class %u", name, class);
    trailer->class = (enum format_class) class;
    memcpy(trailer->id, id, FORMAT_ID_LENGTH);
    return 0;
}

static int parse_frames(struct pack_trailer *trailer, struct cursor *cursor, uint64_t end,
                        struct firn_error **err)
{
    uint64_t offset = PACK_HEADER_LENGTH;
    uint32_t chunk = 0;
    for (uint32_t i = 0; i < trailer->frame_count; i++) {
        struct pack_frame *frame = &trailer->frames[i];
        frame->offset = offset;
        frame->stored = cursor_le32(cursor);
        frame->raw = cursor_le32(cursor);
        uint32_t count = cursor_le32(cursor);
        frame->compressed = (count & PACK_COMPRESSED) != 0;
        frame->chunk_count = count & ~PACK_COMPRESSED;
        frame->first_chunk = chunk;
        if (frame->stored <= CRYPT_OVERHEAD || frame->stored > FORMAT_CHUNK_MAX + CRYPT_OVERHEAD ||
            frame->raw == 0 || frame->raw > FORMAT_CHUNK_MAX ||
            (!frame->compressed && frame->stored - CRYPT_OVERHEAD != frame->raw) ||
            frame->chunk_count == 0 || frame->chunk_count > trailer->chunk_count - chunk)
            return fail(err, FIRN_CORRUPT, "frame %u has impossible lengths", i);
        offset += frame->stored;
        chunk += frame->chunk_count;
    }
    if (offset != end || chunk != trailer->chunk_count)
        return fail(err, FIRN_CORRUPT, "frames and chunks do not add up");
    return 0;
}

static int parse_chunks(struct pack_trailer *trailer, struct cursor *cursor,
                        struct firn_error **err)
{
    for (uint32_t i = 0; i < trailer->frame_count; i++) {
        const struct pack_frame *frame = &trailer->frames[i];
        uint64_t offset = 0;
        for (uint32_t j = 0; j < frame->chunk_count; j++) {
            struct pack_chunk *chunk = &trailer->chunks[frame->first_chunk + j];
            uint32_t word = cursor_le32(cursor);
            chunk->kind = (uint8_t)(word >> 24);
            chunk->length = word & 0xffffff;
            chunk->frame = i;
            chunk->offset = (uint32_t)offset;
            memcpy(chunk->fingerprint, cursor_bytes(cursor, FORMAT_FINGERPRINT_LENGTH),
                   FORMAT_FINGERPRINT_LENGTH);
            offset += chunk->length;
            if (chunk->length == 0 || offset > frame->raw)
                return fail(err, FIRN_CORRUPT, "chunk %u has an impossible length",
                            frame->first_chunk + j);
        }
        if (offset != frame->raw)
            return fail(err, FIRN_CORRUPT, "the chunks of frame %u do not fill it", i);
    }
    return 0;
}

/* The opened trailer: u32 frames | u32 chunks | frames × (u32 stored, u32 raw, u32 chunks and flag)
 * | chunks × (u32 kind << 24 | length, fingerprint 32) */
static int parse_plain(struct pack_trailer *trailer, const uint8_t *plain, size_t length,
                       uint64_t end, struct firn_error **err)
{
    struct cursor cursor = cursor_new(plain, length);
    trailer->frame_count = cursor_le32(&cursor);
    trailer->chunk_count = cursor_le32(&cursor);
    uint64_t expected = 8 + (uint64_t)trailer->frame_count * PACK_FRAME_RECORD +
                        (uint64_t)trailer->chunk_count * PACK_CHUNK_RECORD;
    if (trailer->chunk_count > FORMAT_PACK_CHUNKS_MAX || expected != length)
        return fail(err, FIRN_CORRUPT, "the trailer's tables do not fill it");
    if (mem_try((void **)&trailer->frames, trailer->frame_count, sizeof(*trailer->frames),
                "a trailer", err) < 0 ||
        mem_try((void **)&trailer->chunks, trailer->chunk_count, sizeof(*trailer->chunks),
                "a trailer", err) < 0)
        return -1;
    if (parse_frames(trailer, &cursor, end, err) < 0)
        return -1;
    return parse_chunks(trailer, &cursor, err);
}

static int trailer_unsealer(struct repo *repo, const uint8_t *keying, struct unsealer **out,
                            struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    int result = keyring_trailer_key(&repo->keyring, keying, key, err);
    if (result == 0)
        result = unsealer_new(key, out, err);
    OPENSSL_cleanse(key, sizeof(key));
    return result;
}

static int open_trailer(struct repo *repo, struct pack_trailer *trailer,
                        const struct pack_tail *tail, const uint8_t *references,
                        const uint8_t *header, struct firn_error **err)
{
    size_t references_length = (size_t)tail->reference_count * FORMAT_ID_LENGTH;
    auto_buf struct buf aad = buf_new(PACK_HEADER_LENGTH + references_length);
    buf_append(&aad, header, PACK_HEADER_LENGTH);
    buf_append(&aad, references, references_length);
    size_t length = tail->trailer_length - CRYPT_OVERHEAD;
    auto_free uint8_t *plain = NULL;
    if (mem_try((void **)&plain, length, 1, "a trailer", err) < 0)
        return -1;
    struct unsealer *unsealer = NULL;
    if (trailer_unsealer(repo, trailer->keying, &unsealer, err) < 0)
        return -1;
    int result = unsealer_open(unsealer, aad.data, aad.length, references + references_length,
                               tail->trailer_length, plain, err);
    unsealer_free(unsealer);
    if (result < 0)
        return wrap(err, "the trailer");
    trailer->reference_count = tail->reference_count;
    trailer->references = mem_dup(references, references_length);
    return parse_plain(trailer, plain, length, tail->references, err);
}

/* Tail and header, out of the last bytes of a pack of ending->pack_length bytes: `window` of them, if it has so many. */
static int read_ending(struct repo *repo, struct ending *ending, uint64_t window, const uint8_t *id,
                       struct pack_trailer *trailer, struct pack_tail *tail,
                       struct firn_error **err)
{
    if (ending->pack_length < PACK_HEADER_LENGTH + PACK_END_LENGTH + CRYPT_OVERHEAD)
        return fail(err, FIRN_CORRUPT, "%s: only %llu bytes long", ending->name,
                    (unsigned long long)ending->pack_length);
    if (window > ending->pack_length)
        window = ending->pack_length;
    if (ending_read(repo, ending, window, err) < 0 || parse_tail(ending, tail, err) < 0)
        return -1;
    const uint8_t *header = ending->data + ending->length - PACK_END_LENGTH;
    trailer->length = tail->length;
    return parse_header(repo, ending->name, header, id, trailer, err);
}

/* At *references, in the ending: the references, and behind them the sealed trailer. */
static int read_references(struct repo *repo, struct ending *ending, const struct pack_tail *tail,
                           const uint8_t **references, struct firn_error **err)
{
    uint64_t needed = ending->pack_length - tail->references;
    if (needed > ending->length && ending_read(repo, ending, needed, err) < 0)
        return -1;
    *references = ending->data + ending->length - needed;
    if (crypt_crc32c(0, *references, (size_t)tail->reference_count * FORMAT_ID_LENGTH) !=
        tail->references_crc)
        return fail(err, FIRN_CORRUPT, "%s: its references are damaged", ending->name);
    return 0;
}

static int read_parts(struct repo *repo, struct ending *ending, const uint8_t *id,
                      struct pack_trailer *trailer, struct firn_error **err)
{
    struct pack_tail tail;
    const uint8_t *references = NULL;
    if (store_stat(repo->store, ending->name, &ending->pack_length, NULL, err) < 0 ||
        read_ending(repo, ending, END_WINDOW, id, trailer, &tail, err) < 0 ||
        read_references(repo, ending, &tail, &references, err) < 0)
        return -1;
    const uint8_t *header = ending->data + ending->length - PACK_END_LENGTH;
    if (open_trailer(repo, trailer, &tail, references, header, err) < 0)
        return wrap(err, "%s", ending->name);
    return 0;
}

int pack_references_read(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], uint64_t length,
                         uint8_t (**out)[FORMAT_ID_LENGTH], size_t *count, struct firn_error **err)
{
    char name[PACK_NAME_LENGTH];
    pack_name(id, name);
    struct ending ending = {.name = name, .pack_length = length};
    struct pack_trailer trailer = {0};
    struct pack_tail tail;
    const uint8_t *references = NULL;
    *out = NULL;
    *count = 0;
    int result = read_ending(repo, &ending, CLEAR_WINDOW, id, &trailer, &tail, err);
    if (result == 0 && trailer.class == FORMAT_META) {
        result = read_references(repo, &ending, &tail, &references, err);
        if (result == 0) {
            *count = tail.reference_count;
            *out = mem_dup(references, *count * FORMAT_ID_LENGTH);
        }
    }
    free(ending.data);
    return result;
}

int pack_trailer_read(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH],
                      struct pack_trailer **out, struct firn_error **err)
{
    char name[PACK_NAME_LENGTH];
    pack_name(id, name);
    struct ending ending = {.name = name};
    struct pack_trailer *trailer = mem_zalloc(sizeof(*trailer));
    int result = read_parts(repo, &ending, id, trailer, err);
    free(ending.data);
    if (result < 0)
        pack_trailer_free(steal(trailer));
    *out = trailer;
    return result;
}

void pack_trailer_free(struct pack_trailer *trailer)
{
    if (trailer == NULL)
        return;
    free(trailer->frames);
    free(trailer->chunks);
    free(trailer->references);
    free(trailer);
}
