/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps: the coding of chunks against hostile bytes, and builder and cursor against a naive model: an array that
 * holds for every unit where it lies.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/json.h"
#include "repo/map_builder.h"
#include "repo/map_chunk.h"
#include "repo/map_cursor.h"
#include "repo/map_writer.h"
#include "repo/meta.h"

static struct fixture fixture;

/* ------------------------------------------------------------------------------------------------ tools */

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* The number of a made-up pack. */
static uint32_t pack_number(uint32_t which)
{
    uint8_t id[FORMAT_ID_LENGTH] = {'p', (uint8_t)which, (uint8_t)(which >> 8),
                                    (uint8_t)(which >> 16)};
    uint32_t number = 0;
    struct firn_error *err = NULL;
    fixture_must(pack_table_number(fixture.repo->packs, id, &number, &err), "pack number", err);
    return number;
}

static struct meta_writer *open_meta(void)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    fixture_must(meta_writer_new(fixture.repo, &meta, &err), "meta writer", err);
    return meta;
}

/* Bytes that it stored. */
static uint64_t finish_meta(struct meta_writer *meta)
{
    struct firn_error *err = NULL;
    uint64_t stored = 0;
    uint32_t packs = 0;
    fixture_must(meta_writer_finish(meta, &stored, &packs, &err), "meta writer", err);
    return stored;
}

/* For every unit: 0: nothing said; 1: explicit zero; else 2 + pack × 2^16 + ordinal. */
struct model {
    uint64_t *places;
    uint64_t units;
};

static uint64_t place_of(const struct map_extent *extent, uint64_t unit)
{
    return extent->pack == PACK_NONE
               ? 1
               : 2 + ((uint64_t)extent->pack << 16) + extent->ordinal + (unit - extent->start);
}

static void model_put(struct model *model, const struct map_extent *extent)
{
    for (uint64_t unit = extent->start; unit < extent->start + extent->count; unit++)
        model->places[unit] = place_of(extent, unit);
}

/* Reads the map from start on and compares it with the model, unit by unit. explicit_zeros: what a zero unit that was said
 * to be zero must read as. */
static void check_map(const struct map *map, const struct model *model, uint64_t start,
                      uint64_t explicit_zero)
{
    struct firn_error *err = NULL;
    struct map_cursor *cursor = NULL;
    fixture_must(map_cursor_open(fixture.repo, map, start, &cursor, &err), "cursor", err);
    uint64_t unit = start, wrong = 0;
    struct map_extent extent;
    int more = 0;
    while ((more = map_cursor_next(cursor, &extent, &err)) > 0) {
        CU_ASSERT_FATAL(extent.start >= unit && extent.count > 0 &&
                        extent.start + extent.count <= model->units);
        for (; unit < extent.start; unit++)
            wrong += model->places[unit] != 0 && !(model->places[unit] == 1 && explicit_zero == 0);
        for (; unit < extent.start + extent.count; unit++)
            wrong += model->places[unit] != place_of(&extent, unit);
    }
    for (; unit < model->units; unit++)
        wrong += model->places[unit] != 0 && !(model->places[unit] == 1 && explicit_zero == 0);
    fixture_must(more, "cursor", err);
    CU_ASSERT_EQUAL(wrong, 0);
    map_cursor_free(cursor);
}

static struct map_extent random_extent(uint64_t start, uint64_t longest)
{
    struct map_extent extent = {
        .start = start, .count = 1 + random_below(longest), .pack = PACK_NONE};
    if (random_below(8) != 0) {
        extent.pack = pack_number((uint32_t)random_below(5));
        extent.ordinal = (uint32_t)random_below(FORMAT_PACK_CHUNKS_MAX - longest);
    }
    return extent;
}

/* Extents in rising order with random gaps, many of them going on where their pack was left. */
static size_t random_extents(struct map_extent *out, size_t most, uint64_t units)
{
    size_t count = 0;
    uint64_t at = random_below(10);
    uint32_t expected[5] = {0};
    while (count < most && at + 40 < units) {
        struct map_extent extent = random_extent(at, 30);
        uint32_t which = (uint32_t)random_below(5);
        if (random_below(3) != 0 && expected[which] + extent.count < FORMAT_PACK_CHUNKS_MAX) {
            extent.pack = pack_number(which);
            extent.ordinal = expected[which];
            expected[which] += (uint32_t)extent.count;
        }
        out[count++] = extent;
        at += extent.count + (random_below(4) == 0 ? 0 : random_below(60));
    }
    return count;
}

static void shuffle(struct map_extent *extents, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(i);
        struct map_extent kept = extents[i - 1];
        extents[i - 1] = extents[other];
        extents[other] = kept;
    }
}

static void build(struct meta_writer *meta, const struct map_extent *extents, size_t count,
                  struct map_run *out)
{
    struct firn_error *err = NULL;
    struct map_builder *builder = map_builder_new(fixture.repo, meta);
    for (size_t i = 0; i < count; i++)
        fixture_must(map_builder_add(builder, &extents[i], &err), "add", err);
    fixture_must(map_builder_finish(builder, out, &err), "finish", err);
}

/* ------------------------------------------------------------------------------------------------ chunks */

static void encode(const struct map_extent *extents, size_t count, struct buf *out)
{
    struct map_encoder *encoder = map_encoder_new();
    for (size_t i = 0; i < count; i++)
        map_encoder_add(encoder, &extents[i]);
    map_encoder_take(encoder, fixture.repo->packs, out);
    map_encoder_free(encoder);
}

/* How many extents the bytes decode to, -1 if they are refused. Whatever they are, no extent may be invalid. */
static int64_t decode(const void *data, size_t length, struct map_extent *extents, size_t capacity)
{
    struct map_decoder *decoder = NULL;
    struct firn_error *err = NULL;
    struct map_extent extent;
    int64_t count = 0;
    uint64_t end = 0;
    int more = map_decoder_open(fixture.repo->packs, data, length, &decoder, &err);
    while (more == 0 && (more = map_decoder_next(decoder, &extent, &err)) > 0) {
        CU_ASSERT_FATAL(map_extent_check(&extent, NULL) == 0 && extent.start >= end);
        end = extent.start + extent.count;
        if ((size_t)count < capacity)
            extents[count] = extent;
        count++;
        more = 0;
    }
    map_decoder_free(decoder);
    CU_ASSERT_FATAL(more >= 0 || error_code(err) == FIRN_CORRUPT);
    error_clear(&err);
    return more < 0 ? -1 : count;
}

static void chunk_roundtrip(void)
{
    struct map_extent in[2000], out[2000];
    for (int round = 0; round < 50; round++) {
        size_t count = random_extents(in, 1 + random_below(2000), MAP_UNITS_MAX);
        auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
        encode(in, count, &chunk);
        CU_ASSERT_EQUAL_FATAL(decode(chunk.data, chunk.length, out, 2000), (int64_t)count);
        size_t wrong = 0;
        for (size_t i = 0; i < count; i++)
            wrong += in[i].start != out[i].start || in[i].count != out[i].count ||
                     in[i].pack != out[i].pack ||
                     (in[i].pack != PACK_NONE && in[i].ordinal != out[i].ordinal);
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

static void chunk_limits(void)
{
    struct map_extent edge[] = {
        {.start = 0, .count = FORMAT_PACK_CHUNKS_MAX, .pack = pack_number(1), .ordinal = 0},
        {.start = MAP_UNITS_MAX - 2,
         .count = 1,
         .pack = pack_number(1),
         .ordinal = FORMAT_PACK_CHUNKS_MAX - 1},
        {.start = MAP_UNITS_MAX - 1, .count = 1, .pack = PACK_NONE},
    };
    struct map_extent out[3], all = {.start = 0, .count = MAP_UNITS_MAX, .pack = PACK_NONE};
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    encode(edge, 3, &chunk);
    CU_ASSERT_EQUAL(decode(chunk.data, chunk.length, out, 3), 3);
    CU_ASSERT(out[1].ordinal == FORMAT_PACK_CHUNKS_MAX - 1 && out[2].start == MAP_UNITS_MAX - 1);
    buf_reset(&chunk);
    encode(&all, 1, &chunk);
    CU_ASSERT_EQUAL(decode(chunk.data, chunk.length, out, 3), 1);
    CU_ASSERT_EQUAL(out[0].count, MAP_UNITS_MAX);

    struct map_extent wrong[] = {
        {.start = 0, .count = 0, .pack = PACK_NONE},
        {.start = 1, .count = MAP_UNITS_MAX, .pack = PACK_NONE},
        {.start = UINT64_MAX, .count = 2, .pack = PACK_NONE},
        {.start = 0, .count = 2, .pack = 0, .ordinal = FORMAT_PACK_CHUNKS_MAX - 1},
        {.start = 0, .count = UINT64_MAX, .pack = 0, .ordinal = 1},
    };
    for (size_t i = 0; i < array_length(wrong); i++)
        CU_ASSERT_EQUAL(map_extent_check(&wrong[i], NULL), -1);
}

/* What a writer stored in order costs two bytes an extent, three with a wide gap. */
static void chunk_size(void)
{
    for (uint64_t gap = 100; gap <= 10000; gap *= 100) {
        struct map_extent extents[1000];
        for (uint32_t i = 0; i < 1000; i++)
            extents[i] = (struct map_extent){
                .start = i * gap, .count = 1, .pack = pack_number(3), .ordinal = i};
        auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
        encode(extents, 1000, &chunk);
        CU_ASSERT_EQUAL(chunk.length,
                        1u + 1 + 16 + 2 + 1000 * (gap < 128 ? 2 : 3) - (gap < 128 ? 0 : 1));
    }
}

/* A byte string spelled by hand, against the description in map_chunk.h. */
static void chunk_bytes(void)
{
    struct map_extent extents[] = {
        {.start = 5, .count = 3, .pack = pack_number(1), .ordinal = 0}, /* next in the first pack */
        {.start = 8, .count = 1, .pack = PACK_NONE},                    /* zeros */
        {.start = 10,
         .count = 40,
         .pack = pack_number(1),
         .ordinal = 4}, /* one further than expected */
        {.start = 50, .count = 1, .pack = pack_number(2), .ordinal = 300}, /* another pack */
        {.start = 51,
         .count = 1,
         .pack = pack_number(1),
         .ordinal = 44}, /* back, where it was left */
        {.start = 52, .count = 1, .pack = pack_number(1), .ordinal = 44}, /* the same chunk again */
    };
    const uint8_t expected[] = {
        5,
        2 << 2 | 0,
        0,
        1,
        1,
        (39 << 2 & 0x7f) | 0x80 | 2,
        39 << 2 >> 7,
        2,
        0,
        3,
        1 << 1 | 1,
        0xd8,
        0x04,
        0,
        3,
        0,
        0,
        2,
        1,
    };
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    encode(extents, array_length(extents), &chunk);
    CU_ASSERT_EQUAL_FATAL(chunk.length, 2 + 2 * FORMAT_ID_LENGTH + 1 + sizeof(expected));
    CU_ASSERT(chunk.data[0] == 1 && chunk.data[1] == 2 &&
              chunk.data[2 + 2 * FORMAT_ID_LENGTH] == 6);
    CU_ASSERT_EQUAL(memcmp(chunk.data + 3 + 2 * FORMAT_ID_LENGTH, expected, sizeof(expected)), 0);
}

static void chunk_damaged(void)
{
    struct map_extent in[300];
    size_t count = random_extents(in, 300, MAP_UNITS_MAX);
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    encode(in, count, &chunk);
    for (size_t length = 0; length < chunk.length; length++) {
        auto_free void *shorter = mem_dup(chunk.data, length); /* so that a read past it is seen */
        CU_ASSERT_EQUAL(decode(shorter, length, NULL, 0), -1);
    }
    buf_putc(&chunk, 0);
    CU_ASSERT_EQUAL(decode(chunk.data, chunk.length, NULL, 0), -1);
    auto_free void *endless = mem_zalloc(FORMAT_CHUNK_MAX + 1);
    memcpy(endless, "\1\0\1", 3);
    CU_ASSERT_EQUAL(decode(endless, FORMAT_CHUNK_MAX + 1, NULL, 0), -1);
}

static void chunk_mutated(void)
{
    struct map_extent in[60];
    for (int round = 0; round < 20000; round++) {
        auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
        encode(in, random_extents(in, 1 + random_below(60), MAP_UNITS_MAX), &chunk);
        /* the ids are left alone: each new one would stay in the pack table */
        size_t body = 2 + (size_t)(uint8_t)chunk.data[1] * FORMAT_ID_LENGTH;
        for (uint64_t left = 1 + random_below(4); left > 0; left--)
            chunk.data[body + random_below(chunk.length - body)] = (char)random_below(256);
        decode(chunk.data, chunk.length, NULL, 0);
    }
}

/* ------------------------------------------------------------------------------------------------ runs */

static void cursor_is_like_model(void)
{
    struct meta_writer *meta = open_meta();
    struct map_extent extents[400];
    for (int round = 0; round < 300; round++) {
        struct model model = {.units = 3000};
        model.places = mem_array(model.units, sizeof(*model.places));
        struct map map = {0};
        map.run_count = 1 + random_below(round % 10 == 0 ? MAP_RUNS_MAX : 5);
        map.runs = mem_array(map.run_count, sizeof(*map.runs));
        for (size_t i = map.run_count; i-- > 0;) {
            size_t count = random_extents(extents, 1 + random_below(100), model.units);
            for (size_t j = 0; j < count; j++)
                model_put(&model, &extents[j]);
            shuffle(extents, count);
            build(meta, extents, count, &map.runs[i]);
        }
        check_map(&map, &model, 0, 1);
        for (int i = 0; i < 5; i++)
            check_map(&map, &model, random_below(model.units), 1);
        map_free(&map);
        free(model.places);
    }
    finish_meta(meta);
}

/* Runs of many chunks: so many extents in random order that the builder writes several runs and merges them; then seeks. */
static void large_run(void)
{
    struct meta_writer *meta = open_meta();
    size_t count = 500000;
    auto_free struct map_extent *extents = mem_array(count, sizeof(*extents));
    struct model model = {.units = 40000000};
    model.places = mem_array(model.units, sizeof(*model.places));
    count = random_extents(extents, count, model.units);
    uint64_t units = 0;
    for (size_t i = 0; i < count; i++) {
        model_put(&model, &extents[i]);
        units += extents[i].count;
    }
    shuffle(extents, count);
    struct map_run run;
    build(meta, extents, count, &run);
    uint64_t chunks = 0;
    for (size_t i = 0; i < run.span_count; i++)
        chunks += run.spans[i].count;
    CU_ASSERT(chunks >= 5);
    CU_ASSERT_EQUAL(run.units, units);
    finish_meta(meta);

    struct map map = {.runs = &run, .run_count = 1};
    check_map(&map, &model, 0, 1);
    for (int i = 0; i < 10; i++)
        check_map(&map, &model, random_below(model.units), 1);
    check_map(&map, &model, model.units - 1, 1);
    map_run_free(&run);
    free(model.places);
}

static void neighbours_join(void)
{
    struct meta_writer *meta = open_meta();
    struct map_extent extents[1000];
    for (uint32_t i = 0; i < 1000; i++)
        extents[i] =
            (struct map_extent){.start = i, .count = 1, .pack = pack_number(1), .ordinal = i};
    for (uint32_t i = 500; i < 600; i++)
        extents[i] = (struct map_extent){.start = i, .count = 1, .pack = PACK_NONE};
    shuffle(extents, 1000);
    struct map_run run;
    build(meta, extents, 1000, &run);
    CU_ASSERT(run.extents == 3 && run.units == 1000 && run.span_count == 1 &&
              run.spans[0].count == 1);
    map_run_free(&run);
    build(meta, extents, 0, &run);
    CU_ASSERT(run.extents == 0 && run.span_count == 0);
    map_run_free(&run);
    finish_meta(meta);
}

/* Adds n extents in an order that a seed shuffles, the last of them overlapping one of the others. */
static void overlap_of(struct meta_writer *meta, size_t count)
{
    struct firn_error *err = NULL;
    auto_free struct map_extent *extents = mem_array(count, sizeof(*extents));
    for (size_t i = 0; i < count; i++)
        extents[i] =
            (struct map_extent){.start = i * 4, .count = 2, .pack = pack_number(1), .ordinal = 7};
    extents[count - 1].start = 4 * random_below(count - 1) + 1;
    shuffle(extents, count);
    struct map_builder *builder = map_builder_new(fixture.repo, meta);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = map_builder_add(builder, &extents[i], &err);
    struct map_run run = {0};
    if (result == 0)
        result = map_builder_finish(builder, &run, &err);
    else
        map_builder_free(builder);
    CU_ASSERT_EQUAL(result, -1);
    CU_ASSERT_EQUAL(error_code(err), FIRN_INVALID);
    error_clear(&err);
    map_run_free(&run);
}

static void overlaps_are_refused(void)
{
    struct meta_writer *meta = open_meta();
    for (int i = 0; i < 20; i++)
        overlap_of(meta, 2 + random_below(50));
    for (int i = 0; i < 3; i++)
        overlap_of(meta, 300000);
    finish_meta(meta);
}

/* ------------------------------------------------------------------------------------------------ maps */

static void json_roundtrip(void)
{
    struct firn_error *err = NULL;
    struct map_span spans[] = {{pack_number(1), 3, 9}, {pack_number(2), 65535, 1}};
    struct map_run runs[] = {{.spans = spans, .span_count = 2, .extents = 10, .units = 4000},
                             {.span_count = 0}};
    struct map map = {.runs = runs, .run_count = 2}, copy, again;
    map_copy(&copy, &map);
    auto_json struct json_object *json = map_to_json(fixture.repo, &copy);
    map_free(&copy);
    fixture_must(map_from_json(fixture.repo, json, &again, &err), "json", err);
    CU_ASSERT_FATAL(again.run_count == 2 && again.runs[0].span_count == 2 &&
                    again.runs[1].span_count == 0);
    CU_ASSERT_EQUAL(memcmp(again.runs[0].spans, spans, sizeof(spans)), 0);
    CU_ASSERT(again.runs[0].extents == 10 && again.runs[0].units == 4000);
    map_free(&again);
}

#define ID "\"00112233445566778899aabbccddeeff\""

static void json_damaged(void)
{
    static const char *const texts[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"spans\":[],\"extents\":0}]",
        "[{\"spans\":[],\"extents\":1,\"units\":1}]",
        "[{\"spans\":[[\"00\",0,1]],\"extents\":1,\"units\":1}]",
        "[{\"spans\":[[" ID ",0]],\"extents\":1,\"units\":1}]",
        "[{\"spans\":[[" ID ",0,0]],\"extents\":1,\"units\":1}]",
        "[{\"spans\":[[" ID ",-1,1]],\"extents\":1,\"units\":1}]",
        "[{\"spans\":[[" ID ",65535,2]],\"extents\":2,\"units\":2}]",
        "[{\"spans\":[[" ID
        ",4294967295,4294967295]],\"extents\":4294967296,\"units\":4294967296}]",
        "[{\"spans\":[[" ID ",0,2]],\"extents\":1,\"units\":1}]",
        "[{\"spans\":[[" ID ",0,1]],\"extents\":2,\"units\":1}]",
        "[{\"spans\":[[" ID ",0,1]],\"extents\":1,\"units\":281474976710657}]",
    };
    for (size_t i = 0; i < array_length(texts); i++) {
        struct firn_error *err = NULL;
        auto_json struct json_object *json = NULL;
        fixture_must(json_parse(texts[i], strlen(texts[i]), "test", &json, &err), "parse", err);
        struct map map;
        CU_ASSERT_EQUAL(map_from_json(fixture.repo, json, &map, &err), -1);
        CU_ASSERT_EQUAL(error_code(err), FIRN_CORRUPT);
        error_clear(&err);
    }
}

/* 1 % of the blocks of a disk of 10 TiB changed, scattered, and stored in packs of a thousand: what the run costs. */
static void scattered_change(void)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = open_meta();
    struct map_builder *builder = map_builder_new(fixture.repo, meta);
    uint64_t units = UINT64_C(10) << 40 >> 16, changed = 0;
    for (uint64_t unit = random_below(199); unit < units; unit += 1 + random_below(199)) {
        struct map_extent extent = {
            .start = unit, .count = 1, .ordinal = (uint32_t)(changed % 1000)};
        extent.pack = pack_number((uint32_t)(changed++ / 1000));
        fixture_must(map_builder_add(builder, &extent, &err), "add", err);
    }
    struct map_run run;
    fixture_must(map_builder_finish(builder, &run, &err), "finish", err);
    CU_ASSERT(changed > 1650000 && run.units == changed);
    uint64_t stored = finish_meta(meta);
    CU_ASSERT(stored > changed && stored < 3 * changed);
    map_run_free(&run);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"chunk: roundtrip", chunk_roundtrip},
        {"chunk: limits", chunk_limits},
        {"chunk: size", chunk_size},
        {"chunk: bytes", chunk_bytes},
        {"chunk: damaged", chunk_damaged},
        {"chunk: mutated", chunk_mutated},
        {"run: cursor like model", cursor_is_like_model},
        {"run: large", large_run},
        {"run: neighbours join", neighbours_join},
        {"run: overlaps are refused", overlaps_are_refused},
        {"run: scattered change", scattered_change},
        {"map: JSON roundtrip", json_roundtrip},
        {"map: JSON damaged", json_damaged},
    };
    fixture_open(&fixture);
    int result = unit_run("map", tests, array_length(tests));
    fixture_close(&fixture);
    return result;
}
