/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backup writer and its reader, as a whole and against a naive model (the bytes of a volume in
 * memory): pieces of blocks in any order, holes, parents, streams, and damage done to what was
 * stored.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/buf.h"
#include "repo/capture.h"
#include "repo/check.h"
#include "repo/crypt.h"
#include "repo/index.h"
#include "repo/restore.h"
#include "repo/stats.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK FORMAT_BLOCK_SIZE

static struct fixture fixture;

/* ---------------------------------------------------------------------------------- tools */

static uint64_t random_state = 1181783497276652981;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* Bytes that differ from block to block and compress somewhat. */
static void fill(uint8_t *data, size_t length)
{
    uint64_t word = random_below(UINT64_MAX);
    for (size_t i = 0; i < length; i++) {
        if (i % 64 == 0)
            word = word * 6364136223846793005 + 1442695040888963407;
        data[i] = (uint8_t)(word >> (i % 8 * 8));
    }
}

struct run {
    struct index *index;
    struct capture *capture;
    struct snapshot *snapshot;
};

static struct run begin(const struct snapshot *parent)
{
    struct firn_error *err = NULL;
    struct run run = {.snapshot = snapshot_new("test:volume")};
    struct capture_options options = {.workers = 2};
    run.snapshot->method = mem_strdup("full");
    run.snapshot->consistency = FIRN_CRASH_CONSISTENT;
    fixture_must(index_open(fixture.repo, NULL, INDEX_MEMORY, NULL, NULL, &run.index, &err),
                 "index", err);
    fixture_must(capture_open(fixture.repo, run.index, parent, &options, &run.capture, &err),
                 "open", err);
    return run;
}

static struct snapshot *commit(struct run *run)
{
    struct firn_error *err = NULL;
    fixture_must(capture_commit(run->capture, run->snapshot, &err), "commit", err);
    index_close(run->index);
    struct snapshot *read = NULL;
    fixture_must(snapshot_read(fixture.repo, run->snapshot->id, &read, &err), "read back", err);
    snapshot_free(run->snapshot);
    return read;
}

static struct capture_object *begin_volume(struct run *run, const char *name, uint64_t length)
{
    struct firn_error *err = NULL;
    struct capture_object *object = NULL;
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_VOLUME,
                                    .name = name,
                                    .media_type = "application/octet-stream",
                                    .length = length};
    fixture_must(capture_object_begin(run->capture, &info, &object, &err), "begin", err);
    return object;
}

static bool all_zero(const uint8_t *data, size_t length)
{
    return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

/* The volume as it is restored; every byte must be covered exactly once. */
static uint8_t *restore_volume(const struct snapshot *snapshot, const char *name, uint64_t start)
{
    const struct snapshot_object *object = snapshot_object(snapshot, name);
    uint8_t *data = mem_array(object->length + 1, 1), *covered = mem_array(object->length + 1, 1);
    struct firn_error *err = NULL;
    struct restore_reader *reader = NULL;
    fixture_must(restore_open(fixture.repo, object, start, 2, &reader, &err), "restore", err);
    struct firn_extent extent = {.size = sizeof(extent)};
    uint64_t sum = 0, frontier = start;
    bool good = true;
    int more = 0;
    while ((more = restore_next(reader, &extent, &err)) > 0) {
        good = good && extent.frontier >= frontier && extent.offset >= extent.frontier &&
               extent.length > 0 && extent.offset + extent.length <= object->length;
        frontier = extent.frontier;
        good = good && all_zero(covered + extent.offset, extent.length);
        if (good)
            memset(covered + extent.offset, 1, extent.length);
        if (good && extent.data != NULL)
            memcpy(data + extent.offset, extent.data, extent.length);
        sum += extent.length;
        restore_release(reader, &extent);
    }
    fixture_must(more, "restore", err);
    restore_close(reader);
    free(covered);
    CU_ASSERT(good);
    CU_ASSERT_EQUAL(sum, object->length - start);
    return data;
}

static void expect_volume(const struct snapshot *snapshot, const char *name, const uint8_t *model,
                          uint64_t length)
{
    auto_free uint8_t *data = restore_volume(snapshot, name, 0);
    CU_ASSERT_EQUAL(snapshot_object(snapshot, name)->length, length);
    CU_ASSERT_EQUAL(memcmp(data, model, length), 0);
    uint64_t start = length / 2 / BLOCK * BLOCK;
    auto_free uint8_t *half = restore_volume(snapshot, name, start);
    CU_ASSERT_EQUAL(memcmp(half + start, model + start, length - start), 0);
}

struct findings {
    unsigned count;
    char object[256], what[512];
    char all[16384]; /* every object and reason */
};

static void note_finding(void *context, const char *object, const char *what, const char *affected)
{
    struct findings *findings = context;
    findings->count++;
    snprintf(findings->object, sizeof(findings->object), "%s", object);
    snprintf(findings->what, sizeof(findings->what), "%s", what);
    size_t used = strlen(findings->all);
    snprintf(findings->all + used, sizeof(findings->all) - used, "%s %s [%s]\n", object, what,
             affected);
}

static struct findings check(unsigned percent)
{
    struct findings findings = {0};
    struct check_options options = {.read_percent = percent, .workers = 2};
    struct check_result result;
    struct firn_error *err = NULL;
    struct repo *repo = fixture_open_repo(&fixture);
    fixture_must(check_run(repo, &options, note_finding, NULL, &findings, &result, &err), "check",
                 err);
    repo_close(repo);
    CU_ASSERT_EQUAL(result.findings, findings.count);
    return findings;
}

/* ---------------------------------------------------------------------------------- volumes */

/* Writes [offset, offset + length) of the model in pieces, in a random order. */
static void write_pieces(struct capture_object *object, const uint8_t *model, uint64_t offset,
                         uint64_t length)
{
    struct firn_error *err = NULL;
    while (length > 0) {
        uint64_t part = 1 + random_below(length < 90000 ? length : 90000);
        bool from_end = random_below(2) == 1;
        uint64_t at = from_end ? offset + length - part : offset;
        fixture_must(capture_extent(object, at, model + at, part, &err), "extent", err);
        offset += from_end ? 0 : part;
        length -= part;
    }
}

static void write_borrowed(struct run *run, struct capture_object *object, const uint8_t *model,
                           uint64_t offset, uint64_t length)
{
    struct firn_error *err = NULL;
    while (length > 0) {
        void *data = NULL;
        size_t capacity = 0;
        fixture_must(capture_buffer_get(run->capture, &data, &capacity, &err), "buffer", err);
        uint64_t part = length < capacity ? length : capacity;
        memcpy(data, model + offset, part);
        fixture_must(capture_extent_take(object, offset, data, part, &err), "take", err);
        offset += part;
        length -= part;
    }
}

static void test_full(void)
{
    uint64_t length = 300 * BLOCK + 12345;
    auto_free uint8_t *model = mem_array(length, 1);
    fill(model, 100 * BLOCK);
    fill(model + 200 * BLOCK, length - 200 * BLOCK);
    struct firn_error *err = NULL;
    struct run run = begin(NULL);
    struct capture_object *object = begin_volume(&run, "disk", length);
    write_borrowed(&run, object, model, 0, 100 * BLOCK);
    expect_ok(capture_zero(object, 100 * BLOCK, 100 * BLOCK, err));
    write_pieces(object, model, 200 * BLOCK, 40 * BLOCK);
    write_borrowed(&run, object, model, 240 * BLOCK, length - 240 * BLOCK);
    fixture_must(capture_object_end(object, &err), "end", err);
    struct snapshot *snapshot = commit(&run);
    expect_volume(snapshot, "disk", model, length);
    CU_ASSERT_EQUAL(check(100).count, 0);

    /* The same again stores no block. */
    run = begin(NULL);
    object = begin_volume(&run, "disk", length);
    write_borrowed(&run, object, model, 0, length);
    fixture_must(capture_object_end(object, &err), "end", err);
    struct capture_statistics figures;
    capture_statistics(run.capture, &figures);
    CU_ASSERT_EQUAL(figures.bytes_read, length);
    CU_ASSERT_EQUAL(figures.bytes_zero, 100 * BLOCK);
    CU_ASSERT(figures.bytes_new < 40 * BLOCK); /* sampled hooks find nearly all */
    struct snapshot *again = commit(&run);
    expect_volume(again, "disk", model, length);
    snapshot_free(again);
    snapshot_free(snapshot);
}

/* One step of the chain: some ranges change, some become zero, the rest stays, by every call. */
static void change(struct run *run, struct capture_object *object, uint8_t *model, uint64_t length,
                   bool whole_disk)
{
    struct firn_error *err = NULL;
    uint64_t at = 0;
    while (at < length) {
        uint64_t part = 1 + random_below(6 * BLOCK);
        if (random_below(3) > 0) /* mostly whole blocks */
            part = (part + BLOCK) / BLOCK * BLOCK - at % BLOCK;
        if (part > length - at)
            part = length - at;
        uint64_t what = random_below(8);
        if (what == 0) {
            fill(model + at, part);
            write_pieces(object, model, at, part);
        } else if (what == 1) {
            memset(model + at, 0, part);
            fixture_must(capture_zero(object, at, part, &err), "zero", err);
        } else if (what == 2 || whole_disk) {
            write_borrowed(run, object, model, at, part);
        } else if (what == 3) {
            fixture_must(capture_same(object, at, part, &err), "same", err);
        }
        at += part;
    }
}

static void test_chain(void)
{
    uint64_t length = 180 * BLOCK + 777;
    uint8_t *model = mem_array(length, 1);
    fill(model, length / 2);
    struct firn_error *err = NULL;
    struct run run = begin(NULL);
    struct capture_object *object = begin_volume(&run, "disk", length);
    write_borrowed(&run, object, model, 0, length);
    fixture_must(capture_object_end(object, &err), "end", err);
    struct snapshot *parent = commit(&run);
    for (int generation = 0; generation < 30; generation++) {
        uint64_t longer = length + (generation % 5 == 4 ? random_below(9 * BLOCK) : 0);
        uint8_t *grown = mem_array(longer, 1);
        memcpy(grown, model, length);
        free(model);
        model = grown;
        length = longer;
        run = begin(parent);
        object = begin_volume(&run, "disk", length);
        expect_ok(capture_object_parent(object, err));
        change(&run, object, model, length, generation % 7 == 3);
        fixture_must(capture_object_end(object, &err), "end", err);
        struct snapshot *snapshot = commit(&run);
        expect_volume(snapshot, "disk", model, length);
        CU_ASSERT(snapshot_object(snapshot, "disk")->map.run_count <= 17);
        snapshot_free(parent);
        parent = snapshot;
    }
    CU_ASSERT_EQUAL(check(100).count, 0);
    snapshot_free(parent);
    free(model);
}

/* Reading the whole disk against a parent notes down only what differs. */
static void test_unchanged(void)
{
    uint64_t length = 512 * BLOCK;
    auto_free uint8_t *model = mem_array(length, 1);
    fill(model, length);
    memset(model + 100 * BLOCK, 0, 50 * BLOCK);
    struct firn_error *err = NULL;
    struct run run = begin(NULL);
    struct capture_object *object = begin_volume(&run, "disk", length);
    write_borrowed(&run, object, model, 0, length);
    fixture_must(capture_object_end(object, &err), "end", err);
    struct snapshot *parent = commit(&run);
    run = begin(parent);
    object = begin_volume(&run, "disk", length);
    expect_ok(capture_object_parent(object, err));
    model[300 * BLOCK] ^= 1;
    memset(model + 20 * BLOCK, 0, BLOCK);
    fill(model + 110 * BLOCK, BLOCK);
    write_borrowed(&run, object, model, 0, length);
    fixture_must(capture_object_end(object, &err), "end", err);
    struct snapshot *snapshot = commit(&run);
    CU_ASSERT_EQUAL(snapshot->bytes_changed, 3 * BLOCK);
    CU_ASSERT_EQUAL(snapshot->bytes_new, 2 * BLOCK);
    expect_volume(snapshot, "disk", model, length);
    snapshot_free(parent);
    snapshot_free(snapshot);
}

static void test_misuse(void)
{
    struct run run = begin(NULL);
    struct capture_object *object = begin_volume(&run, "disk", 10 * BLOCK), *other = NULL;
    uint8_t data[16] = {1};
    expect_error(FIRN_INVALID, capture_extent(object, 10 * BLOCK - 8, data, 16, err));
    expect_error(FIRN_INVALID, capture_zero(object, UINT64_MAX - 8, 16, err));
    expect_error(FIRN_INVALID, capture_same(object, 0, BLOCK, err));
    expect_error(FIRN_INVALID, capture_stream(object, data, 16, err));
    expect_error(FIRN_NOTFOUND, capture_object_parent(object, err));
    expect_error(FIRN_INVALID, capture_extent_take(object, 0, data, 16, err));
    void *buffers[FIRN_BUFFERS_MAX + 1];
    size_t capacity = 0;
    for (unsigned i = 0; i < FIRN_BUFFERS_MAX; i++)
        expect_ok(capture_buffer_get(run.capture, &buffers[i], &capacity, err));
    expect_error(FIRN_INVALID,
                 capture_buffer_get(run.capture, &buffers[FIRN_BUFFERS_MAX], &capacity, err));
    for (unsigned i = 0; i < FIRN_BUFFERS_MAX; i++)
        capture_buffer_put(run.capture, buffers[i]);
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_STREAM,
                                    .name = "a\nb",
                                    .media_type = "text/plain"};
    expect_error(FIRN_INVALID, capture_object_begin(run.capture, &info, &other, err));
    info.name = "layer";
    info.digest = "md5:00";
    expect_error(FIRN_INVALID, capture_object_begin(run.capture, &info, &other, err));
    capture_object_abandon(object);
    capture_abort(run.capture);
    index_close(run.index);
    snapshot_free(run.snapshot);
}

/* ---------------------------------------------------------------------------------- streams */

static char *digest_of(const void *data, size_t length)
{
    struct firn_error *err = NULL;
    struct digester *digester = NULL;
    char *digest = NULL;
    fixture_must(digester_new("sha256", &digester, &err), "digest", err);
    fixture_must(digester_update(digester, data, length, &err), "digest", err);
    fixture_must(digester_finish(digester, &digest, &err), "digest", err);
    digester_free(digester);
    return digest;
}

static int put_stream(struct run *run, const char *name, const char *digest, const uint8_t *data,
                      size_t length, struct firn_error **err)
{
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_STREAM,
                                    .name = name,
                                    .media_type = "application/octet-stream",
                                    .digest = digest};
    struct capture_object *object = NULL;
    if (capture_object_begin(run->capture, &info, &object, err) < 0)
        return -1;
    for (size_t done = 0; done < length;) {
        size_t part = 1 + random_below(200000);
        if (part > length - done)
            part = length - done;
        if (capture_stream(object, data + done, part, err) < 0) {
            capture_object_abandon(object);
            return -1;
        }
        done += part;
    }
    return capture_object_end(object, err);
}

static void expect_stream(const struct snapshot *snapshot, const char *name, const uint8_t *model,
                          size_t length, size_t start)
{
    struct firn_error *err = NULL;
    struct restore_reader *reader = NULL;
    auto_free uint8_t *data = mem_alloc(length + 1);
    fixture_must(
        restore_open(fixture.repo, snapshot_object(snapshot, name), start, 1, &reader, &err),
        "open", err);
    size_t done = start;
    int64_t part = 0;
    while ((part = restore_read(reader, data + done, length + 1 - done, &err)) > 0)
        done += (size_t)part;
    fixture_must((int)part, "read", err);
    restore_close(reader);
    CU_ASSERT_EQUAL(done, length);
    CU_ASSERT_EQUAL(memcmp(data + start, model + start, length - start), 0);
}

static void test_streams(void)
{
    size_t length = 5 * 1024 * 1024 + 4321;
    auto_free uint8_t *blob = mem_alloc(length);
    crypt_random(blob, length);
    auto_free char *digest = digest_of(blob, length);
    auto_free char *empty = digest_of("", 0);
    struct run run = begin(NULL);
    expect_ok(put_stream(&run, "blob", digest, blob, length, err));
    expect_ok(put_stream(&run, "nothing", empty, blob, 0, err));
    expect_ok(put_stream(&run, "one byte", NULL, blob, 1, err));
    expect_error(FIRN_CORRUPT, put_stream(&run, "liar", empty, blob, length, err));
    expect_error(FIRN_INVALID, put_stream(&run, "blob", digest, blob, length, err)); /* its name */
    struct snapshot *snapshot = commit(&run);
    CU_ASSERT_EQUAL(snapshot->object_count, 3);
    expect_stream(snapshot, "blob", blob, length, 0);
    expect_stream(snapshot, "blob", blob, length, 3 * 1024 * 1024 + 17);
    expect_stream(snapshot, "blob", blob, length, length);
    expect_stream(snapshot, "nothing", blob, 0, 0);
    expect_stream(snapshot, "one byte", blob, 1, 0);

    /* A later run knows it by its digest, and stores next to nothing. */
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_STREAM,
                                    .name = "again",
                                    .media_type = "application/octet-stream",
                                    .digest = digest,
                                    .length = length};
    run = begin(NULL);
    struct firn_error *err = NULL;
    CU_ASSERT_EQUAL(capture_stream_known(run.capture, &info, &err), 1);
    info.name = "and again";
    info.digest = "sha256:00112233";
    CU_ASSERT_EQUAL(capture_stream_known(run.capture, &info, &err), 0);
    struct snapshot *later = commit(&run);
    CU_ASSERT(later->bytes_stored == 0);
    expect_stream(later, "again", blob, length, 0);
    expect_ok(snapshot_remove(fixture.repo, snapshot->id, err));
    CU_ASSERT_EQUAL(check(100).count, 0); /* it stands without the first */
    snapshot_free(snapshot);
    snapshot_free(later);
}

/* A tar header as far as a reader looks at it: a name and the sum of its bytes (POSIX.1, ustar). */
static void make_header(uint8_t header[512])
{
    memset(header, 0, 512);
    memcpy(header, "./etc/hostname", 14);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

/* An archive with a file inserted in front shares nearly everything with the one before. */
static void test_archive(void)
{
    size_t length = 6 * 1024 * 1024, shift = 1536;
    auto_free uint8_t *tar = mem_alloc(length + shift);
    crypt_random(tar, length + shift);
    make_header(tar);
    make_header(tar + shift);
    struct run run = begin(NULL);
    expect_ok(put_stream(&run, "layer", NULL, tar + shift, length, err));
    snapshot_free(commit(&run));
    run = begin(NULL);
    expect_ok(put_stream(&run, "layer", NULL, tar, length + shift, err));
    struct snapshot *snapshot = commit(&run);
    CU_ASSERT(snapshot->bytes_new < length / 2);
    expect_stream(snapshot, "layer", tar, length + shift, 0);
    snapshot_free(snapshot);
}

/* ---------------------------------------------------------------------------------- damage */

static char *victims[4096];
static size_t victim_count;

static int collect_victim(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)ftw;
    if (type == FTW_F && strstr(path, "/packs/") != NULL && victim_count < 4096)
        victims[victim_count++] = mem_strdup(path);
    if (type == FTW_F && strstr(path, "/snapshots/") != NULL && victim_count < 4096)
        victims[victim_count++] = mem_strdup(path);
    return 0;
}

static void flip(const char *path, off_t offset, uint8_t mask)
{
    chmod(path, 0600);
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, offset), 1);
    byte ^= mask;
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* Two small snapshots, the second on top of the first, of a repository of their own. */
#define SMALL (9 * BLOCK + 123)
static struct snapshot *small[2];
static uint8_t *small_model[2];

static void make_small(void)
{
    struct firn_error *err = NULL;
    for (int i = 0; i < 2; i++) {
        small_model[i] = mem_array(SMALL, 1);
        if (i == 0)
            fill(small_model[i], SMALL);
        else
            memcpy(small_model[i], small_model[0], SMALL);
        fill(small_model[i] + 2 * BLOCK, BLOCK);
        struct run run = begin(i == 0 ? NULL : small[0]);
        struct capture_object *object = begin_volume(&run, "disk", SMALL);
        if (i > 0)
            expect_ok(capture_object_parent(object, err));
        write_borrowed(&run, object, small_model[i], 0, SMALL);
        fixture_must(capture_object_end(object, &err), "end", err);
        expect_ok(put_stream(&run, "stream", NULL, small_model[i], 70000, err));
        small[i] = commit(&run);
    }
}

/* The bytes of the volume, or nothing: what is damaged is never handed out for whole. */
static bool restores_or_fails(struct repo *repo, const struct snapshot *expected,
                              const uint8_t *model)
{
    struct snapshot *snapshot = NULL;
    struct restore_reader *reader = NULL;
    struct firn_extent extent = {.size = sizeof(extent)};
    auto_free uint8_t *data = mem_array(SMALL, 1);
    int more = snapshot_read(repo, expected->id, &snapshot, NULL);
    if (more == 0)
        more = restore_open(repo, snapshot_object(snapshot, "disk"), 0, 2, &reader, NULL);
    while (more >= 0 && (more = restore_next(reader, &extent, NULL)) > 0) {
        if (extent.data != NULL)
            memcpy(data + extent.offset, extent.data, extent.length);
        restore_release(reader, &extent);
    }
    restore_close(reader);
    snapshot_free(snapshot);
    return more < 0 || memcmp(data, model, SMALL) == 0;
}

static bool never_silent(void)
{
    struct repo *repo = fixture_open_repo(&fixture);
    bool good = restores_or_fails(repo, small[0], small_model[0]) &&
                restores_or_fails(repo, small[1], small_model[1]);
    repo_close(repo);
    return good;
}

/* Mostly the clear parts and the ends, where not every byte is under one seal. */
static uint64_t choose_offset(int round, uint64_t size)
{
    if (round % 3 == 1)
        return random_below(256);
    if (round % 3 == 2)
        return size - 1 - random_below(360 < size ? 360 : size);
    return random_below(size);
}

static void flip_once(int round)
{
    const char *path = victims[random_below(victim_count)];
    struct stat status;
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    uint64_t offset = choose_offset(round, (uint64_t)status.st_size);
    uint8_t mask = (uint8_t)(1u << random_below(8));
    flip(path, (off_t)offset, mask);
    struct findings findings = check(100);
    bool found = findings.count > 0 && strstr(findings.all, strrchr(path, '/') + 1) != NULL;
    bool loud = never_silent();
    if (!found || !loud)
        printf("\n    %s, byte %llu of %llu: %u findings, last %s: %s", path,
               (unsigned long long)offset, (unsigned long long)status.st_size, findings.count,
               findings.object, findings.what);
    CU_ASSERT(found);
    CU_ASSERT(loud);
    flip(path, (off_t)offset, mask);
}

/* Wherever one bit flips, in any object, check finds it and names the object, and no restore hands out other bytes. */
static void test_flipped_bits(void)
{
    struct fixture other = fixture;
    fixture_open(&fixture);
    make_small();
    victim_count = 0;
    CU_ASSERT_EQUAL(nftw(fixture.directory, collect_victim, 16, FTW_PHYS), 0);
    CU_ASSERT_EQUAL(victim_count, 6); /* of each: data, maps, snapshot */
    CU_ASSERT_EQUAL(check(100).count, 0);
    for (int round = 0; round < 240; round++)
        flip_once(round);
    CU_ASSERT_EQUAL(check(100).count, 0);
    for (size_t i = 0; i < victim_count; i++)
        free(victims[i]);
    for (int i = 0; i < 2; i++) {
        snapshot_free(small[i]);
        free(small_model[i]);
    }
    fixture_close(&fixture);
    fixture = other;
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a full capture comes back", test_full},
        {"a chain of changes comes back", test_chain},
        {"an unchanged disk costs what changed", test_unchanged},
        {"misuse is refused", test_misuse},
        {"streams come back and are known by digest", test_streams},
        {"archives are cut by content", test_archive},
        {"a flipped bit is found", test_flipped_bits},
    };
    fixture_open(&fixture);
    int result = unit_run("capture", tests, array_length(tests));
    fixture_close(&fixture);
    return result;
}
