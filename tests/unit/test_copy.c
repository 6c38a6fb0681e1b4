/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying, against a naive model: histories of a volume that grows, shrinks, and changes, captured with and without parents, and
 * copied in part, out of order and again, into repositories that hold some of it already. Every copy reads back as the bytes
 * that its original was taken from.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/buf.h"
#include "repo/capture.h"
#include "repo/check.h"
#include "repo/copy.h"
#include "repo/crypt.h"
#include "repo/index.h"
#include "repo/restore.h"

#define BLOCK    FORMAT_BLOCK_SIZE
#define VERSIONS 8u
#define UNITS    40u
#define STREAM   3000000u

static struct fixture source, target;

/* ---------------------------------------------------------------------------------- tools */

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static void fill(uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t word = random_below(UINT64_MAX);
        memcpy(data + i, &word, length - i < sizeof(word) ? length - i : sizeof(word));
    }
}

static struct index *open_index(struct fixture *fixture)
{
    struct firn_error *err = NULL;
    struct index *index = NULL;
    fixture_must(index_open(fixture->repo, NULL, INDEX_MEMORY, NULL, NULL, &index, &err), "index",
                 err);
    return index;
}

/* A state of the volume; what it was captured as. */
struct version {
    uint8_t *data;
    uint64_t length;
    struct snapshot *taken;
};

static const struct firn_object_info volume_info = {.size = sizeof(volume_info),
                                                    .kind = FIRN_OBJECT_VOLUME,
                                                    .name = "disk",
                                                    .media_type = "application/x-test"};

/* The next state: another length, a few blocks changed, a few zeroed. */
static void next_version(const struct version *before, struct version *after)
{
    uint64_t length = random_below(3) == 0 || before->length == 0
                          ? BLOCK + random_below((uint64_t)UNITS * BLOCK)
                          : before->length;
    *after = (struct version){.data = mem_zalloc(length), .length = length};
    uint64_t common = before->length < length ? before->length : length;
    if (common > 0)
        memcpy(after->data, before->data, common);
    for (uint64_t i = random_below(8); i > 0; i--) {
        uint64_t unit = random_below((length + BLOCK - 1) / BLOCK);
        uint64_t part = length - unit * BLOCK < BLOCK ? length - unit * BLOCK : BLOCK;
        if (random_below(3) == 0)
            memset(after->data + unit * BLOCK, 0, part);
        else
            fill(after->data + unit * BLOCK, part);
    }
}

/* Gives a volume to a capture: against the parent's state only what differs, else all of it. */
static void give(struct capture_object *object, const struct version *before,
                 const struct version *now)
{
    struct firn_error *err = NULL;
    static const uint8_t zeros[BLOCK];
    for (uint64_t at = 0; at < now->length; at += BLOCK) {
        uint64_t part = now->length - at < BLOCK ? now->length - at : BLOCK;
        bool known = before != NULL && at + part <= before->length &&
                     memcmp(before->data + at, now->data + at, part) == 0;
        if (known)
            fixture_must(capture_same(object, at, part, &err), "same", err);
        else if (memcmp(now->data + at, zeros, part) == 0)
            fixture_must(capture_zero(object, at, part, &err), "zero", err);
        else
            fixture_must(capture_extent(object, at, now->data + at, part, &err), "extent", err);
    }
}

static void take(struct version *before, struct version *now, const char *item)
{
    struct firn_error *err = NULL;
    struct index *index = open_index(&source);
    struct capture *capture = NULL;
    struct capture_object *object = NULL;
    struct capture_options options = {.workers = 1};
    struct snapshot *made = snapshot_new(item);
    struct firn_object_info info = volume_info;
    const struct snapshot *parent = before != NULL ? before->taken : NULL;
    made->method = mem_strdup("full");
    made->consistency = FIRN_CRASH_CONSISTENT;
    info.length = now->length;
    fixture_must(capture_open(source.repo, index, parent, &options, &capture, &err), "open", err);
    fixture_must(capture_object_begin(capture, &info, &object, &err), "begin", err);
    if (parent != NULL)
        fixture_must(capture_object_parent(object, &err), "parent", err);
    give(object, parent != NULL ? before : NULL, now);
    fixture_must(capture_object_end(object, &err), "end", err);
    fixture_must(capture_commit(capture, made, &err), "commit", err);
    index_close(index);
    now->taken = made;
}

static void no_damage(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    CU_FAIL("a snapshot is damaged");
    printf("%s: %s\n", name, error_message(why));
}

static struct copy *open_copy(struct index *index)
{
    struct firn_error *err = NULL;
    struct copy *copy = NULL;
    struct copy_options options = {.capture = {.workers = 1}, .damaged = no_damage};
    fixture_must(copy_open(source.repo, target.repo, index, &options, &copy, &err), "copy", err);
    return copy;
}

/* The bytes of the volume of a snapshot of the target. */
static void expect_volume(const char *id, const struct version *version)
{
    struct firn_error *err = NULL;
    struct snapshot *snapshot = NULL;
    struct restore_reader *reader = NULL;
    fixture_must(snapshot_resolve(target.repo, id, &snapshot, &err), "resolve", err);
    const struct snapshot_object *object = snapshot_object(snapshot, "disk");
    CU_ASSERT_EQUAL_FATAL(object->length, version->length);
    CU_ASSERT_EQUAL(snapshot->committed, version->taken->committed);
    auto_free uint8_t *read = mem_alloc(version->length);
    memset(read, 0xaa, version->length);
    fixture_must(restore_open(target.repo, object, 0, 1, &reader, &err), "open", err);
    struct firn_extent extent = {.size = sizeof(extent)};
    while (restore_next(reader, &extent, NULL) > 0) {
        if (extent.data != NULL)
            memcpy(read + extent.offset, extent.data, extent.length);
        else
            memset(read + extent.offset, 0, extent.length);
        restore_release(reader, &extent);
    }
    restore_close(reader);
    CU_ASSERT(memcmp(read, version->data, version->length) == 0);
    snapshot_free(snapshot);
}

static void setup(void)
{
    fixture_open(&source);
    fixture_open(&target);
}

static void teardown(void)
{
    fixture_close(&source);
    fixture_close(&target);
}

static void check_target(void)
{
    struct check_options options = {.read_percent = 100};
    struct check_result result = {0};
    expect_ok(check_run(target.repo, &options, NULL, NULL, NULL, &result, err));
}

/* ---------------------------------------------------------------------------------- histories */

static void make_history(struct version *versions)
{
    struct version nothing = {0};
    for (size_t i = 0; i < VERSIONS; i++) {
        next_version(i == 0 ? &nothing : &versions[i - 1], &versions[i]);
        bool incremental = i > 0 && random_below(3) > 0;
        take(incremental ? &versions[i - 1] : NULL, &versions[i], "test:volume");
    }
}

static void free_history(struct version *versions)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        free(versions[i].data);
        snapshot_free(versions[i].taken);
    }
}

/* Copies some of the versions, in order or not. */
static void copy_some(struct version *versions)
{
    struct index *index = open_index(&target);
    struct copy *copy = open_copy(index);
    for (size_t i = 0; i < VERSIONS; i++) {
        struct copy_outcome planned, outcome;
        size_t number = random_below(4) == 0 ? random_below(VERSIONS) : i;
        if (random_below(3) == 0)
            continue;
        expect_ok(copy_snapshot(copy, versions[number].taken, &outcome, err));
        expect_volume(outcome.id, &versions[number]);
        expect_ok(copy_measure(copy, versions[number].taken, &planned, err));
        CU_ASSERT(planned.held);
        CU_ASSERT_STRING_EQUAL(planned.id, outcome.id);
    }
    copy_close(copy);
    index_close(index);
}

static void copy_rest(struct version *versions)
{
    struct index *index = open_index(&target);
    struct copy *copy = open_copy(index);
    for (size_t i = 0; i < VERSIONS; i++) {
        struct copy_outcome planned, outcome;
        expect_ok(copy_measure(copy, versions[i].taken, &planned, err));
        expect_ok(copy_snapshot(copy, versions[i].taken, &outcome, err));
        CU_ASSERT_EQUAL(planned.held, outcome.held);
        expect_volume(outcome.id, &versions[i]);
    }
    copy_close(copy);
    index_close(index);
}

static void test_histories(void)
{
    for (int round = 0; round < 12; round++) {
        struct version versions[VERSIONS] = {0};
        setup();
        make_history(versions);
        copy_some(versions);
        copy_some(versions);
        copy_rest(versions);
        check_target();
        free_history(versions);
        teardown();
    }
}

/* ---------------------------------------------------------------------------------- what is read */

static void test_only_changes_are_read(void)
{
    setup();
    struct version first = {.data = mem_alloc(UNITS * BLOCK), .length = UNITS * BLOCK};
    fill(first.data, first.length);
    take(NULL, &first, "test:volume");
    struct version second = {.data = mem_dup(first.data, first.length), .length = first.length};
    fill(second.data + 7 * BLOCK, BLOCK);
    fill(second.data + 30 * BLOCK, 2 * BLOCK);
    take(&first, &second, "test:volume");

    struct index *index = open_index(&target);
    struct copy *copy = open_copy(index);
    struct copy_outcome outcome;
    expect_ok(copy_measure(copy, first.taken, &outcome, err));
    CU_ASSERT_EQUAL(outcome.bytes_read, UNITS * BLOCK);
    expect_ok(copy_measure(copy, second.taken, &outcome, err)); /* on top of what is planned */
    CU_ASSERT_EQUAL(outcome.bytes_read, 3 * BLOCK);
    expect_ok(copy_snapshot(copy, first.taken, &outcome, err));
    CU_ASSERT_EQUAL(outcome.bytes_new, UNITS * BLOCK);
    expect_ok(copy_snapshot(copy, second.taken, &outcome, err));
    CU_ASSERT_EQUAL(outcome.bytes_read, 3 * BLOCK);
    CU_ASSERT_EQUAL(outcome.bytes_new, 3 * BLOCK);
    CU_ASSERT_FALSE(outcome.held);
    expect_ok(copy_snapshot(copy, second.taken, &outcome, err));
    CU_ASSERT_TRUE(outcome.held);
    CU_ASSERT_EQUAL(outcome.bytes_read, 0);
    copy_close(copy);
    index_close(index);
    free(first.data);
    free(second.data);
    snapshot_free(first.taken);
    snapshot_free(second.taken);
    teardown();
}

/* ---------------------------------------------------------------------------------- streams */

static struct snapshot *take_stream(const void *data, uint64_t length, const char *digest)
{
    struct firn_error *err = NULL;
    struct index *index = open_index(&source);
    struct capture *capture = NULL;
    struct capture_object *object = NULL;
    struct capture_options options = {.workers = 1};
    struct snapshot *made = snapshot_new("test:stream");
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_STREAM,
                                    .name = "blob",
                                    .media_type = "application/x-test",
                                    .length = length,
                                    .digest = digest};
    made->method = mem_strdup("full");
    made->consistency = FIRN_CRASH_CONSISTENT;
    made->tags = mem_array(1, sizeof(*made->tags));
    made->tags[made->tag_count++] = mem_strdup("kept");
    fixture_must(capture_open(source.repo, index, NULL, &options, &capture, &err), "open", err);
    fixture_must(capture_object_begin(capture, &info, &object, &err), "begin", err);
    fixture_must(capture_stream(object, data, length, &err), "stream", err);
    fixture_must(capture_object_end(object, &err), "end", err);
    info.kind = FIRN_OBJECT_DOCUMENT;
    info.name = "document";
    info.length = 5;
    info.digest = NULL;
    fixture_must(capture_object_begin(capture, &info, &object, &err), "begin", err);
    fixture_must(capture_stream(object, "hello", 5, &err), "document", err);
    fixture_must(capture_object_end(object, &err), "end", err);
    fixture_must(capture_commit(capture, made, &err), "commit", err);
    index_close(index);
    return made;
}

static void expect_stream(const char *id, const uint8_t *data, uint64_t length, const char *digest)
{
    struct firn_error *err = NULL;
    struct snapshot *snapshot = NULL;
    struct restore_reader *reader = NULL;
    fixture_must(snapshot_resolve(target.repo, id, &snapshot, &err), "resolve", err);
    CU_ASSERT_EQUAL_FATAL(snapshot->object_count, 2);
    CU_ASSERT_EQUAL_FATAL(snapshot->tag_count, 1);
    CU_ASSERT_STRING_EQUAL(snapshot->tags[0], "kept");
    CU_ASSERT_STRING_EQUAL(snapshot->objects[0].digest, digest);
    fixture_must(restore_open(target.repo, &snapshot->objects[0], 0, 1, &reader, &err), "open",
                 err);
    auto_free uint8_t *read = mem_alloc(length + 1);
    uint64_t done = 0;
    int64_t got = 0;
    while ((got = restore_read(reader, read + done, length + 1 - done, &err)) > 0)
        done += (uint64_t)got;
    CU_ASSERT_EQUAL(got, 0);
    CU_ASSERT(done == length && memcmp(read, data, length) == 0);
    restore_close(reader);
    auto_buf struct buf text = buf_new(100);
    expect_ok(restore_document(target.repo, &snapshot->objects[1], &text, err));
    CU_ASSERT_STRING_EQUAL(buf_text(&text), "hello");
    snapshot_free(snapshot);
}

/* A stream that was copied is known to the target by its digest: neither another copy nor a backup into it reads it again. */
static void test_streams(void)
{
    setup();
    auto_free uint8_t *data = mem_alloc(STREAM);
    auto_free char *digest = NULL;
    struct digester *digester = NULL;
    fill(data, STREAM);
    expect_ok(digester_new("sha256", &digester, err));
    expect_ok(digester_update(digester, data, STREAM, err));
    expect_ok(digester_finish(digester, &digest, err));
    digester_free(digester);
    struct snapshot *first = take_stream(data, STREAM, digest);
    struct snapshot *second = take_stream(data, STREAM, digest);

    struct index *index = open_index(&target);
    struct copy *copy = open_copy(index);
    struct copy_outcome outcome;
    expect_ok(copy_snapshot(copy, first, &outcome, err));
    CU_ASSERT_EQUAL(outcome.bytes_read, STREAM + 5);
    expect_stream(outcome.id, data, STREAM, digest);
    copy_close(copy);
    index_close(index);

    fixture_reopen(&target);
    index = open_index(&target);
    copy = open_copy(index);
    expect_ok(copy_measure(copy, second, &outcome, err));
    CU_ASSERT_EQUAL(outcome.bytes_read, 5);
    expect_ok(copy_snapshot(copy, second, &outcome, err));
    CU_ASSERT_EQUAL(outcome.bytes_read, 5);
    CU_ASSERT_EQUAL(outcome.bytes_new, 0);
    expect_stream(outcome.id, data, STREAM, digest);
    copy_close(copy);
    struct capture *capture = NULL;
    struct capture_options options = {.workers = 1};
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_STREAM,
                                    .name = "other name",
                                    .media_type = "application/x-test",
                                    .digest = digest};
    expect_ok(capture_open(target.repo, index, NULL, &options, &capture, err));
    struct firn_error *err = NULL;
    CU_ASSERT_EQUAL(capture_stream_known(capture, &info, &err), 1);
    capture_abort(capture);
    index_close(index);
    check_target();
    snapshot_free(first);
    snapshot_free(second);
    teardown();
}

/* ---------------------------------------------------------------------------------- keys and origins */

/* A target that is opened with a write-only key takes copies, incremental ones with odd ends, too. */
static void test_write_only_target(void)
{
    setup();
    struct version versions[VERSIONS] = {0};
    auto_buf struct buf key = buf_new(4096);
    char slot[FORMAT_ID_TEXT];
    key_file_generate(&key);
    struct key_credential weak = {.kind = KEY_FILE, .secret = key.data, .length = key.length};
    expect_ok(
        key_slot_add(target.store, &target.repo->keyring, &weak, KEY_WRITE_ONLY, "", slot, err));
    make_history(versions);
    struct repo *full = target.repo;
    expect_ok(repo_open(target.store, &target.repo, err));
    expect_ok(repo_unlock(target.repo, &weak, err));
    CU_ASSERT_FALSE(target.repo->keyring.can_read);
    char ids[VERSIONS][FORMAT_ID_TEXT];
    struct index *index = open_index(&target);
    struct copy *copy = open_copy(index);
    for (size_t i = 0; i < VERSIONS; i++) {
        struct copy_outcome outcome;
        expect_ok(copy_snapshot(copy, versions[i].taken, &outcome, err));
        memcpy(ids[i], outcome.id, sizeof(ids[i]));
    }
    copy_close(copy);
    index_close(index);
    struct copy_options options = {.capture = {.workers = 1}, .damaged = no_damage};
    index = open_index(&source);
    expect_error(FIRN_DENIED, copy_open(target.repo, source.repo, index, &options, &copy, err));
    expect_error(FIRN_INVALID, copy_open(source.repo, source.repo, index, &options, &copy, err));
    index_close(index);
    repo_close(target.repo);
    target.repo = full;
    for (size_t i = 0; i < VERSIONS; i++)
        expect_volume(ids[i], &versions[i]);
    check_target();
    free_history(versions);
    teardown();
}

/* A snapshot of the target that only claims to be a copy is none. */
static void test_false_origin(void)
{
    setup();
    struct version version = {.data = mem_alloc(3 * BLOCK), .length = 3 * BLOCK};
    fill(version.data, version.length);
    take(NULL, &version, "test:volume");
    struct snapshot *forged = snapshot_new("test:volume");
    forged->method = mem_strdup("full");
    forged->consistency = FIRN_CRASH_CONSISTENT;
    forged->committed = version.taken->committed;
    forged->origin = snapshot_origin_of(source.repo, version.taken);
    expect_ok(snapshot_write(target.repo, forged, err));
    CU_ASSERT_EQUAL(forged->committed, version.taken->committed);
    struct index *index = open_index(&target);
    struct copy *copy = open_copy(index);
    struct copy_outcome outcome;
    expect_ok(copy_snapshot(copy, version.taken, &outcome, err));
    CU_ASSERT_FALSE(outcome.held);
    expect_volume(outcome.id, &version);
    copy_close(copy);
    index_close(index);
    snapshot_free(forged);
    snapshot_free(version.taken);
    free(version.data);
    teardown();
}

static const struct unit_test tests[] = {
    {"histories", test_histories},
    {"only changes are read", test_only_changes_are_read},
    {"streams are known by their digests", test_streams},
    {"a target that can only be written", test_write_only_target},
    {"a false origin", test_false_origin},
};

int main(void)
{
    return unit_run("copy", tests, array_length(tests));
}
