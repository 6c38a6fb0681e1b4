/* SPDX-License-Identifier: Apache-2.0 */
/* Check: meta packs state, in the clear, every pack that their maps rely on; or a collector would remove one. */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/check.h"
#include "repo/map_chunk.h"
#include "repo/meta.h"
#include "repo/pack.h"
#include "repo/snapshot.h"

#define PACKS 40u

static struct fixture fixture;
static char complaint[512];

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

/* A run over blocks of all packs, whose meta pack states the first `stated` of them. */
static struct map_run make_run(const uint32_t *packs, size_t stated)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    uint64_t stored = 0;
    uint32_t meta_packs = 0;
    struct map_run run = {.spans = mem_array(1, sizeof(*run.spans)), .span_count = 1};
    struct map_encoder *encoder = map_encoder_new();
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    for (uint32_t i = 0; i < PACKS; i++) {
        const struct map_extent extent = {.start = i, .count = 1, .pack = packs[i]};
        map_encoder_add(encoder, &extent);
        run.extents++;
        run.units++;
    }
    map_encoder_take(encoder, fixture.repo->packs, &chunk);
    map_encoder_free(encoder);
    run.spans[0].count = 1;
    fixture_must(meta_writer_new(fixture.repo, &meta, &err), "meta", err);
    fixture_must(meta_writer_put(meta, FORMAT_CHUNK_MAP, NULL, chunk.data, chunk.length, packs,
                                 stated, &run.spans[0].pack, &run.spans[0].ordinal, &err),
                 "put", err);
    fixture_must(meta_writer_finish(meta, &stored, &meta_packs, &err), "finish", err);
    return run;
}

static void write_snapshot(struct map_run *run)
{
    struct firn_error *err = NULL;
    auto_snapshot struct snapshot *snapshot = snapshot_new("test:volume");
    const struct map map = {.runs = run, .run_count = 1};
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    snapshot->object_count = 1;
    snapshot->objects = mem_zalloc(sizeof(*snapshot->objects));
    *snapshot->objects = (struct snapshot_object){.kind = FIRN_OBJECT_VOLUME,
                                                  .name = mem_strdup("disk"),
                                                  .media_type = mem_strdup("x/y"),
                                                  .length = PACKS * FORMAT_BLOCK_SIZE};
    map_copy(&snapshot->objects->map, &map);
    fixture_must(snapshot_write(fixture.repo, snapshot, &err), "write", err);
}

static void note(void *context, const char *object, const char *what, const char *affected)
{
    (void)context;
    (void)object;
    (void)affected;
    snprintf(complaint, sizeof(complaint), "%s", what);
}

/* What check finds when so many of the packs are stated. */
static uint64_t findings_when_stated(size_t stated)
{
    struct firn_error *err = NULL;
    struct check_result result;
    const struct check_options options = {.workers = 1};
    uint32_t packs[PACKS];
    fixture_open(&fixture);
    for (uint32_t i = 0; i < PACKS; i++)
        packs[i] = make_pack();
    struct map_run run = make_run(packs, stated);
    write_snapshot(&run);
    map_run_free(&run);
    complaint[0] = '\0';
    struct repo *repo = fixture_open_repo(&fixture);
    fixture_must(check_run(repo, &options, note, NULL, NULL, &result, &err), "check", err);
    repo_close(repo);
    fixture_close(&fixture);
    return result.findings;
}

static void test_stated(void)
{
    CU_ASSERT_EQUAL(findings_when_stated(PACKS), 0);
    expect_text(complaint, "");
}

static void test_not_stated(void)
{
    CU_ASSERT(findings_when_stated(PACKS - 1) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(complaint, "no meta pack states that"));
    CU_ASSERT(findings_when_stated(0) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(complaint, "no meta pack states that"));
}

int main(void)
{
    static const struct unit_test tests[] = {{"stated", test_stated},
                                             {"not stated", test_not_stated}};
    return unit_run("check_references", tests, array_length(tests));
}
