/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map writer: joins, encodes, and stores a chunk whenever one is full.
 */
#include "map_writer.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "map_chunk.h"
#include "meta.h"
#include "repo.h"

struct map_writer {
    struct repo *repo;
    struct meta_writer *meta;
    struct map_encoder *encoder;
    struct map_extent last; /* not encoded yet, because more may join it; count 0: none */
    uint64_t end;
    struct map_run run;
};

struct map_writer *map_writer_new(struct repo *repo, struct meta_writer *meta)
{
    struct map_writer *writer = mem_zalloc(sizeof(*writer));
    writer->repo = repo;
    writer->meta = meta;
    writer->encoder = map_encoder_new();
    return writer;
}

void map_writer_free(struct map_writer *writer)
{
    if (writer == NULL)
        return;
    map_encoder_free(writer->encoder);
    map_run_free(&writer->run);
    free(writer);
}

uint64_t map_writer_end(const struct map_writer *writer)
{
    return writer->end;
}

static void add_to_spans(struct map_run *run, uint32_t pack, uint32_t ordinal)
{
    struct map_span *last = run->span_count == 0 ? NULL : &run->spans[run->span_count - 1];
    if (last != NULL && last->pack == pack && last->ordinal + last->count == ordinal) {
        last->count++;
        return;
    }
    run->spans = mem_resize(run->spans, run->span_count + 1, sizeof(*run->spans));
    run->spans[run->span_count++] = (struct map_span){.pack = pack, .ordinal = ordinal, .count = 1};
}

static int store_chunk(struct map_writer *writer, struct firn_error **err)
{
    size_t count = 0;
    const uint32_t *borrowed = map_encoder_packs(writer->encoder, &count);
    auto_free uint32_t *packs =
        mem_dup(borrowed == NULL ? (const void *)"" : borrowed, count * sizeof(*packs));
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    map_encoder_take(writer->encoder, writer->repo->packs, &chunk);
    uint32_t pack = 0, ordinal = 0;
    if (buf_check(&chunk, "map chunk", err) < 0 ||
        meta_writer_put(writer->meta, FORMAT_CHUNK_MAP, NULL, chunk.data, chunk.length, packs,
                        count, &pack, &ordinal, err) < 0)
        return -1;
    add_to_spans(&writer->run, pack, ordinal);
    return 0;
}

static int encode_last(struct map_writer *writer, struct firn_error **err)
{
    if (writer->last.count == 0)
        return 0;
    if (map_encoder_full(writer->encoder) && store_chunk(writer, err) < 0)
        return -1;
    map_encoder_add(writer->encoder, &writer->last);
    writer->run.extents++;
    writer->run.units += writer->last.count;
    writer->last.count = 0;
    return 0;
}

int map_writer_add(struct map_writer *writer, const struct map_extent *extent,
                   struct firn_error **err)
{
    if (map_extent_check(extent, err) < 0)
        return -1;
    if (extent->start < writer->end)
        return fail(err, FIRN_INVALID, "map: unit %llu is given twice",
                    (unsigned long long)extent->start);
    if (!map_extent_join(&writer->last, extent)) {
        if (encode_last(writer, err) < 0)
            return -1;
        writer->last = *extent;
    }
    writer->end = extent->start + extent->count;
    return 0;
}

int map_writer_finish(struct map_writer *writer, struct map_run *out, struct firn_error **err)
{
    int result = encode_last(writer, err);
    if (result == 0 && map_encoder_extents(writer->encoder) > 0)
        result = store_chunk(writer, err);
    if (result == 0) {
        *out = writer->run;
        writer->run = (struct map_run){0};
    }
    map_writer_free(writer);
    return result;
}
