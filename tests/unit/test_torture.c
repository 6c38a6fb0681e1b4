/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Torture: a backup and a restore are done again and again, and each time the next operation of the store fails: alone, with
 * all after it, or only in its answer. Whatever fails, what was stored before is still there, a snapshot that can be seen is
 * whole, and nothing is restored that was not backed up.
 */
#include "unit/failing_store.h"
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/capture.h"
#include "repo/index.h"
#include "repo/restore.h"

#define LENGTH     ((size_t)5 << 20)
#define STEPS_MOST 500

static struct fixture fixture;
static uint8_t *before, *after; /* the volume, as the first snapshot and as the second holds it */
static uint8_t first_id[FORMAT_ID_LENGTH];

/* Names of packs. */
struct packs {
    char *names[64];
    size_t count;
};
static struct packs first_packs;

static void fill(uint8_t *data, size_t length, uint64_t seed)
{
    for (size_t i = 0; i < length; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        data[i] = (uint8_t)(seed >> 56);
    }
}

/* ------------------------------------------------------------------------------------------------ a backup */

static int give_volume(struct capture *capture, const uint8_t *data, const struct snapshot *parent,
                       struct firn_error **err)
{
    struct capture_object *object = NULL;
    struct firn_object_info info = {.size = sizeof(info),
                                    .kind = FIRN_OBJECT_VOLUME,
                                    .name = "disk",
                                    .media_type = "application/octet-stream",
                                    .length = LENGTH};
    if (capture_object_begin(capture, &info, &object, err) < 0)
        return -1;
    if ((parent != NULL && capture_object_parent(object, err) < 0) ||
        capture_extent(object, 0, data, LENGTH, err) < 0) {
        capture_object_abandon(object);
        return -1;
    }
    return capture_object_end(object, err);
}

static int fill_capture(struct repo *repo, struct index *index, const uint8_t *data,
                        const struct snapshot *parent, uint8_t id[FORMAT_ID_LENGTH],
                        struct firn_error **err)
{
    struct capture *capture = NULL;
    struct capture_options options = {.workers = 2};
    auto_snapshot struct snapshot *snapshot = snapshot_new("test:disk");
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    if (capture_open(repo, index, parent, &options, &capture, err) < 0)
        return -1;
    if (give_volume(capture, data, parent, err) < 0) {
        capture_abort(capture);
        return -1;
    }
    if (capture_commit(capture, snapshot, err) < 0)
        return -1;
    memcpy(id, snapshot->id, FORMAT_ID_LENGTH);
    return 0;
}

/* All that a backup does with a repository that is open. */
static int back_up(struct repo *repo, const uint8_t *data, const uint8_t *parent_id,
                   uint8_t id[FORMAT_ID_LENGTH], struct firn_error **err)
{
    struct index *index = NULL;
    auto_snapshot struct snapshot *parent = NULL;
    if (parent_id != NULL && snapshot_read(repo, parent_id, &parent, err) < 0)
        return -1;
    if (index_open(repo, NULL, INDEX_MEMORY, NULL, NULL, &index, err) < 0)
        return -1;
    int result = parent == NULL ? 0 : snapshot_check_whole(repo, parent, err);
    if (result == 0)
        result = fill_capture(repo, index, data, parent, id, err);
    index_close(index);
    return result;
}

/* ------------------------------------------------------------------------------------------------ a restore */

static int restore_into(struct repo *repo, const struct snapshot *snapshot, uint8_t *data,
                        struct firn_error **err)
{
    struct restore_reader *reader = NULL;
    struct firn_extent extent = {.size = sizeof(extent)};
    memset(data, 0, LENGTH);
    if (restore_open(repo, snapshot_object(snapshot, "disk"), 0, 2, &reader, err) < 0)
        return -1;
    int more = 0;
    while ((more = restore_next(reader, &extent, err)) > 0) {
        if (extent.data != NULL)
            memcpy(data + extent.offset, extent.data, extent.length);
        restore_release(reader, &extent);
    }
    restore_close(reader);
    return more;
}

static int restore_by_id(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], uint8_t *data,
                         struct firn_error **err)
{
    auto_snapshot struct snapshot *snapshot = NULL;
    if (snapshot_read(repo, id, &snapshot, err) < 0)
        return -1;
    return restore_into(repo, snapshot, data, err);
}

/* ------------------------------------------------------------------------------------------------ the torture */

static void open_both(struct store *store, struct repo **out)
{
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture.key.data, .length = fixture.key.length};
    expect_ok(repo_open(store, out, err));
    expect_ok(repo_unlock(*out, &key, err));
}

static int collect(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct packs *packs = context;
    (void)err;
    CU_ASSERT_FATAL(packs->count < array_length(packs->names));
    packs->names[packs->count++] = mem_strdup(entry->name);
    return 0;
}

static void packs_free(struct packs *packs)
{
    while (packs->count > 0)
        free(packs->names[--packs->count]);
}

static bool is_first(const char *name)
{
    for (size_t i = 0; i < first_packs.count; i++)
        if (strcmp(first_packs.names[i], name) == 0)
            return true;
    return false;
}

/* Removes what a backup that failed has left for collectors, so that the next begins as it did. */
static void clean_up(void)
{
    struct packs packs = {.count = 0};
    size_t firsts = 0;
    expect_ok(store_list(fixture.store, "packs/", collect, &packs, err));
    for (size_t i = 0; i < packs.count; i++) {
        firsts += is_first(packs.names[i]);
        if (!is_first(packs.names[i]))
            expect_ok(store_remove(fixture.store, packs.names[i], err));
    }
    CU_ASSERT_EQUAL(firsts, first_packs.count);
    packs_free(&packs);
}

/* Every snapshot that is there is the first, or a whole second; returns whether there is a second. */
static bool look_after(struct repo *repo)
{
    struct snapshot **list = NULL;
    size_t count = 0, firsts = 0;
    auto_free uint8_t *data = mem_alloc(LENGTH);
    expect_ok(snapshot_list(repo, NULL, NULL, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        bool first = memcmp(list[i]->id, first_id, FORMAT_ID_LENGTH) == 0;
        firsts += first;
        expect_ok(restore_into(repo, list[i], data, err));
        CU_ASSERT_EQUAL(memcmp(data, first ? before : after, LENGTH), 0);
        if (!first)
            expect_ok(snapshot_remove(repo, list[i]->id, err));
    }
    CU_ASSERT_EQUAL(firsts, 1);
    snapshot_list_free(list, count);
    return count > firsts;
}

/* One backup with that failure; whether the failure came to pass. */
static bool torture_backup(enum failing_kind kind, long step)
{
    struct repo *repo = NULL;
    uint8_t id[FORMAT_ID_LENGTH];
    auto_error struct firn_error *error = NULL;
    struct failing_store store = failing_store(fixture.store, kind, 1L << 40);
    open_both(&store.base, &repo);
    atomic_store(&store.left, step);
    int result = back_up(repo, after, first_id, id, &error);
    bool struck = failing_struck(&store);
    repo_close(repo);
    CU_ASSERT_EQUAL(error_code(error), result < 0 ? FIRN_RETRY : 0);
    CU_ASSERT_TRUE(struck || result == 0);
    fixture_reopen(&fixture);
    bool second = look_after(fixture.repo);
    CU_ASSERT_TRUE(second || result < 0);
    clean_up();
    return struck;
}

static void torture_all(bool (*one)(enum failing_kind kind, long step), enum failing_kind kind)
{
    long step = 0;
    while (step < STEPS_MOST && one(kind, step))
        step++;
    CU_ASSERT_TRUE(step > 3 && step < STEPS_MOST);
    printf("(%ld operations) ", step);
}

static bool torture_restore(enum failing_kind kind, long step)
{
    struct repo *repo = NULL;
    auto_error struct firn_error *error = NULL;
    auto_free uint8_t *data = mem_alloc(LENGTH);
    struct failing_store store = failing_store(fixture.store, kind, 1L << 40);
    open_both(&store.base, &repo);
    atomic_store(&store.left, step);
    int result = restore_by_id(repo, first_id, data, &error);
    bool struck = failing_struck(&store);
    repo_close(repo);
    CU_ASSERT_EQUAL(error_code(error), result < 0 ? FIRN_RETRY : 0);
    CU_ASSERT_TRUE(struck || result == 0);
    CU_ASSERT_TRUE(result < 0 || memcmp(data, before, LENGTH) == 0);
    return struck;
}

static void prepare(void)
{
    fixture_open(&fixture);
    before = mem_alloc(LENGTH);
    after = mem_alloc(LENGTH);
    fill(before, LENGTH, 1);
    fill(after, LENGTH, 2);
    memcpy(after, before, LENGTH / 4);
    expect_ok(back_up(fixture.repo, before, NULL, first_id, err));
    expect_ok(store_list(fixture.store, "packs/", collect, &first_packs, err));
}

static void finish(void)
{
    packs_free(&first_packs);
    free(before);
    free(after);
    fixture_close(&fixture);
}

static void test_backup(void)
{
    prepare();
    torture_all(torture_backup, FAILING_ONCE);
    torture_all(torture_backup, FAILING_FROM);
    torture_all(torture_backup, FAILING_ANSWER);
    finish();
}

static void test_restore(void)
{
    prepare();
    torture_all(torture_restore, FAILING_ONCE);
    torture_all(torture_restore, FAILING_FROM);
    finish();
}

static const struct unit_test tests[] = {
    {"a backup whose store fails", test_backup},
    {"a restore whose store fails", test_restore},
};

int main(void)
{
    return unit_run("torture", tests, array_length(tests));
}
