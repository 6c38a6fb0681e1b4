/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of collection share: packs and snapshots of one block, records, and objects that are made older than they are.
 */
#ifndef TESTS_COLLECTION_FIXTURE_H
#define TESTS_COLLECTION_FIXTURE_H

#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/collection.h"
#include "repo/gate.h"
#include "repo/map_chunk.h"
#include "repo/meta.h"
#include "repo/pack.h"
#include "repo/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

static struct fixture fixture;

/* Sets the time of an object back, or ahead. */
static inline void age(const char *name, int64_t by)
{
    struct stat status;
    auto_free char *path = mem_printf("%s/repository/%s", fixture.directory, name);
    CU_ASSERT_FATAL(stat(path, &status) == 0);
    int64_t time = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000 - by;
    struct timespec times[2] = {{.tv_sec = time / 1000, .tv_nsec = time % 1000 * 1000000}};
    times[1] = times[0];
    CU_ASSERT_FATAL(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static inline void age_pack(uint32_t pack, int64_t by)
{
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(fixture.repo->packs, pack, id);
    pack_name(id, name);
    age(name, by);
}

static inline bool is_there(const char *name)
{
    auto_free char *path = mem_printf("%s/repository/%s", fixture.directory, name);
    return access(path, F_OK) == 0;
}

static inline bool pack_is_there(const uint8_t id[FORMAT_ID_LENGTH])
{
    char name[PACK_NAME_LENGTH];
    pack_name(id, name);
    return is_there(name);
}

/* A data pack of one block. */
static inline uint32_t make_data(void)
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
    pack_table_set_present(fixture.repo->packs, number);
    return number;
}

/* A run over one block of each of the packs, in a meta pack of its own. */
static inline struct map_run make_run(const uint32_t *packs, uint32_t count)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    uint64_t stored = 0;
    uint32_t meta_packs = 0;
    struct map_run run = {.spans = mem_array(1, sizeof(*run.spans)), .span_count = 1};
    struct map_encoder *encoder = map_encoder_new();
    auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
    for (uint32_t i = 0; i < count; i++) {
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
                                 count, &run.spans[0].pack, &run.spans[0].ordinal, &err),
                 "put", err);
    fixture_must(meta_writer_finish(meta, &stored, &meta_packs, &err), "finish", err);
    return run;
}

/* A snapshot of one object with that run, not written yet. */
static inline struct snapshot *make_snapshot(const struct map_run *run)
{
    struct snapshot *snapshot = snapshot_new("test:volume");
    struct map_run copy = *run;
    const struct map map = {.runs = &copy, .run_count = 1};
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    snapshot->object_count = 1;
    snapshot->objects = mem_zalloc(sizeof(*snapshot->objects));
    *snapshot->objects = (struct snapshot_object){.kind = FIRN_OBJECT_VOLUME,
                                                  .name = mem_strdup("disk"),
                                                  .media_type = mem_strdup("x/y"),
                                                  .length = run->units * FORMAT_BLOCK_SIZE};
    map_copy(&snapshot->objects->map, &map);
    return snapshot;
}

static inline int64_t store_time(void)
{
    int64_t now = 0;
    expect_ok(store_now(fixture.store, &now, err));
    return now;
}

/* A record of one pack, put `ago` ms ago. */
static inline void put_record(enum collection_kind kind, const uint8_t id[FORMAT_ID_LENGTH],
                              int64_t limit, uint32_t pack, int64_t ago)
{
    uint8_t packs[1][FORMAT_ID_LENGTH];
    char name[COLLECTION_NAME_LENGTH];
    struct collection_record record = {
        .kind = kind, .limit = limit, .packs = (const void *)packs, .count = pack != PACK_NONE};
    if (pack != PACK_NONE)
        pack_table_id(fixture.repo->packs, pack, packs[0]);
    memcpy(record.id, id, FORMAT_ID_LENGTH);
    expect_ok(collection_put(fixture.repo, &record, err));
    collection_name(kind, id, name);
    age(name, ago);
}

#endif
