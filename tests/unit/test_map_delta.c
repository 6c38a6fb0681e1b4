/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between two maps, against a naive comparison of every unit; and that runs which both have are not read where
 * nothing can differ.
 */
#include "unit/counting_store.h"
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/map_builder.h"
#include "repo/map_cursor.h"
#include "repo/map_delta.h"
#include "repo/meta.h"

#define UNITS 4000u

static struct fixture fixture;
static struct counting_store store;
static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static uint32_t pack_number(uint8_t which)
{
    struct firn_error *err = NULL;
    uint8_t id[FORMAT_ID_LENGTH] = {'p', which};
    uint32_t number = 0;
    fixture_must(pack_table_number(fixture.repo->packs, id, &number, &err), "pack number", err);
    return number;
}

/* ------------------------------------------------------------------------------------------------ like a naive comparison */

/* Extents of at most `longest` units, about `gap` units from each other. Few places, so that some are the same by chance. */
static struct map_run make_run(struct meta_writer *meta, uint64_t longest, uint64_t gap)
{
    struct firn_error *err = NULL;
    struct map_run run;
    struct map_builder *builder = map_builder_new(fixture.repo, meta);
    for (uint64_t at = random_below(2 * gap); at + longest < UNITS;) {
        struct map_extent extent = {.start = at, .count = 1 + random_below(longest)};
        bool zero = random_below(5) == 0;
        extent.pack = zero ? PACK_NONE : pack_number((uint8_t)random_below(2));
        extent.ordinal = zero ? 0 : (uint32_t)(at / 4 % 50);
        fixture_must(map_builder_add(builder, &extent, &err), "add", err);
        at += extent.count + random_below(2 * gap);
    }
    fixture_must(map_builder_finish(builder, &run, &err), "finish", err);
    return run;
}

/* Where each unit lies: 0: zero; else 1 + pack << 16 + ordinal. */
static void flatten(const struct map *map, uint64_t *places)
{
    struct firn_error *err = NULL;
    struct map_cursor *cursor = NULL;
    struct map_extent extent;
    memset(places, 0, UNITS * sizeof(*places));
    fixture_must(map_cursor_open(fixture.repo, map, 0, &cursor, &err), "cursor", err);
    while (map_cursor_next(cursor, &extent, &err) > 0)
        for (uint64_t i = 0; i < extent.count && extent.pack != PACK_NONE; i++)
            places[extent.start + i] = 1 + ((uint64_t)extent.pack << 16) + extent.ordinal + i;
    map_cursor_free(cursor);
}

static bool delta_is_right(const struct map_side map, const struct map_side base)
{
    struct firn_error *err = NULL;
    struct map_delta *delta = NULL;
    struct map_extent extent;
    uint64_t ours[UNITS], theirs[UNITS], wrong = 0, unit = 0;
    flatten(map.map, ours);
    flatten(base.map, theirs);
    fixture_must(map_delta_open(fixture.repo, map, base, &delta, &err), "delta", err);
    int more = 1;
    while (more > 0) {
        more = map_delta_next(delta, &extent, &err);
        uint64_t start = more > 0 ? extent.start : map.units;
        for (; unit < start; unit++)
            wrong += unit >= base.units || ours[unit] != theirs[unit];
        for (uint64_t i = 0; more > 0 && i < extent.count; i++, unit++) {
            uint64_t place = extent.pack == PACK_NONE
                                 ? 0
                                 : 1 + ((uint64_t)extent.pack << 16) + extent.ordinal + i;
            wrong += place != ours[unit] || (unit < base.units && ours[unit] == theirs[unit]);
        }
    }
    fixture_must(more, "delta", err);
    map_delta_free(delta);
    return wrong == 0;
}

#define RUNS 12u

/* A map of some of the runs: the last `shared` of them, and others above. */
static struct map choose(const struct map_run *runs, struct map_run *room, size_t above,
                         size_t shared)
{
    struct map map = {.runs = room};
    for (size_t i = 0; i < above; i++)
        room[map.run_count++] = runs[random_below(RUNS)];
    for (size_t i = RUNS - shared; i < RUNS; i++)
        room[map.run_count++] = runs[i];
    return map;
}

static void like_naive(void)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    struct map_run runs[RUNS], left[2 * RUNS], right[2 * RUNS];
    uint64_t stored = 0;
    uint32_t packs = 0;
    for (int round = 0; round < 60; round++) {
        fixture_must(meta_writer_new(fixture.repo, &meta, &err), "meta", err);
        for (size_t i = 0; i < RUNS; i++)
            runs[i] = make_run(meta, 1 + random_below(60), 1 + random_below(i < 6 ? 900 : 20));
        for (int pair = 0; pair < 30; pair++) {
            size_t shared = random_below(RUNS + 1);
            struct map map = choose(runs, left, random_below(4), shared);
            struct map base = choose(runs, right, random_below(4), shared);
            struct map_side ours = {&map, random_below(3) == 0 ? random_below(UNITS) : UNITS};
            struct map_side theirs = {&base, random_below(3) == 0 ? random_below(UNITS) : UNITS};
            CU_ASSERT(delta_is_right(ours, theirs));
        }
        for (size_t i = 0; i < RUNS; i++)
            map_run_free(&runs[i]);
        fixture_must(meta_writer_finish(meta, &stored, &packs, &err), "finish", err);
    }
}

/* ------------------------------------------------------------------------------------------------ what it costs */

/* `count` single units, `step` from each other. */
static struct map_run scattered(uint64_t first, uint64_t step, uint64_t count)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    struct map_run run;
    uint64_t stored = 0;
    uint32_t packs = 0;
    fixture_must(meta_writer_new(fixture.repo, &meta, &err), "meta", err);
    struct map_builder *builder = map_builder_new(fixture.repo, meta);
    for (uint64_t i = 0; i < count; i++) {
        const struct map_extent extent = {.start = first + i * step,
                                          .count = 1,
                                          .pack = pack_number((uint8_t)random_below(9)),
                                          .ordinal = (uint32_t)random_below(4096)};
        fixture_must(map_builder_add(builder, &extent, &err), "add", err);
    }
    fixture_must(map_builder_finish(builder, &run, &err), "run", err);
    fixture_must(meta_writer_finish(meta, &stored, &packs, &err), "meta", err);
    return run;
}

/* Bytes that are read to compare them, by a process that knows nothing yet; all units that differ go to *units. */
static size_t cost(const struct map *map, const struct map *base, uint64_t *units)
{
    struct firn_error *err = NULL;
    struct map_delta *delta = NULL;
    struct map_extent extent;
    fixture_must(map_delta_open(fixture.repo, (struct map_side){map, MAP_UNITS_MAX},
                                (struct map_side){base, MAP_UNITS_MAX}, &delta, &err),
                 "delta", err);
    int more = 0;
    *units = 0;
    atomic_store(&store.bytes, 0);
    while ((more = map_delta_next(delta, &extent, &err)) > 0)
        *units += extent.count;
    fixture_must(more, "delta", err);
    map_delta_free(delta);
    return atomic_load(&store.bytes);
}

static void costs_the_change(void)
{
    struct map_run base = scattered(0, 3, 3000000); /* some fifty chunks */
    struct map_run few = scattered(7000001, 40, 20);
    struct map_run other = scattered(1, 2500000, 3);
    struct map_run above[] = {few, base}, beside[] = {other, base};
    struct map parent = {.runs = &base, .run_count = 1}, child = {.runs = above, .run_count = 2};
    struct map sibling = {.runs = beside, .run_count = 2};
    uint64_t units = 0;
    size_t chunk = 256u << 10, whole = 0;
    for (size_t i = 0; i < base.span_count; i++)
        whole += base.spans[i].count * chunk;
    CU_ASSERT(whole > 40 * chunk);
    CU_ASSERT(cost(&parent, &parent, &units) == 0 && units == 0);
    CU_ASSERT(cost(&child, &parent, &units) < whole / 4);
    CU_ASSERT_EQUAL(units, 20);
    CU_ASSERT(cost(&parent, &child, &units) < whole / 4);
    CU_ASSERT_EQUAL(units, 20);
    CU_ASSERT(cost(&child, &sibling, &units) < whole / 2);
    CU_ASSERT_EQUAL(units, 23);
    map_run_free(&base);
    map_run_free(&few);
    map_run_free(&other);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"like a naive comparison", like_naive},
        {"costs the change", costs_the_change},
    };
    fixture_open(&fixture);
    store = counting_store(fixture.store);
    fixture.repo->store = &store.base;
    int result = unit_run("map delta", tests, array_length(tests));
    fixture_close(&fixture);
    return result;
}
