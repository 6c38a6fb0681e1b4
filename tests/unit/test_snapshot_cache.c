/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of snapshots: how many requests a listing costs, and that it never shows what the repository does not.
 */
#include "unit/counting_store.h"
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/buf.h"
#include "core/file.h"
#include "repo/check.h"
#include "repo/snapshot.h"
#include "repo/snapshot_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 200u

static struct fixture fixture;
static struct counting_store store;
static char *cache; /* the directory */
static char ids[COUNT][FORMAT_ID_TEXT];

/* ------------------------------------------------------------------------------------------------ tools */

static void write_one(char id[FORMAT_ID_TEXT])
{
    auto_snapshot struct snapshot *snapshot = snapshot_new("test:volume");
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    expect_ok(snapshot_write(fixture.repo, snapshot, err));
    memcpy(id, snapshot->id_text, FORMAT_ID_TEXT);
}

static size_t damaged_count;

static void count_damaged(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    (void)name;
    (void)why;
    damaged_count++;
}

/* How many snapshots are listed. */
static size_t list(void)
{
    struct snapshot **snapshots = NULL;
    size_t count = 0;
    damaged_count = 0;
    expect_ok(snapshot_list(fixture.repo, count_damaged, NULL, &snapshots, &count, err));
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_STRING_EQUAL(snapshots[i]->item, "test:volume");
    snapshot_list_free(snapshots, count);
    return count;
}

static char *folder(void)
{
    auto_free char *name = mem_printf("snapshots-%s", fixture.repo->id_text);
    return file_join(cache, name);
}

static char *copy_of(const char *id)
{
    auto_free char *where = folder();
    return file_join(where, id);
}

static size_t copies(void)
{
    auto_free char *where = folder();
    DIR *opened = opendir(where);
    size_t count = 0;
    for (const struct dirent *file; opened != NULL && (file = readdir(opened)) != NULL;)
        count += file->d_name[0] != '.';
    if (opened != NULL)
        closedir(opened);
    return count;
}

static void fresh_cache(void)
{
    auto_free char *name = mem_printf("cache-%u", (unsigned)random());
    free(cache);
    cache = file_join(fixture.directory, name);
    repo_set_cache(fixture.repo, cache);
    counted(&store);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void costs(void)
{
    repo_set_cache(fixture.repo, NULL);
    for (size_t i = 0; i < COUNT; i++)
        write_one(ids[i]);
    counted(&store);
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 1 + COUNT);

    fresh_cache();
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 1 + COUNT);
    CU_ASSERT_EQUAL(copies(), COUNT);
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 1);

    struct snapshot *found = NULL;
    expect_ok(snapshot_resolve(fixture.repo, "latest:test:volume", &found, err));
    snapshot_free(found);
    expect_ok(snapshot_resolve(fixture.repo, ids[7], &found, err));
    CU_ASSERT_STRING_EQUAL(found->id_text, ids[7]);
    snapshot_free(found);
    CU_ASSERT_EQUAL(counted(&store), 2);

    /* what this process wrote need not be read back; what another one wrote, once */
    char id[FORMAT_ID_TEXT];
    write_one(id);
    counted(&store);
    CU_ASSERT_EQUAL(list(), COUNT + 1);
    CU_ASSERT_EQUAL(counted(&store), 1);
    auto_free char *copy = copy_of(id);
    CU_ASSERT_EQUAL(unlink(copy), 0);
    CU_ASSERT_EQUAL(list(), COUNT + 1);
    CU_ASSERT_EQUAL(counted(&store), 2);
    auto_free char *name = mem_printf("snapshots/%s", id);
    expect_ok(store_remove(&store.base, name, err));
}

static void copies_are_as_stored(void)
{
    fresh_cache();
    list();
    auto_free char *path = copy_of(ids[0]);
    auto_free char *object = mem_printf("%s/snapshots/%s", store_location(fixture.store), ids[0]);
    auto_buf struct buf copy = buf_new(65536), stored = buf_new(65536);
    expect_ok(file_read(path, 65536, &copy, err));
    expect_ok(file_read(object, 65536, &stored, err));
    CU_ASSERT_FATAL(copy.length == stored.length);
    CU_ASSERT_EQUAL(memcmp(copy.data, stored.data, copy.length), 0);
    struct stat status;
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
}

/* A copy is no snapshot: only what the store lists is there. */
static void removed_is_gone(void)
{
    char id[FORMAT_ID_TEXT];
    fresh_cache();
    write_one(id);
    CU_ASSERT_EQUAL(list(), COUNT + 1);
    auto_free char *copy = copy_of(id);
    CU_ASSERT_EQUAL(access(copy, F_OK), 0);
    auto_free char *name = mem_printf("snapshots/%s", id);
    expect_ok(store_remove(fixture.store, name, err)); /* behind the back of this repository */
    struct snapshot *found = NULL;
    expect_error(FIRN_NOTFOUND, snapshot_resolve(fixture.repo, id, &found, err));
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_NOT_EQUAL(access(copy, F_OK), 0);
    CU_ASSERT_EQUAL(copies(), COUNT);
}

static void overwrite(const char *path, const void *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, data, length), (ssize_t)length);
    close(fd);
}

static void damaged_is_refilled(void)
{
    fresh_cache();
    list();
    auto_free char *path = copy_of(ids[3]);
    auto_free char *other = copy_of(ids[4]);
    auto_buf struct buf good = buf_new(65536), bad = buf_new(65536), strange = buf_new(65536);
    expect_ok(file_read(path, 65536, &good, err));
    expect_ok(file_read(other, 65536, &strange, err));
    for (size_t at = 0; at < good.length; at += 29) {
        buf_reset(&bad);
        buf_append(&bad, good.data, good.length);
        bad.data[at] ^= 4;
        overwrite(path, bad.data, bad.length);
        counted(&store);
        CU_ASSERT_EQUAL(list(), COUNT);
        CU_ASSERT_EQUAL(counted(&store), 2);
        CU_ASSERT_EQUAL(list(), COUNT);
        CU_ASSERT_EQUAL(counted(&store), 1);
    }
    for (size_t length = 0; length < good.length; length += 97) {
        overwrite(path, good.data, length);
        CU_ASSERT_EQUAL(list(), COUNT);
        CU_ASSERT_EQUAL(counted(&store), 2);
    }
    overwrite(path, strange.data, strange.length); /* whole, but of another snapshot */
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 2);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0); /* in the way: the cache is no use then, and no harm */
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 2);
    CU_ASSERT_EQUAL(rmdir(path), 0);
}

static void count_finding(void *context, const char *object, const char *what, const char *affected)
{
    (void)context;
    (void)object;
    (void)what;
    (void)affected;
    damaged_count++;
}

/* What the cache has is whole, and the repository is not: only a listing that looks there can tell. */
static void check_does_not_trust_it(void)
{
    fresh_cache();
    list();
    auto_free char *object = mem_printf("%s/snapshots/%s", store_location(fixture.store), ids[9]);
    auto_buf struct buf good = buf_new(65536);
    expect_ok(file_read(object, 65536, &good, err));
    CU_ASSERT_EQUAL(chmod(object, 0600), 0);
    good.data[good.length / 2] ^= 1;
    overwrite(object, good.data, good.length);
    CU_ASSERT_EQUAL(list(), COUNT);
    struct check_options options = {.workers = 1};
    struct check_result result;
    damaged_count = 0;
    expect_ok(check_run(fixture.repo, &options, count_finding, NULL, NULL, &result, err));
    CU_ASSERT_EQUAL(result.findings, 1);
    CU_ASSERT_EQUAL(damaged_count, 1);
    good.data[good.length / 2] ^= 1;
    overwrite(object, good.data, good.length);
}

static void of_another_length_is_read(void)
{
    fresh_cache();
    list();
    auto_free char *object = mem_printf("%s/snapshots/%s", store_location(fixture.store), ids[10]);
    auto_buf struct buf good = buf_new(65536);
    expect_ok(file_read(object, 65536, &good, err));
    CU_ASSERT_EQUAL(chmod(object, 0600), 0);
    overwrite(object, good.data, good.length - 1);
    CU_ASSERT_EQUAL(list(), COUNT - 1);
    CU_ASSERT_EQUAL(damaged_count, 1);
    overwrite(object, good.data, good.length);
    CU_ASSERT_EQUAL(list(), COUNT);
}

/* Nobody waits for anybody, and nobody sees half of what another one writes. */
static void several_processes(void)
{
    pid_t children[6];
    fresh_cache();
    for (size_t i = 0; i < array_length(children); i++) {
        children[i] = fork();
        CU_ASSERT_FATAL(children[i] >= 0);
        if (children[i] > 0)
            continue;
        bool good = true;
        for (int round = 0; round < 5 && good; round++) {
            auto_free char *copy = copy_of(ids[(i * 31 + (size_t)round) % COUNT]);
            unlink(copy);
            good = list() == COUNT && damaged_count == 0;
        }
        _exit(good ? 0 : 1);
    }
    for (size_t i = 0; i < array_length(children); i++) {
        int status = 0;
        CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
        CU_ASSERT_EQUAL(status, 0);
    }
    CU_ASSERT_EQUAL(list(), COUNT);
    counted(&store);
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 1);
    CU_ASSERT_EQUAL(copies(), COUNT);
}

static void cannot_be_written(void)
{
    fresh_cache();
    int fd = open(cache, O_WRONLY | O_CREAT | O_CLOEXEC,
                  0600); /* a file in the place of the directory */
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(list(), COUNT);
    CU_ASSERT_EQUAL(counted(&store), 2 * (1 + COUNT));
}

static void is_bounded(void)
{
    static const uint64_t lengths[] = {30u << 20, 1000, 30u << 20, 1u << 20, 30u << 20, 200u << 20};
    struct snapshot_entry entries[array_length(lengths)] = {0};
    for (size_t i = 0; i < array_length(lengths); i++) {
        entries[i].id[0] = (uint8_t)(7 * i);
        entries[i].length = lengths[i];
    }
    fresh_cache();
    struct snapshot_cache *of = snapshot_cache_new(cache, fixture.repo->id_text);
    snapshot_cache_settle(of, entries, array_length(entries));
    for (size_t i = 0; i < array_length(lengths); i++) {
        CU_ASSERT_EQUAL(entries[i].id[0], 7 * i);
        CU_ASSERT_EQUAL(entries[i].cached, i < 4);
        snapshot_cache_put(of, entries[i].id, "", 0);
    }
    CU_ASSERT_EQUAL(copies(), array_length(lengths));
    snapshot_cache_settle(of, entries, array_length(entries));
    CU_ASSERT_EQUAL(copies(), 4);
    snapshot_cache_settle(of, entries, 0);
    CU_ASSERT_EQUAL(copies(), 0);
    snapshot_cache_free(of);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"requests of a listing", costs},
        {"copies are as stored", copies_are_as_stored},
        {"a snapshot that was removed is gone", removed_is_gone},
        {"a damaged copy is refilled", damaged_is_refilled},
        {"check does not trust it", check_does_not_trust_it},
        {"an object of another length is read", of_another_length_is_read},
        {"several processes", several_processes},
        {"cannot be written", cannot_be_written},
        {"is bounded", is_bounded},
    };
    fixture_open(&fixture);
    store = counting_store(fixture.store);
    fixture.repo->store = &store.base;
    int result = unit_run("snapshot cache", tests, array_length(tests));
    fixture_close(&fixture);
    free(cache);
    return result;
}
