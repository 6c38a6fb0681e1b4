/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps with a damaged chunk: the cursor that goes on behind it says of every extent what it said before, or that it is lost; and
 * no more is lost than lies between the neighbours of that chunk. What a newer run says is never lost.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/json.h"
#include "repo/map.h"
#include "repo/map_cursor.h"
#include "repo/map_delta.h"
#include "repo/map_writer.h"
#include "repo/meta.h"
#include "repo/pack.h"

#define EXTENTS 300000u /* makes several chunks of 256 KiB */
#define STEP    4u      /* units from one extent to the next; they take two each */

static struct fixture fixture;
static char pack_path[4096];
static struct pack_trailer *trailer;
static struct json_object *json;

static uint32_t number_of(uint8_t which)
{
    uint8_t id[FORMAT_ID_LENGTH] = {'d', which};
    uint32_t number = 0;
    expect_ok(pack_table_number(fixture.repo->packs, id, &number, err));
    return number;
}

/* Ordinals jump, so that an extent costs more than two bytes. */
static struct map_extent extent_of(uint64_t number)
{
    return (struct map_extent){.start = number * STEP,
                               .count = 2,
                               .pack = number_of((uint8_t)(number % 5)),
                               .ordinal = (uint32_t)(number * 7919 % 60000)};
}

static void write_map(void)
{
    struct meta_writer *meta = NULL;
    struct map map = {.runs = mem_array(1, sizeof(*map.runs)), .run_count = 1};
    uint64_t stored = 0;
    uint32_t packs = 0;
    expect_ok(meta_writer_new(fixture.repo, &meta, err));
    struct map_writer *writer = map_writer_new(fixture.repo, meta);
    for (uint64_t i = 0; i < EXTENTS; i++) {
        struct map_extent extent = extent_of(i);
        struct firn_error *err = NULL;
        fixture_must(map_writer_add(writer, &extent, &err), "add", err);
    }
    expect_ok(map_writer_finish(writer, &map.runs[0], err));
    expect_ok(meta_writer_finish(meta, &stored, &packs, err));
    CU_ASSERT_EQUAL_FATAL(packs, 1);
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(fixture.repo->packs, map.runs[0].spans[0].pack, id);
    pack_name(id, name);
    snprintf(pack_path, sizeof(pack_path), "%s/repository/%s", fixture.directory, name);
    expect_ok(pack_trailer_read(fixture.repo, id, &trailer, err));
    CU_ASSERT_FATAL(trailer->frame_count >= 4);
    json = map_to_json(fixture.repo, &map);
    map_free(&map);
}

static void flip(uint64_t offset)
{
    (void)chmod(pack_path, 0600);
    FILE *file = fopen(pack_path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, (long)offset, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, (long)offset, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static struct map read_map(void)
{
    struct map map = {0};
    fixture_reopen(&fixture);
    expect_ok(map_from_json(fixture.repo, json, &map, err));
    return map;
}

/* Walks with a damaged chunk; says what is lost. */
static struct map_extent walk(const struct map *map)
{
    struct map_cursor *cursor = NULL;
    struct map_extent lost = {0}, got;
    struct firn_error *err = NULL;
    uint64_t expected = 0;
    int more = 0;
    fixture_must(map_cursor_open_salvage(fixture.repo, map, &cursor, &err), "salvage", err);
    while ((more = map_cursor_next(cursor, &got, &err)) > 0) {
        if (got.pack == PACK_LOST) {
            CU_ASSERT_EQUAL(lost.count, 0); /* in one piece */
            lost = got;
            while (expected < EXTENTS && expected * STEP < got.start + got.count)
                expected++;
            continue;
        }
        struct map_extent wanted = extent_of(expected++);
        if (memcmp(&got, &wanted, sizeof(got)) != 0)
            CU_FAIL_FATAL("an extent is something else");
    }
    CU_ASSERT_EQUAL(more, 0);
    CU_ASSERT_EQUAL(expected, EXTENTS);
    map_cursor_free(cursor);
    return lost;
}

static void test_every_chunk(void)
{
    uint64_t lost_units = 0;
    for (uint32_t i = 0; i < trailer->frame_count; i++) {
        flip(trailer->frames[i].offset + 30);
        struct map map = read_map();
        struct map_cursor *cursor = NULL;
        struct map_extent extent;
        int more = map_cursor_open(fixture.repo, &map, 0, &cursor, NULL) < 0 ? -1 : 1;
        while (more > 0)
            more = map_cursor_next(cursor, &extent, NULL);
        CU_ASSERT_EQUAL(more, -1); /* the strict one stops */
        map_cursor_free(cursor);
        struct map_extent lost = walk(&map);
        CU_ASSERT(lost.count > 0);
        bool last = i + 1 == trailer->frame_count;
        CU_ASSERT_EQUAL(lost.start == 0, i == 0);
        CU_ASSERT_EQUAL(lost.start + lost.count == MAP_UNITS_MAX, last);
        if (!last)
            lost_units += lost.count;
        map_free(&map);
        flip(trailer->frames[i].offset + 30);
    }
    CU_ASSERT(lost_units <= (uint64_t)EXTENTS * STEP); /* each is lost once */
}

static void test_neighbours(void)
{
    flip(trailer->frames[1].offset + 30);
    flip(trailer->frames[2].offset + 30);
    struct map map = read_map();
    struct map_extent lost = walk(&map);
    CU_ASSERT(lost.start > 0 && lost.start + lost.count < (uint64_t)EXTENTS * STEP);
    map_free(&map);
    flip(trailer->frames[1].offset + 30);
    flip(trailer->frames[2].offset + 30);
    map = read_map();
    CU_ASSERT_EQUAL(walk(&map).count, 0);
    map_free(&map);
}

/* A newer run hides the damage of an older one. */
static void test_hidden(void)
{
    struct map map = read_map();
    struct meta_writer *meta = NULL;
    struct map_run run = {0};
    uint64_t stored = 0;
    uint32_t packs = 0;
    expect_ok(meta_writer_new(fixture.repo, &meta, err));
    struct map_writer *writer = map_writer_new(fixture.repo, meta);
    const struct map_extent all = {.start = 0, .count = MAP_UNITS_MAX, .pack = PACK_NONE};
    expect_ok(map_writer_add(writer, &all, err));
    expect_ok(map_writer_finish(writer, &run, err));
    expect_ok(meta_writer_finish(meta, &stored, &packs, err));
    map.runs = mem_resize(map.runs, 2, sizeof(*map.runs));
    map.runs[1] = map.runs[0];
    map.runs[0] = run;
    map.run_count = 2;
    flip(trailer->frames[1].offset + 30);
    struct map_cursor *cursor = NULL;
    struct map_extent got;
    expect_ok(map_cursor_open_salvage(fixture.repo, &map, &cursor, err));
    struct firn_error *err = NULL;
    CU_ASSERT_EQUAL(map_cursor_next(cursor, &got, &err), 1);
    CU_ASSERT(got.pack == PACK_NONE && got.count == MAP_UNITS_MAX);
    CU_ASSERT_EQUAL(map_cursor_next(cursor, &got, &err), 0);
    map_cursor_free(cursor);
    flip(trailer->frames[1].offset + 30);
    map_free(&map);
}

/* What differs between a map and itself, beyond the end of the base, and against nothing. */
static void test_delta(void)
{
    static const struct map nothing;
    struct map map = read_map();
    const struct {
        struct map_side map, base;
        uint64_t extents, units;
    } cases[] = {
        {{&map, MAP_UNITS_MAX}, {&map, MAP_UNITS_MAX}, 0, 0},
        {{&map, EXTENTS * STEP}, {&nothing, MAP_UNITS_MAX}, EXTENTS, 2 * EXTENTS},
        {{&map, 100}, {&map, 40}, 15 + 15, 60}, /* zeros behind the base are told, too */
        {{&nothing, 100}, {&map, 100}, 25, 50},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct map_delta *delta = NULL;
        struct map_extent got;
        uint64_t extents = 0, units = 0;
        int more = 0;
        expect_ok(map_delta_open(fixture.repo, cases[i].map, cases[i].base, &delta, err));
        while ((more = map_delta_next(delta, &got, NULL)) > 0) {
            extents++;
            units += got.count;
        }
        CU_ASSERT_EQUAL(more, 0);
        CU_ASSERT_EQUAL(extents, cases[i].extents);
        CU_ASSERT_EQUAL(units, cases[i].units);
        map_delta_free(delta);
    }
    map_free(&map);
}

static const struct unit_test tests[] = {
    {"a map of several chunks", write_map}, {"every chunk", test_every_chunk},
    {"two neighbours", test_neighbours},    {"hidden damage", test_hidden},
    {"what differs", test_delta},
};

int main(void)
{
    fixture_open(&fixture);
    int result = unit_run("map_salvage", tests, array_length(tests));
    json_object_put(json);
    pack_trailer_free(trailer);
    fixture_close(&fixture);
    return result;
}
