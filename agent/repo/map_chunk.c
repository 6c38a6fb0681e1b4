/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Map chunks: the coding is described in map_chunk.h. Both sides keep, for every pack that the
 * chunk names, the ordinal that is expected next in it: an extent that meets the expectation does
 * not spell its ordinal.
 */
#include "map_chunk.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "pack_table.h"

#define VERSION        1u
#define EXTENT_LONGEST 40u /* bytes: a pack id, gap, tag, index, ordinal; with room */
#define HEADER_LONGEST 16u /* bytes: version, both counts */

enum form { FORM_NEXT = 0, FORM_ZERO = 1, FORM_SAME_PACK = 2, FORM_OTHER_PACK = 3 };

static uint64_t zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static int64_t unzigzag(uint64_t code)
{
    return (int64_t)(code >> 1) ^ -(int64_t)(code & 1);
}

/* ------------------------------------------------------------------------------------------------ encoding */

/* An open-addressed table gives every pack number its index in the chunk. */
struct map_encoder {
    struct buf body;
    uint64_t extents;
    uint64_t end;
    uint32_t *packs;     /* numbers, by index */
    uint32_t *predicted; /* ordinals, by index */
    uint32_t *slots;     /* index + 1, 0: free; twice as many as packs, at least */
    size_t pack_count, pack_capacity;
    uint32_t last; /* index of the pack of the last data extent */
};

struct map_encoder *map_encoder_new(void)
{
    struct map_encoder *encoder = mem_zalloc(sizeof(*encoder));
    encoder->body = buf_new(FORMAT_CHUNK_MAX);
    return encoder;
}

void map_encoder_free(struct map_encoder *encoder)
{
    if (encoder == NULL)
        return;
    buf_free(&encoder->body);
    free(encoder->packs);
    free(encoder->predicted);
    free(encoder->slots);
    free(encoder);
}

bool map_encoder_full(const struct map_encoder *encoder)
{
    size_t size = HEADER_LONGEST + encoder->pack_count * FORMAT_ID_LENGTH + encoder->body.length;
    return size + EXTENT_LONGEST > MAP_CHUNK_RAW;
}

uint64_t map_encoder_extents(const struct map_encoder *encoder)
{
    return encoder->extents;
}

const uint32_t *map_encoder_packs(const struct map_encoder *encoder, size_t *count)
{
    *count = encoder->pack_count;
    return encoder->packs;
}

/* The slot that holds the pack, or the free one where it belongs. */
static uint32_t *slot_of(const struct map_encoder *encoder, uint32_t pack)
{
    size_t mask = 2 * encoder->pack_capacity - 1;
    size_t at = (size_t)(pack * UINT32_C(2654435761)) & mask;
    while (encoder->slots[at] != 0 && encoder->packs[encoder->slots[at] - 1] != pack)
        at = (at + 1) & mask;
    return &encoder->slots[at];
}

static void grow(struct map_encoder *encoder)
{
    encoder->pack_capacity = encoder->pack_capacity == 0 ? 16 : 2 * encoder->pack_capacity;
    encoder->packs = mem_resize(encoder->packs, encoder->pack_capacity, sizeof(*encoder->packs));
    encoder->predicted =
        mem_resize(encoder->predicted, encoder->pack_capacity, sizeof(*encoder->predicted));
    free(encoder->slots);
    encoder->slots = mem_array(2 * encoder->pack_capacity, sizeof(*encoder->slots));
    for (size_t i = 0; i < encoder->pack_count; i++)
        *slot_of(encoder, encoder->packs[i]) = (uint32_t)i + 1;
}

static uint32_t index_of(struct map_encoder *encoder, uint32_t pack)
{
    if (encoder->last < encoder->pack_count && encoder->packs[encoder->last] == pack)
        return encoder->last;
    if (encoder->pack_count == encoder->pack_capacity)
        grow(encoder);
    uint32_t *slot = slot_of(encoder, pack);
    if (*slot == 0) {
        encoder->packs[encoder->pack_count] = pack;
        encoder->predicted[encoder->pack_count] = 0;
        *slot = (uint32_t)++encoder->pack_count;
    }
    return *slot - 1;
}

static void add_data(struct map_encoder *encoder, const struct map_extent *extent)
{
    uint32_t index = index_of(encoder, extent->pack);
    int64_t off = (int64_t)extent->ordinal - encoder->predicted[index];
    uint64_t count = (extent->count - 1) << 2;
    if (index == encoder->last) {
        buf_varint(&encoder->body, count | (off == 0 ? FORM_NEXT : FORM_SAME_PACK));
    } else {
        buf_varint(&encoder->body, count | FORM_OTHER_PACK);
        buf_varint(&encoder->body, (uint64_t)index << 1 | (off != 0));
    }
    if (off != 0)
        buf_varint(&encoder->body, zigzag(off));
    encoder->predicted[index] = extent->ordinal + (uint32_t)extent->count;
    encoder->last = index;
}

void map_encoder_add(struct map_encoder *encoder, const struct map_extent *extent)
{
    buf_varint(&encoder->body, extent->start - encoder->end);
    if (extent->pack == PACK_NONE)
        buf_varint(&encoder->body, (extent->count - 1) << 2 | FORM_ZERO);
    else
        add_data(encoder, extent);
    encoder->end = extent->start + extent->count;
    encoder->extents++;
}

void map_encoder_take(struct map_encoder *encoder, struct pack_table *table, struct buf *out)
{
    buf_putc(out, VERSION);
    buf_varint(out, encoder->pack_count);
    for (size_t i = 0; i < encoder->pack_count; i++) {
        uint8_t id[FORMAT_ID_LENGTH];
        pack_table_id(table, encoder->packs[i], id);
        buf_append(out, id, sizeof(id));
    }
    buf_varint(out, encoder->extents);
    buf_append(out, encoder->body.data, encoder->body.length);

    buf_reset(&encoder->body);
    encoder->extents = 0;
    encoder->end = 0;
    encoder->pack_count = 0;
    encoder->last = 0;
    if (encoder->slots != NULL)
        memset(encoder->slots, 0, 2 * encoder->pack_capacity * sizeof(*encoder->slots));
}

/* ------------------------------------------------------------------------------------------------ decoding */

struct map_decoder {
    struct cursor bytes;
    uint64_t left; /* extents that are still to come */
    uint64_t end;
    uint32_t *packs;     /* numbers, by index */
    uint32_t *predicted; /* ordinals, by index */
    size_t pack_count;
    size_t last;
};

static int damaged(const char *what, struct firn_error **err)
{
    return fail(err, FIRN_CORRUPT, "map chunk: %s", what);
}

static int read_packs(struct map_decoder *decoder, struct pack_table *table,
                      struct firn_error **err)
{
    uint64_t count = cursor_varint(&decoder->bytes);
    if (decoder->bytes.failed || count > decoder->bytes.length / FORMAT_ID_LENGTH)
        return damaged("ends inside its packs", err);
    decoder->packs = mem_array(count + 1, sizeof(*decoder->packs));
    decoder->predicted = mem_array(count + 1, sizeof(*decoder->predicted));
    decoder->pack_count = count;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *id = cursor_bytes(&decoder->bytes, FORMAT_ID_LENGTH);
        if (pack_table_number(table, id, &decoder->packs[i], err) < 0)
            return wrap(err, "map chunk");
    }
    return 0;
}

static int read_header(struct map_decoder *decoder, struct pack_table *table,
                       struct firn_error **err)
{
    uint8_t version = cursor_u8(&decoder->bytes);
    if (decoder->bytes.failed || version != VERSION)
        return fail(err, FIRN_CORRUPT, "map chunk: of version %u, not %u", version, VERSION);
    if (read_packs(decoder, table, err) < 0)
        return -1;
    decoder->left = cursor_varint(&decoder->bytes);
    if (decoder->bytes.failed || decoder->left == 0 || decoder->left > decoder->bytes.length / 2)
        return damaged("ends inside its extents", err);
    return 0;
}

int map_decoder_open(struct pack_table *table, const void *data, size_t length,
                     struct map_decoder **out, struct firn_error **err)
{
    struct map_decoder *decoder = mem_zalloc(sizeof(*decoder));
    decoder->bytes = cursor_new(data, length);
    if (length > FORMAT_CHUNK_MAX || read_header(decoder, table, err) < 0) {
        map_decoder_free(decoder);
        return length > FORMAT_CHUNK_MAX ? damaged("longer than a chunk may be", err) : -1;
    }
    *out = decoder;
    return 0;
}

void map_decoder_free(struct map_decoder *decoder)
{
    if (decoder == NULL)
        return;
    free(decoder->packs);
    free(decoder->predicted);
    free(decoder);
}

/* The place of a data extent whose start and count are known. */
static int read_place(struct map_decoder *decoder, enum form form, struct map_extent *extent,
                      struct firn_error **err)
{
    size_t index = decoder->last;
    bool is_explicit = form == FORM_SAME_PACK;
    if (form == FORM_OTHER_PACK) {
        uint64_t code = cursor_varint(&decoder->bytes);
        index = code >> 1;
        is_explicit = (code & 1) != 0;
    }
    if (index >= decoder->pack_count)
        return damaged("names a pack that is not in its list", err);
    int64_t off = is_explicit ? unzigzag(cursor_varint(&decoder->bytes)) : 0;
    int64_t ordinal = 0;
    if (__builtin_add_overflow(off, (int64_t)decoder->predicted[index], &ordinal) || ordinal < 0 ||
        ordinal > FORMAT_PACK_CHUNKS_MAX ||
        extent->count > FORMAT_PACK_CHUNKS_MAX - (uint64_t)ordinal)
        return damaged("names a chunk past the end of any pack", err);
    extent->pack = decoder->packs[index];
    extent->ordinal = (uint32_t)ordinal;
    decoder->predicted[index] = (uint32_t)((uint64_t)ordinal + extent->count);
    decoder->last = index;
    return 0;
}

static int read_extent(struct map_decoder *decoder, struct map_extent *extent,
                       struct firn_error **err)
{
    uint64_t gap = cursor_varint(&decoder->bytes);
    uint64_t tag = cursor_varint(&decoder->bytes);
    uint64_t room = MAP_UNITS_MAX - decoder->end;
    if (gap >= room || tag >> 2 >= room - gap)
        return damaged("names a unit past the end of any map", err);
    extent->start = decoder->end + gap;
    extent->count = (tag >> 2) + 1;
    extent->pack = PACK_NONE;
    extent->ordinal = 0;
    enum form form = (enum form)(tag & 3);
    if (form != FORM_ZERO && read_place(decoder, form, extent, err) < 0)
        return -1;
    if (decoder->bytes.failed)
        return damaged("ends inside an extent", err);
    decoder->end = extent->start + extent->count;
    return 0;
}

int map_decoder_next(struct map_decoder *decoder, struct map_extent *out, struct firn_error **err)
{
    if (decoder->left == 0)
        return decoder->bytes.length == 0 ? 0 : damaged("goes on after its last extent", err);
    if (read_extent(decoder, out, err) < 0)
        return -1;
    decoder->left--;
    return 1;
}
