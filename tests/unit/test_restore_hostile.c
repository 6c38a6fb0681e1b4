/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository written by somebody who has the keys and means harm: every object is sealed as it should be, and lies. Restore
 * refuses with CORRUPT, check finds it, and nothing reads or writes where it should not (sanitizers look).
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/buf.h"
#include "repo/capture.h"
#include "repo/check.h"
#include "repo/crypt.h"
#include "repo/gate.h"
#include "repo/map_chunk.h"
#include "repo/map_cursor.h"
#include "repo/meta.h"
#include "repo/pack.h"
#include "repo/restore.h"

#define BLOCK FORMAT_BLOCK_SIZE

static struct fixture fixture;

/* ---------------------------------------------------------------------------------- tools */

static void fingerprint_of(enum format_chunk kind, const void *data, size_t length, uint8_t *out)
{
    struct firn_error *err = NULL;
    struct fingerprinter *fingerprinter = NULL;
    uint8_t key[FORMAT_KEY_LENGTH];
    fixture_must(keyring_fingerprint_key(&fixture.repo->keyring, key, &err), "key", err);
    fixture_must(fingerprinter_new(key, &fingerprinter, &err), "fingerprinter", err);
    fixture_must(fingerprinter_make(fingerprinter, kind, data, length, out, &err), "make", err);
    fingerprinter_free(fingerprinter);
}

/* A pack of frames of one chunk each, of this kind and these lengths; its number. */
static uint32_t make_pack(enum format_class class, enum format_chunk kind, const uint32_t *lengths,
                          size_t count)
{
    struct firn_error *err = NULL;
    struct pack_writer *writer = NULL;
    uint32_t number = 0;
    fixture_must(pack_writer_open(fixture.repo, class, &writer, &err), "open", err);
    fixture_must(pack_table_number(fixture.repo->packs, pack_writer_id(writer), &number, &err),
                 "number", err);
    for (size_t i = 0; i < count; i++) {
        auto_free uint8_t *data = mem_alloc(lengths[i]);
        memset(data, (int)i + 1, lengths[i]);
        struct pack_chunk chunk = {.kind = (uint8_t)kind, .length = lengths[i]};
        fingerprint_of(kind, data, lengths[i], chunk.fingerprint);
        fixture_must(
            pack_writer_append(writer, data, lengths[i], lengths[i], false, &chunk, 1, &err),
            "append", err);
    }
    fixture_must(pack_writer_finish(writer, NULL, 0, &err), "finish", err);
    return number;
}

/* A run of one chunk for each list of extents; each list ends with a count of 0. */
static void make_run(const struct map_extent *const *lists, size_t count, struct map_run *out)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    uint64_t stored = 0;
    uint32_t packs = 0;
    *out = (struct map_run){.spans = mem_array(count, sizeof(*out->spans)), .span_count = count};
    fixture_must(meta_writer_new(fixture.repo, &meta, &err), "meta", err);
    for (size_t i = 0; i < count; i++) {
        struct map_encoder *encoder = map_encoder_new();
        auto_buf struct buf chunk = buf_new(FORMAT_CHUNK_MAX);
        for (const struct map_extent *extent = lists[i]; extent->count > 0; extent++) {
            map_encoder_add(encoder, extent);
            out->extents++;
            out->units += extent->count;
        }
        size_t relied = 0;
        const uint32_t *relies_on = map_encoder_packs(encoder, &relied);
        auto_free uint32_t *copy = mem_dup(relies_on, relied * sizeof(*copy));
        map_encoder_take(encoder, fixture.repo->packs, &chunk);
        map_encoder_free(encoder);
        out->spans[i].count = 1;
        fixture_must(meta_writer_put(meta, FORMAT_CHUNK_MAP, NULL, chunk.data, chunk.length, copy,
                                     relied, &out->spans[i].pack, &out->spans[i].ordinal, &err),
                     "put", err);
    }
    fixture_must(meta_writer_finish(meta, &stored, &packs, &err), "finish", err);
}

static unsigned findings;

static void note_finding(void *context, const char *object, const char *what, const char *affected)
{
    (void)context;
    (void)object;
    (void)what;
    (void)affected;
    findings++;
}

static unsigned check(void)
{
    struct check_options options = {.read_percent = 100, .workers = 2};
    struct check_result result;
    struct firn_error *err = NULL;
    struct repo *repo = fixture_open_repo(&fixture);
    findings = 0;
    fixture_must(check_run(repo, &options, note_finding, NULL, NULL, &result, &err), "check", err);
    repo_close(repo);
    return findings;
}

struct lie {
    enum firn_object_kind kind;
    uint64_t length;
    const char *digest;
    struct map map;
};

/* Commits a snapshot of one object and reads it back. */
static struct snapshot *commit(const struct lie *lie)
{
    struct firn_error *err = NULL;
    struct snapshot *snapshot = snapshot_new("test:lie"), *read = NULL;
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    snapshot->objects = mem_array(1, sizeof(*snapshot->objects));
    snapshot->object_count = 1;
    snapshot->objects[0] = (struct snapshot_object){.kind = lie->kind,
                                                    .name = mem_strdup("object"),
                                                    .media_type = mem_strdup("text/plain"),
                                                    .length = lie->length,
                                                    .digest = mem_strdup(lie->digest)};
    map_copy(&snapshot->objects[0].map, &lie->map);
    fixture_must(snapshot_write(fixture.repo, snapshot, &err), "write", err);
    fixture_must(snapshot_read(fixture.repo, snapshot->id, &read, &err), "read", err);
    snapshot_free(snapshot);
    return read;
}

static int read_whole(const struct snapshot_object *object, struct firn_error **err)
{
    struct restore_reader *reader = NULL;
    struct firn_extent extent = {.size = sizeof(extent)};
    uint8_t data[4096];
    int64_t more = 0;
    if (restore_open(fixture.repo, object, 0, 2, &reader, err) < 0)
        return -1;
    if (object->kind == FIRN_OBJECT_VOLUME) {
        while ((more = restore_next(reader, &extent, err)) > 0) {
            if (extent.offset + extent.length > object->length)
                abort();
            restore_release(reader, &extent);
        }
    } else {
        while ((more = restore_read(reader, data, sizeof(data), err)) > 0)
            continue;
    }
    restore_close(reader);
    return more < 0 ? -1 : 0;
}

/* Restoring fails with CORRUPT; check finds it, unless the lie is one that only restoring can tell. */
static void expect_refused(const struct lie *lie, bool found_by_check)
{
    struct snapshot *snapshot = commit(lie);
    expect_error(FIRN_CORRUPT, read_whole(&snapshot->objects[0], err));
    unsigned found = check();
    CU_ASSERT(found_by_check ? found > 0 : found == 0);
    expect_ok(snapshot_remove(fixture.repo, snapshot->id, err));
    snapshot_free(snapshot);
}

static void refuse_extents(enum firn_object_kind kind, uint64_t length,
                           const struct map_extent *extents, bool found_by_check)
{
    struct map_run run;
    make_run(&extents, 1, &run);
    struct lie lie = {.kind = kind, .length = length, .map = {.runs = &run, .run_count = 1}};
    expect_refused(&lie, found_by_check);
    map_run_free(&run);
}

/* ---------------------------------------------------------------------------------- volumes */

static void test_past_the_pack(void)
{
    const uint32_t lengths[] = {BLOCK, BLOCK};
    uint32_t pack = make_pack(FORMAT_DATA, FORMAT_CHUNK_BLOCK, lengths, 2);
    const struct map_extent behind[] = {{.start = 0, .count = 1, .pack = pack, .ordinal = 2}, {0}};
    const struct map_extent across[] = {{.start = 0, .count = 3, .pack = pack, .ordinal = 0}, {0}};
    const struct map_extent far[] = {
        {.start = 0, .count = 1, .pack = pack, .ordinal = FORMAT_PACK_CHUNKS_MAX - 1}, {0}};
    refuse_extents(FIRN_OBJECT_VOLUME, 4 * BLOCK, behind, true);
    refuse_extents(FIRN_OBJECT_VOLUME, 4 * BLOCK, across, true);
    refuse_extents(FIRN_OBJECT_VOLUME, 4 * BLOCK, far, true);
    refuse_extents(FIRN_OBJECT_STREAM, 4 * BLOCK, behind, true);
}

static void test_missing_pack(void)
{
    uint32_t pack = 0;
    const uint8_t id[FORMAT_ID_LENGTH] = {1, 2, 3};
    expect_ok(pack_table_number(fixture.repo->packs, id, &pack, err));
    const struct map_extent extents[] = {{.start = 0, .count = 1, .pack = pack, .ordinal = 0}, {0}};
    refuse_extents(FIRN_OBJECT_VOLUME, BLOCK, extents, true);
    refuse_extents(FIRN_OBJECT_STREAM, BLOCK, extents, true);
}

/* Chunks that are longer than a block would be written over their neighbours. */
static void test_long_block(void)
{
    const uint32_t lengths[] = {BLOCK + 1, FORMAT_CHUNK_MAX};
    uint32_t pack = make_pack(FORMAT_DATA, FORMAT_CHUNK_BLOCK, lengths, 2);
    const struct map_extent extents[] = {{.start = 0, .count = 2, .pack = pack, .ordinal = 0}, {0}};
    refuse_extents(FIRN_OBJECT_VOLUME, 2 * BLOCK, extents, false);
}

static void test_other_kind(void)
{
    const uint32_t lengths[] = {1000};
    uint32_t stream = make_pack(FORMAT_DATA, FORMAT_CHUNK_STREAM, lengths, 1);
    uint32_t meta = make_pack(FORMAT_META, FORMAT_CHUNK_BLOCK, lengths, 1);
    const struct map_extent a[] = {{.start = 0, .count = 1, .pack = stream, .ordinal = 0}, {0}};
    const struct map_extent b[] = {{.start = 0, .count = 1, .pack = meta, .ordinal = 0}, {0}};
    refuse_extents(FIRN_OBJECT_VOLUME, BLOCK, a, false);
    refuse_extents(FIRN_OBJECT_VOLUME, BLOCK, b, true);
}

/* A block that is short in the middle is followed by zeros: every byte is covered once, whatever the pack says. */
static void test_short_blocks(void)
{
    const uint32_t lengths[] = {1, BLOCK, 77, BLOCK - 1};
    uint32_t pack = make_pack(FORMAT_DATA, FORMAT_CHUNK_BLOCK, lengths, 4);
    const struct map_extent extents[] = {{.start = 0, .count = 4, .pack = pack, .ordinal = 0}, {0}};
    const struct map_extent *list = extents;
    struct map_run run;
    make_run(&list, 1, &run);
    struct lie lie = {
        .kind = FIRN_OBJECT_VOLUME, .length = 4 * BLOCK, .map = {.runs = &run, .run_count = 1}};
    struct snapshot *snapshot = commit(&lie);
    expect_ok(read_whole(&snapshot->objects[0], err));
    expect_ok(snapshot_remove(fixture.repo, snapshot->id, err));
    snapshot_free(snapshot);
    map_run_free(&run);
}

/* ---------------------------------------------------------------------------------- maps */

static void test_unsorted_map(void)
{
    const uint32_t lengths[] = {BLOCK};
    uint32_t pack = make_pack(FORMAT_DATA, FORMAT_CHUNK_BLOCK, lengths, 1);
    const struct map_extent high[] = {{.start = 9, .count = 1, .pack = pack, .ordinal = 0}, {0}};
    const struct map_extent low[] = {{.start = 2, .count = 1, .pack = pack, .ordinal = 0}, {0}};
    const struct map_extent *const reversed[] = {high, low}, *const twice[] = {low, low};
    struct map_run run;
    struct lie lie = {
        .kind = FIRN_OBJECT_VOLUME, .length = 12 * BLOCK, .map = {.runs = &run, .run_count = 1}};
    make_run(reversed, 2, &run);
    expect_refused(&lie, true);
    map_run_free(&run);
    make_run(twice, 2, &run);
    expect_refused(&lie, true);
    map_run_free(&run);
}

/* A run whose chunk is no map, is not there, or lies in a pack of contents. */
static void test_no_map(void)
{
    const uint32_t lengths[] = {5000, 5000};
    uint32_t garbage = make_pack(FORMAT_META, FORMAT_CHUNK_MAP, lengths, 2);
    uint32_t contents = make_pack(FORMAT_DATA, FORMAT_CHUNK_BLOCK, lengths, 1);
    struct map_span spans[] = {{.pack = garbage, .ordinal = 1, .count = 1},
                               {.pack = garbage, .ordinal = 2, .count = 1},
                               {.pack = garbage, .ordinal = 1, .count = 60000},
                               {.pack = contents, .ordinal = 0, .count = 1}};
    for (size_t i = 0; i < array_length(spans); i++) {
        struct map_run run = {
            .spans = &spans[i], .span_count = 1, .extents = 60000, .units = 60000};
        struct lie lie = {
            .kind = FIRN_OBJECT_VOLUME, .length = BLOCK, .map = {.runs = &run, .run_count = 1}};
        expect_refused(&lie, true);
    }
}

/* ---------------------------------------------------------------------------------- streams */

static void test_stream_lengths(void)
{
    const uint32_t lengths[] = {1000, 1000};
    uint32_t pack = make_pack(FORMAT_DATA, FORMAT_CHUNK_STREAM, lengths, 2);
    const struct map_extent both[] = {{.start = 0, .count = 2, .pack = pack, .ordinal = 0}, {0}};
    const struct map_extent hole[] = {{.start = 0, .count = 1, .pack = pack, .ordinal = 0},
                                      {.start = 2, .count = 1, .pack = pack, .ordinal = 1},
                                      {0}};
    const struct map_extent zero[] = {{.start = 0, .count = 2, .pack = PACK_NONE}, {0}};
    const struct map_extent *list = both;
    refuse_extents(FIRN_OBJECT_STREAM, 1999, both, false);
    refuse_extents(FIRN_OBJECT_STREAM, 2001, both, false);
    refuse_extents(FIRN_OBJECT_DOCUMENT, 0, both, false);
    refuse_extents(FIRN_OBJECT_STREAM, 2000, hole, false);
    refuse_extents(FIRN_OBJECT_STREAM, 2000, zero, false);

    struct map_run run;
    make_run(&list, 1, &run);
    struct lie lie = {.kind = FIRN_OBJECT_STREAM,
                      .length = 2000,
                      .digest =
                          "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                      .map = {.runs = &run, .run_count = 1}};
    expect_refused(&lie, false);
    map_run_free(&run);
}

/* A stream that says the same chunk again and again ends where its length says. */
static void test_endless_stream(void)
{
    const uint32_t lengths[] = {FORMAT_CHUNK_MAX};
    uint32_t pack = make_pack(FORMAT_DATA, FORMAT_CHUNK_STREAM, lengths, 1);
    auto_free struct map_extent *extents = mem_array(40001, sizeof(*extents));
    for (uint64_t i = 0; i < 40000; i++)
        extents[i] = (struct map_extent){.start = i, .count = 1, .pack = pack, .ordinal = 0};
    refuse_extents(FIRN_OBJECT_STREAM, 3 * FORMAT_CHUNK_MAX + 5, extents, false);
}

/* ---------------------------------------------------------------------------------- snapshots */

static void test_parents(void)
{
    struct firn_error *err = NULL;
    struct snapshot *snapshot = snapshot_new("test:parent"), *read = NULL;
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    memset(snapshot->parent, 0xee, FORMAT_ID_LENGTH); /* there is none of this name */
    fixture_must(snapshot_write(fixture.repo, snapshot, &err), "write", err);
    memcpy(snapshot->parent, snapshot->id, FORMAT_ID_LENGTH); /* and a child of its child */
    fixture_must(snapshot_write(fixture.repo, snapshot, &err), "write", err);
    CU_ASSERT_EQUAL(check(), 0);
    expect_ok(snapshot_resolve(fixture.repo, "latest:test:parent", &read, err));
    snapshot_free(read);
    snapshot_free(snapshot);
}

/* Ids in the names of objects that are not what the objects say. */
static void test_strange_names(void)
{
    static const char *const names[] = {"snapshots/00", "snapshots/zz", "packs/00/00",
                                        "packs/ab/00112233445566778899aabbccddeeff", "keys/x"};
    struct firn_error *err = NULL;
    for (size_t i = 0; i < array_length(names); i++)
        fixture_must(store_put(fixture.store, names[i], "?", 1, &err), "put", err);
    CU_ASSERT_EQUAL(check(), 0);
    for (size_t i = 0; i < array_length(names); i++)
        fixture_must(store_remove(fixture.store, names[i], &err), "remove", err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a map that names chunks past the end of a pack", test_past_the_pack},
        {"a map that names a pack that is not there", test_missing_pack},
        {"blocks that are too long", test_long_block},
        {"chunks of another kind and class", test_other_kind},
        {"blocks that are short in the middle", test_short_blocks},
        {"chunks of a map out of order", test_unsorted_map},
        {"a run that is no map", test_no_map},
        {"streams that are not as long as they say", test_stream_lengths},
        {"a stream without an end", test_endless_stream},
        {"parents that are not there, or in a circle", test_parents},
        {"objects with strange names", test_strange_names},
    };
    struct firn_error *err = NULL;
    fixture_open(&fixture);
    fixture_must(gate_open(fixture.repo, &err), "session", err);
    int result = unit_run("restore_hostile", tests, array_length(tests));
    fixture_close(&fixture);
    return result;
}
