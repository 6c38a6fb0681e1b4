/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What checks of many snapshots cost, counted in requests and in extents: what snapshots share is read and walked once.
 */
#include "unit/counting_store.h"
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/check.h"
#include "repo/check_runs.h"
#include "repo/map_builder.h"
#include "repo/meta.h"
#include "repo/pack.h"
#include "repo/snapshot.h"
#include "repo/stats.h"

#define PACKS     50u
#define SNAPSHOTS 200u

static struct fixture fixture;
static struct counting_store store;
static uint32_t packs[PACKS];
static struct map maps[SNAPSHOTS];
static uint64_t extents_written; /* in all runs, each once */
static uint32_t meta_packs;

/* ------------------------------------------------------------------------------------------------ the repository */

/* A pack of one block. */
static uint32_t make_pack(void)
{
    struct firn_error *err = NULL;
    struct pack_writer *writer = NULL;
    uint32_t number = 0;
    auto_free uint8_t *data = mem_zalloc(FORMAT_BLOCK_SIZE);
    const struct pack_chunk chunk = {.kind = FORMAT_CHUNK_BLOCK, .length = FORMAT_BLOCK_SIZE};
    fixture_must(pack_writer_open(fixture.repo, FORMAT_DATA, &writer, &err), "open", err);
    fixture_must(pack_table_number(fixture.repo->packs, pack_writer_id(writer), &number, &err),
                 "number", err);
    fixture_must(pack_writer_append(writer, data, FORMAT_BLOCK_SIZE, FORMAT_BLOCK_SIZE, false,
                                    &chunk, 1, &err),
                 "append", err);
    fixture_must(pack_writer_finish(writer, NULL, 0, &err), "finish", err);
    return number;
}

static void write_snapshot(const struct map *map)
{
    struct firn_error *err = NULL;
    auto_snapshot struct snapshot *snapshot = snapshot_new("test:volume");
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    snapshot->bytes_total = 1000;
    snapshot->object_count = 1;
    snapshot->objects = mem_zalloc(sizeof(*snapshot->objects));
    *snapshot->objects = (struct snapshot_object){.kind = FIRN_OBJECT_VOLUME,
                                                  .name = mem_strdup("disk"),
                                                  .media_type = mem_strdup("x/y"),
                                                  .length = PACKS * FORMAT_BLOCK_SIZE};
    map_copy(&snapshot->objects->map, map);
    fixture_must(snapshot_write(fixture.repo, snapshot, &err), "write", err);
}

/* One capture: every `step`-th unit of a thousand is in some pack. */
static void push(struct map *map, uint64_t step)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    struct map_run run;
    uint64_t stored = 0;
    uint32_t written = 0;
    fixture_must(meta_writer_new(fixture.repo, &meta, &err), "meta", err);
    struct map_builder *builder = map_builder_new(fixture.repo, meta);
    for (uint64_t unit = (uint64_t)random() % step; unit < 1000; unit += step) {
        const struct map_extent extent = {
            .start = unit, .count = 1, .pack = packs[(size_t)random() % PACKS]};
        fixture_must(map_builder_add(builder, &extent, &err), "add", err);
    }
    fixture_must(map_builder_finish(builder, &run, &err), "finish", err);
    fixture_must(map_push_take(fixture.repo, meta, map, &run, &err), "push", err);
    extents_written += map->runs[0].extents;
    fixture_must(meta_writer_finish(meta, &stored, &written, &err), "meta", err);
    meta_packs += written;
}

static void make_repository(void)
{
    struct map map = {0};
    fixture_open(&fixture);
    store = counting_store(fixture.store);
    fixture.repo->store = &store.base;
    for (size_t i = 0; i < PACKS; i++)
        packs[i] = make_pack();
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        push(&map, i == 0 ? 1 : 300);
        write_snapshot(&map);
        map_copy(&maps[i], &map);
    }
    map_free(&map);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void note(void *context, const char *object, const char *what, const char *affected)
{
    (void)context;
    printf("\n    %s: %s [%s]", object, what, affected);
}

/* What opening costs is not counted. */
static struct repo *fresh_repo(void)
{
    struct repo *repo = fixture_open_repo(&fixture);
    repo->store = &store.base;
    counted(&store);
    return repo;
}

/* A trailer takes three requests at most, a run no more than one, whatever has it; and nothing is read twice but trailers of
 * meta packs, which the walk and the proof both need. */
static void check_reads_all_once(void)
{
    struct check_result result;
    const struct check_options options = {.workers = 2};
    struct repo *repo = fresh_repo();
    expect_ok(check_run(repo, &options, note, NULL, NULL, &result, err));
    CU_ASSERT_EQUAL(result.findings, 0);
    CU_ASSERT_EQUAL(result.snapshots, SNAPSHOTS);
    CU_ASSERT_EQUAL(result.packs, PACKS + meta_packs);
    size_t requests = counted(&store);
    size_t most = 3 + SNAPSHOTS + 3 * PACKS + (3 + 3 + 1) * meta_packs;
    if (requests > most)
        printf("\n    %zu requests, %zu expected at most", requests, most);
    CU_ASSERT(requests <= most);
    repo_close(repo);
}

static void stats_read_all_once(void)
{
    struct repo_statistics statistics;
    struct repo *repo = fresh_repo();
    expect_ok(repo_statistics(repo, &statistics, err));
    CU_ASSERT_EQUAL(statistics.snapshots, SNAPSHOTS);
    CU_ASSERT_EQUAL(statistics.bytes_total, SNAPSHOTS * 1000);
    CU_ASSERT_EQUAL(statistics.packs, PACKS + meta_packs);
    CU_ASSERT(counted(&store) <= 6 + SNAPSHOTS + (3 + 1) * meta_packs);
    repo_close(repo);
}

static void count_name(void *context, uint32_t pack, uint64_t chunks, enum format_class class)
{
    (void)pack;
    (void)chunks;
    if (class == FORMAT_DATA)
        ++*(uint64_t *)context;
}

static bool names(const struct map_run *run, uint32_t pack)
{
    bool found = false;
    for (size_t i = 0; i < run->span_count; i++)
        found = found || run->spans[i].pack == pack;
    return found;
}

static void runs_are_walked_once(void)
{
    uint64_t walked = 0;
    struct check_runs *runs = check_runs_new(fixture.repo, count_name, &walked);
    struct checked_run *run = NULL;
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        for (size_t j = 0; j < maps[i].run_count; j++) {
            expect_ok(check_runs_walk(runs, &maps[i].runs[j], &run, err));
            CU_ASSERT_PTR_NULL(checked_run_damage(run));
            CU_ASSERT_PTR_EQUAL(check_runs_find(runs, &maps[i].runs[j]), run);
        }
    }
    CU_ASSERT(walked <= extents_written);
    /* which runs rely on a pack */
    uint32_t pack = maps[SNAPSHOTS / 2].runs[0].spans[0].pack;
    check_runs_mark(runs, pack);
    for (size_t i = 0; i < SNAPSHOTS; i++)
        for (size_t j = 0; j < maps[i].run_count; j++)
            CU_ASSERT_EQUAL(checked_run_is_marked(check_runs_find(runs, &maps[i].runs[j])),
                            names(&maps[i].runs[j], pack));
    check_runs_free(runs);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"check reads everything once", check_reads_all_once},
        {"stats read everything once", stats_read_all_once},
        {"runs are walked once", runs_are_walked_once},
    };
    make_repository();
    int result = unit_run("check cost", tests, array_length(tests));
    for (size_t i = 0; i < SNAPSHOTS; i++)
        map_free(&maps[i]);
    fixture_close(&fixture);
    return result;
}
