/* SPDX-License-Identifier: Apache-2.0 */
/* The collector: what it condemns, what it removes, and above all what it leaves. */
#include "unit/collection_fixture.h"

#include "repo/collect.h"
#include "repo/mark.h"

#include <dirent.h>

static const uint8_t round_id[FORMAT_ID_LENGTH] = {0x77};
static const char record_name[] = "condemned/77000000000000000000000000000000";
static const char verdict_name[] = "removed/77000000000000000000000000000000";

/* Two snapshots: one of an old and a shared pack, one of the shared and a new pack. All are ten days old. */
struct scene {
    uint32_t old, shared, fresh;
    uint32_t old_meta, fresh_meta;
    struct snapshot *first, *second;
};

static const struct collect_options daily = {.grace = COLLECTION_GRACE,
                                             .min_age = COLLECTION_SESSION};
static const struct collect_options exclusive = {.exclusive = true};

static struct scene begin(void)
{
    struct scene scene;
    fixture_open(&fixture);
    expect_ok(gate_open(fixture.repo, err));
    scene.old = make_data();
    scene.shared = make_data();
    scene.fresh = make_data();
    struct map_run first = make_run((uint32_t[]){scene.old, scene.shared}, 2);
    struct map_run second = make_run((uint32_t[]){scene.shared, scene.fresh}, 2);
    scene.first = make_snapshot(&first);
    scene.second = make_snapshot(&second);
    scene.old_meta = first.spans[0].pack;
    scene.fresh_meta = second.spans[0].pack;
    expect_ok(snapshot_write(fixture.repo, scene.first, err));
    expect_ok(snapshot_write(fixture.repo, scene.second, err));
    const uint32_t all[] = {scene.old, scene.shared, scene.fresh, scene.old_meta, scene.fresh_meta};
    for (size_t i = 0; i < array_length(all); i++)
        age_pack(all[i], 10 * DAY);
    map_run_free(&first);
    map_run_free(&second);
    return scene;
}

static void end(struct scene *scene)
{
    snapshot_free(scene->first);
    snapshot_free(scene->second);
    fixture_close(&fixture);
}

static bool there(uint32_t pack)
{
    uint8_t id[FORMAT_ID_LENGTH];
    pack_table_id(fixture.repo->packs, pack, id);
    return pack_is_there(id);
}

/* One run by a process of its own, without a key. */
static enum firn_code collect(const struct collect_options *options, struct collect_result *out)
{
    struct repo *repo = NULL;
    auto_error struct firn_error *why = NULL;
    expect_ok(repo_open(fixture.store, &repo, err));
    collect_result_free(out);
    if (collect_run(repo, options, NULL, NULL, out, &why) < 0 && error_code(why) != FIRN_CORRUPT)
        fprintf(stderr, "%s\n", error_message(why));
    repo_close(repo);
    return error_code(why);
}

static size_t names_in(const char *folder, char *last)
{
    auto_free char *path = mem_printf("%s/repository/%s", fixture.directory, folder);
    DIR *stream = opendir(path);
    size_t count = 0;
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (last != NULL)
            snprintf(last, 300, "%s/%s", folder, entry->d_name);
    }
    if (stream != NULL)
        closedir(stream);
    return count;
}

static void forget_first(const struct scene *scene)
{
    expect_ok(snapshot_remove(fixture.repo, scene->first->id, err));
}

static bool is_whole(const struct scene *scene)
{
    return there(scene->shared) && there(scene->fresh) && there(scene->fresh_meta);
}

/* ------------------------------------------------------------------------------------------- rounds */

static void test_a_round(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    char record[300];
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.condemned.packs == 0 && result.alive.packs == 5 && result.snapshots == 2);
    CU_ASSERT_EQUAL(names_in("condemned", NULL), 0);
    forget_first(&scene);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.condemned.packs == 2 && result.removed.packs == 0 && result.alive.packs == 3);
    CU_ASSERT(result.condemned.bytes > 2 * 1024 && result.due > result.now);
    CU_ASSERT_EQUAL(names_in("condemned", record), 1);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.condemned.packs == 0 && result.removed.packs == 0 && there(scene.old));
    CU_ASSERT(result.waiting.packs == 2 && result.due > result.now);
    age(record, 25 * HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.removed.packs == 2 && result.condemned.packs == 0 && result.due == 0);
    CU_ASSERT(!there(scene.old) && !there(scene.old_meta) && is_whole(&scene));
    CU_ASSERT(names_in("condemned", NULL) == 0 && names_in("removed", NULL) == 1);
    CU_ASSERT_EQUAL(names_in("finished", record), 1);
    age(record, 7 * DAY + 23 * HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(names_in("removed", NULL) == 1 && names_in("finished", NULL) == 1);
    age(record, 2 * HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(names_in("removed", NULL) == 0 && names_in("finished", NULL) == 0);
    collect_result_free(&result);
    end(&scene);
}

static void test_dry_run(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    const struct collect_options look = {.exclusive = true, .dry_run = true};
    forget_first(&scene);
    CU_ASSERT_EQUAL(collect(&look, &result), 0);
    CU_ASSERT(result.removed.packs == 2 && result.condemned.packs == 2);
    CU_ASSERT(there(scene.old) && names_in("condemned", NULL) == 0);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old_meta, 25 * HOUR);
    CU_ASSERT_EQUAL(collect(&look, &result), 0);
    CU_ASSERT(there(scene.old_meta) && names_in("removed", NULL) == 0);
    collect_result_free(&result);
    end(&scene);
}

static void test_exclusive(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    uint32_t stray = make_data(); /* of this moment */
    forget_first(&scene);
    CU_ASSERT_EQUAL(collect(&exclusive, &result), 0);
    CU_ASSERT(result.removed.packs == 3 && !there(stray) && !there(scene.old) && is_whole(&scene));
    CU_ASSERT(names_in("condemned", NULL) == 0 && names_in("finished", NULL) == 1);
    collect_result_free(&result);
    end(&scene);
}

/* ------------------------------------------------------------------------------------------- what stays */

static void test_young(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    uint32_t named = make_data(), unnamed = make_data(), stray = make_data();
    struct map_run run = make_run(&named, 1); /* of a session that has not committed */
    forget_first(&scene);
    age_pack(named, 10 * DAY);
    age_pack(unnamed, 10 * DAY);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.condemned.packs == 3 && result.young.packs == 3 && there(stray));
    map_run_free(&run);
    collect_result_free(&result);
    end(&scene);
}

static void test_pardon(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    char record[300];
    forget_first(&scene);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT_EQUAL(names_in("condemned", record), 1);
    expect_ok(snapshot_write(fixture.repo, scene.first, err)); /* within the grace */
    age(record, 25 * HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.removed.packs == 0 && result.pardoned.packs == 2 && there(scene.old));
    CU_ASSERT(names_in("condemned", NULL) == 0 && names_in("removed", NULL) == 1);
    collect_result_free(&result);
    end(&scene);
}

/* A meta pack that came later names what was condemned: as long as it is there, somebody may build on it. */
static void test_closure(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    struct map_run run = make_run(&scene.old, 1);
    age_pack(run.spans[0].pack, 9 * DAY);
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 9 * DAY);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.removed.packs == 0 && result.pardoned.packs == 1 && there(scene.old));
    CU_ASSERT(result.condemned.packs == 2); /* both meta packs; it follows them in a later round */
    map_run_free(&run);
    collect_result_free(&result);
    end(&scene);
}

/* Nor does the least grace depend on what a record says, nor the least age. */
static void test_forged_records(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    static const uint8_t other[FORMAT_ID_LENGTH] = {0x78};
    uint32_t stray = make_data();
    put_record(COLLECTION_REMOVED, round_id, store_time() + HOUR, scene.shared, 0);
    put_record(COLLECTION_CONDEMNED, other, 0, stray, 2 * HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(is_whole(&scene) && there(stray) && result.removed.packs == 0);
    CU_ASSERT_EQUAL(result.waiting.packs, 1);
    age("condemned/78000000000000000000000000000000", HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(there(stray) && result.pardoned.packs == 1 && result.removed.packs == 0);
    put_record(COLLECTION_CONDEMNED, (uint8_t[FORMAT_ID_LENGTH]){0x79}, 0, scene.fresh, 9 * DAY);
    CU_ASSERT_EQUAL(collect(&exclusive, &result), 0);
    CU_ASSERT(is_whole(&scene) && result.removed.packs == 1);
    collect_result_free(&result);
    end(&scene);
}

/* A verdict that came later than it may removes nothing, and is what the round ends with. */
static void test_void_verdict(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 9 * DAY);
    put_record(COLLECTION_REMOVED, round_id, store_time() - 60000, scene.old, 0);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.removed.packs == 0 && there(scene.old) && names_in("finished", NULL) == 1);
    CU_ASSERT(!is_there(record_name) && is_there(verdict_name));
    CU_ASSERT_EQUAL(result.condemned.packs, 2);
    collect_result_free(&result);
    end(&scene);
}

/* What a collector left that died between the removal of two packs. */
static void test_resume(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 2 * DAY);
    put_record(COLLECTION_REMOVED, round_id, store_time(), scene.old, HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(!there(scene.old) && result.removed.packs == 1 && result.condemned.packs == 1);
    CU_ASSERT(!is_there(record_name) && names_in("finished", NULL) == 1);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 2 * DAY);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(!is_there(record_name) && names_in("finished", NULL) == 1);
    collect_result_free(&result);
    end(&scene);
}

/* ------------------------------------------------------------------------------------------- damage */

static void overwrite(const char *name, long offset)
{
    auto_free char *path = mem_printf("%s/repository/%s", fixture.directory, name);
    struct stat status;
    CU_ASSERT_FATAL(stat(path, &status) == 0 && chmod(path, 0600) == 0);
    FILE *file = fopen(path, "r+");
    CU_ASSERT_FATAL(file != NULL && fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET) == 0);
    int byte = fgetc(file);
    CU_ASSERT(fseek(file, -1, SEEK_CUR) == 0 && fputc(byte ^ 0xff, file) != EOF);
    fclose(file);
    struct timespec times[2] = {status.st_mtim, status.st_mtim};
    CU_ASSERT(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void overwrite_pack(uint32_t pack, long offset)
{
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(fixture.repo->packs, pack, id);
    pack_name(id, name);
    overwrite(name, offset);
}

static void test_damaged_root(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    auto_free char *name = mem_printf("snapshots/%s", scene.second->id_text);
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 9 * DAY);
    overwrite(name, 220);
    CU_ASSERT_EQUAL(collect(&daily, &result), FIRN_CORRUPT);
    CU_ASSERT_EQUAL(collect(&exclusive, &result), FIRN_CORRUPT);
    CU_ASSERT(there(scene.old) && is_whole(&scene) && names_in("removed", NULL) == 0);
    CU_ASSERT_EQUAL(names_in("condemned", NULL), 1);
    collect_result_free(&result);
    end(&scene);
}

/* The references of a meta pack, that no key proves here, and a meta pack that is gone. */
static void test_damaged_references(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    forget_first(&scene);
    pack_table_id(fixture.repo->packs, scene.fresh_meta, id);
    pack_name(id, name);
    auto_free char *path = mem_printf("%s/repository/%s", fixture.directory, name);
    struct stat status;
    CU_ASSERT_FATAL(stat(path, &status) == 0);
    /* Behind the frames lie two references; what follows them is a trailer of one frame and one chunk. */
    long references = (long)status.st_size - 320 - (8 + 12 + 36 + 28) - 32;
    overwrite_pack(scene.fresh_meta, references + 17);
    CU_ASSERT_EQUAL(collect(&exclusive, &result), FIRN_CORRUPT);
    overwrite_pack(scene.fresh_meta, references + 17);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    overwrite_pack(scene.fresh_meta, -20);
    CU_ASSERT_EQUAL(collect(&exclusive, &result), FIRN_CORRUPT);
    CU_ASSERT(there(scene.old) && is_whole(&scene));
    expect_ok(store_remove(fixture.store, name, err));
    CU_ASSERT_EQUAL(collect(&exclusive, &result), FIRN_CORRUPT);
    CU_ASSERT(there(scene.old) && there(scene.shared) && there(scene.fresh));
    collect_result_free(&result);
    end(&scene);
}

static void test_missing_data(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(fixture.repo->packs, scene.fresh, id);
    pack_name(id, name);
    expect_ok(store_remove(fixture.store, name, err));
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT_EQUAL(result.missing, 1);
    collect_result_free(&result);
    end(&scene);
}

/* What nobody names and nobody can read may be a meta pack: nothing is decided until it is condemned itself. */
static void test_opaque_pack(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    uint32_t opaque = make_data();
    char record[300];
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 9 * DAY);
    overwrite_pack(opaque, -20);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.undecided != NULL && result.removed.packs == 0 && there(scene.old));
    age_pack(opaque, 10 * DAY);
    expect_ok(collection_remove(fixture.repo, COLLECTION_CONDEMNED, round_id, err));
    while (names_in("condemned", record) > 0) {
        auto_free char *path = mem_printf("%s/repository/%s", fixture.directory, record);
        CU_ASSERT_FATAL(unlink(path) == 0);
    }
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT_EQUAL(result.condemned.packs, 3);
    CU_ASSERT_EQUAL(names_in("condemned", record), 1);
    age(record, 25 * HOUR);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(result.undecided == NULL && result.removed.packs == 3 && is_whole(&scene));
    collect_result_free(&result);
    end(&scene);
}

static void test_damaged_records(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, 9 * DAY);
    overwrite(record_name, 70);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(there(scene.old) && is_there(verdict_name) && result.condemned.packs == 2);
    overwrite(verdict_name, 60);
    CU_ASSERT_EQUAL(collect(&daily, &result), FIRN_CORRUPT);
    CU_ASSERT(there(scene.old));
    CU_ASSERT_EQUAL(collect(&exclusive, &result), 0);
    CU_ASSERT(!there(scene.old) && is_whole(&scene));
    collect_result_free(&result);
    end(&scene);
}

/* What died between a record's name and its time. */
static void test_record_ahead(void)
{
    struct scene scene = begin();
    struct collect_result result = {0};
    forget_first(&scene);
    put_record(COLLECTION_CONDEMNED, round_id, COLLECTION_GRACE, scene.old, -900 * DAY);
    CU_ASSERT_EQUAL(collect(&daily, &result), 0);
    CU_ASSERT(there(scene.old) && is_there(verdict_name) && result.condemned.packs == 2);
    collect_result_free(&result);
    end(&scene);
}

/* Somebody who can write names a meta pack as if it were data, so that it is alive before a root names it. */
static void test_meta_named_as_data(void)
{
    struct scene scene = begin();
    struct mark *mark = NULL;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t fresh = 0;
    struct map_run lie = make_run(&scene.fresh_meta, 1);
    struct snapshot *liar = make_snapshot(&lie);
    pack_table_id(fixture.repo->packs, scene.fresh, id);
    expect_ok(snapshot_write(fixture.repo, liar, err));
    expect_ok(snapshot_remove(fixture.repo, scene.second->id, err));
    expect_ok(mark_open(fixture.repo, 2, &mark, err));
    CU_ASSERT_FATAL(pack_table_find(fixture.repo->packs, id, &fresh));
    CU_ASSERT(mark_has(mark, scene.fresh_meta, MARK_ALIVE) && !mark_has(mark, fresh, MARK_ALIVE));
    expect_ok(snapshot_write(fixture.repo, scene.second, err));
    expect_ok(mark_again(mark, err));
    CU_ASSERT(mark_has(mark, fresh, MARK_ALIVE));
    mark_free(mark);
    map_run_free(&lie);
    snapshot_free(liar);
    end(&scene);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a round, from condemned to forgotten", test_a_round},
        {"a dry run", test_dry_run},
        {"exclusive", test_exclusive},
        {"what is young stays", test_young},
        {"what is relied on again is pardoned", test_pardon},
        {"what a meta pack names that stays", test_closure},
        {"forged records", test_forged_records},
        {"a verdict that came too late", test_void_verdict},
        {"a round is gone on with", test_resume},
        {"a damaged root", test_damaged_root},
        {"damaged references", test_damaged_references},
        {"missing data", test_missing_data},
        {"a damaged pack that nobody names", test_opaque_pack},
        {"damaged records", test_damaged_records},
        {"a record ahead of its time", test_record_ahead},
        {"a meta pack named as data", test_meta_named_as_data},
    };
    return unit_run("collect", tests, array_length(tests));
}
