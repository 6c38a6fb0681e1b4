/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Map chunks: every extent of a chunk that is taken is valid and rises; encoded anew, they are decoded to the same.
 */
#include "core/buf.h"
#include "core/mem.h"
#include "repo/map_chunk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes all of it into extents (new memory); -1 if it is refused. */
static int decode(struct pack_table *table, const void *data, size_t size,
                  struct map_extent **extents, size_t *count)
{
    struct map_decoder *decoder = NULL;
    struct map_extent extent;
    uint64_t end = 0;
    if (map_decoder_open(table, data, size, &decoder, NULL) < 0)
        return -1;
    int more = 0;
    while ((more = map_decoder_next(decoder, &extent, NULL)) > 0) {
        if (map_extent_check(&extent, NULL) < 0 || extent.start < end)
            abort();
        end = extent.start + extent.count;
        *extents = mem_resize(*extents, *count + 1, sizeof(**extents));
        (*extents)[(*count)++] = extent;
    }
    map_decoder_free(decoder);
    return more;
}

static void roundtrip(struct pack_table *table, const struct map_extent *extents, size_t count)
{
    auto_free struct map_extent *again = NULL;
    size_t again_count = 0;
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    struct map_encoder *encoder = map_encoder_new();
    for (size_t i = 0; i < count && !map_encoder_full(encoder); i++)
        map_encoder_add(encoder, &extents[i]);
    count = (size_t)map_encoder_extents(encoder);
    map_encoder_take(encoder, table, &chunk);
    map_encoder_free(encoder);
    if (decode(table, chunk.data, chunk.length, &again, &again_count) < 0 || again_count != count)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (again[i].start != extents[i].start || again[i].count != extents[i].count ||
            again[i].pack != extents[i].pack || again[i].ordinal != extents[i].ordinal)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pack_table *table = pack_table_new();
    auto_free struct map_extent *extents = NULL;
    size_t count = 0;
    if (decode(table, data, size, &extents, &count) == 0)
        roundtrip(table, extents, count);
    pack_table_free(table);
    return 0;
}
