/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams with damage: with salvage they come whole in length, zeros where something is lost, and each loss is told; without it
 * they fail. Volumes are tested as flows.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/capture.h"
#include "repo/crypt.h"
#include "repo/index.h"
#include "repo/pack.h"
#include "repo/restore.h"

#define LENGTH (5u * 1024u * 1024u + 12345u)
#define CHUNK  (1024u * 1024u)

static struct fixture fixture;
static uint8_t data[LENGTH];
static struct snapshot *taken;

static void take(void)
{
    struct firn_error *err = NULL;
    struct index *index = NULL;
    struct capture *capture = NULL;
    struct capture_object *object = NULL;
    struct capture_options options = {.workers = 1};
    struct digester *digester = NULL;
    auto_free char *digest = NULL;
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < LENGTH; i++) {
        state = state * 6364136223846793005 + 1442695040888963407;
        data[i] = (uint8_t)(state >> 56) | 1; /* never zero */
    }
    fixture_must(digester_new("sha256", &digester, &err), "digester", err);
    fixture_must(digester_update(digester, data, LENGTH, &err), "digest", err);
    fixture_must(digester_finish(digester, &digest, &err), "digest", err);
    digester_free(digester);
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_STREAM,
                                          .name = "blob",
                                          .media_type = "application/x-test",
                                          .length = LENGTH,
                                          .digest = digest};
    taken = snapshot_new("test:stream");
    taken->method = mem_strdup("full");
    taken->consistency = FIRN_CRASH_CONSISTENT;
    fixture_must(index_open(fixture.repo, NULL, INDEX_MEMORY, NULL, NULL, &index, &err), "index",
                 err);
    fixture_must(capture_open(fixture.repo, index, NULL, &options, &capture, &err), "open", err);
    fixture_must(capture_object_begin(capture, &info, &object, &err), "begin", err);
    fixture_must(capture_stream(object, data, LENGTH, &err), "stream", err);
    fixture_must(capture_object_end(object, &err), "end", err);
    fixture_must(capture_commit(capture, taken, &err), "commit", err);
    index_close(index);
}

struct told {
    uint64_t offset, length;
    unsigned count;
};

static void lost(void *context, const char *object, uint64_t offset, uint64_t length,
                 const char *why)
{
    struct told *told = context;
    CU_ASSERT_STRING_EQUAL(object, "blob");
    CU_ASSERT(why[0] != '\0');
    if (told->count++ == 0)
        told->offset = offset;
    told->length += length;
}

/* The pack of a class, and its trailer, the caller's. */
static struct pack_trailer *find_pack(enum format_class class, char *path, size_t size)
{
    for (uint32_t i = 0; i < pack_table_count(fixture.repo->packs); i++) {
        uint8_t id[FORMAT_ID_LENGTH];
        char name[PACK_NAME_LENGTH];
        struct pack_trailer *trailer = NULL;
        pack_table_id(fixture.repo->packs, i, id);
        if (pack_trailer_read(fixture.repo, id, &trailer, NULL) == 0 && trailer->class == class) {
            pack_name(id, name);
            snprintf(path, size, "%s/repository/%s", fixture.directory, name);
            return trailer;
        }
        pack_trailer_free(trailer);
    }
    CU_FAIL_FATAL("there is no such pack");
    return NULL;
}

static void flip(const char *path, uint64_t offset)
{
    (void)chmod(path, 0600);
    FILE *file = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, (long)offset, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, (long)offset, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static int64_t read_all(struct restore_reader *reader, uint8_t *out)
{
    int64_t done = 0, got = 0;
    while ((got = restore_read(reader, out + done, 100000, NULL)) > 0)
        done += got;
    return got < 0 ? -1 : done;
}

/* Reads from `start` with salvage: zeros exactly where it is told. */
static struct told salvage(uint64_t start)
{
    struct told told = {.count = 0};
    struct snapshot *snapshot = NULL;
    struct restore_reader *reader = NULL;
    auto_free uint8_t *out = mem_zalloc(LENGTH + 100000);
    const struct restore_salvage hooks = {.lost = lost, .context = &told};
    fixture_reopen(&fixture);
    expect_ok(snapshot_read(fixture.repo, taken->id, &snapshot, err));
    expect_ok(
        restore_open_salvage(fixture.repo, &snapshot->objects[0], start, &hooks, &reader, err));
    CU_ASSERT_EQUAL(read_all(reader, out), (int64_t)(LENGTH - start));
    restore_close(reader);
    for (uint64_t i = start; i < LENGTH; i++) {
        bool gone = told.count > 0 && i >= told.offset && i < told.offset + told.length;
        if (out[i - start] != (gone ? 0 : data[i]))
            CU_FAIL_FATAL("a byte is neither lost nor what it was");
    }
    snapshot_free(snapshot);
    return told;
}

static void expect_strict_to_fail(void)
{
    struct snapshot *snapshot = NULL;
    struct restore_reader *reader = NULL;
    auto_free uint8_t *out = mem_alloc(LENGTH + 100000);
    fixture_reopen(&fixture);
    expect_ok(snapshot_read(fixture.repo, taken->id, &snapshot, err));
    if (restore_open(fixture.repo, &snapshot->objects[0], 0, 1, &reader, NULL) == 0)
        CU_ASSERT_EQUAL(read_all(reader, out), -1);
    restore_close(reader);
    snapshot_free(snapshot);
}

static void test_sound(void)
{
    take();
    CU_ASSERT_EQUAL(salvage(0).count, 0);
    CU_ASSERT_EQUAL(salvage(1234567).count, 0);
}

static void test_frame(void)
{
    char path[4096];
    struct pack_trailer *trailer = find_pack(FORMAT_DATA, path, sizeof(path));
    CU_ASSERT_EQUAL_FATAL(trailer->frame_count, 6);
    flip(path, trailer->frames[2].offset + 100);
    expect_strict_to_fail();
    struct told told = salvage(0);
    CU_ASSERT(told.count == 1 && told.offset == 2 * CHUNK && told.length == CHUNK);
    told = salvage(4 * CHUNK); /* begins behind it */
    CU_ASSERT_EQUAL(told.count, 0);
    told = salvage(2 * CHUNK + 777); /* begins within it */
    CU_ASSERT(told.count == 1 && told.offset == 2 * CHUNK);
    flip(path, trailer->frames[2].offset + 100);
    pack_trailer_free(trailer);
}

/* Without the trailer, or the map, nothing of it can be found. */
static void test_nothing_left(void)
{
    static const enum format_class classes[] = {FORMAT_DATA, FORMAT_META};
    for (size_t i = 0; i < array_length(classes); i++) {
        char path[4096];
        struct pack_trailer *trailer = find_pack(classes[i], path, sizeof(path));
        flip(path, trailer->length - 400); /* of the trailer */
        expect_strict_to_fail();
        struct told told = salvage(0);
        CU_ASSERT(told.count == 1 && told.offset == 0 && told.length == LENGTH);
        told = salvage(CHUNK + 5);
        CU_ASSERT_EQUAL(told.count, 1);
        flip(path, trailer->length - 400);
        pack_trailer_free(trailer);
    }
    CU_ASSERT_EQUAL(salvage(0).count, 0);
}

static const struct unit_test tests[] = {
    {"nothing is damaged", test_sound},
    {"a frame", test_frame},
    {"nothing is left", test_nothing_left},
};

int main(void)
{
    fixture_open(&fixture);
    int result = unit_run("salvage", tests, array_length(tests));
    snapshot_free(taken);
    fixture_close(&fixture);
    return result;
}
