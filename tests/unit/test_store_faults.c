/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local store under faults, for real: writers killed in mid-write, a full disk, a directory that vanishes, no permission,
 * and file systems without O_TMPFILE or O_DIRECT. Whatever happens, an object is whole or not there.
 */
#include "unit/store_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

static bool roundtrips_without_direct(void *context)
{
    return refuse_direct() && roundtrips(context);
}

static bool roundtrips_without_tmpfile(void *context)
{
    return refuse_tmpfile() && roundtrips(context);
}

static void large_without_direct_io(void)
{
    struct store *store = fresh();
    CU_ASSERT(in_child(roundtrips_without_direct, store));
    CU_ASSERT_EQUAL(files_in(store_location(store)), 4);
    done(store);
}

static void large_without_unnamed_files(void)
{
    struct store *store = fresh();
    struct stat status;
    CU_ASSERT(in_child(roundtrips_without_tmpfile, store));
    CU_ASSERT_EQUAL(files_in(store_location(store)), 4);
    auto_free char *whole = mem_printf("%s/whole", store_location(store));
    CU_ASSERT(stat(whole, &status) == 0 && (status.st_mode & 07777) == 0400 &&
              status.st_nlink == 1);
    done(store);
}

static bool conflict_without_tmpfile(void *context)
{
    auto_error struct firn_error *why = NULL;
    return refuse_tmpfile() && store_put(context, "taken", "b", 1, &why) < 0 &&
           error_code(why) == FIRN_CONFLICT;
}

static void conflict_without_unnamed_files(void)
{
    struct store *store = fresh();
    expect_ok(store_put(store, "taken", "a", 1, err));
    CU_ASSERT(in_child(conflict_without_tmpfile, store));
    CU_ASSERT_EQUAL(files_in(store_location(store)), 1);
    done(store);
}

static void vanished_directory(void)
{
    struct store *store = fresh();
    uint64_t length;
    char byte;
    expect_ok(store_put(store, "packs/one", "x", 1, err));
    remove_tree(store_location(store));
    expect_error(FIRN_RETRY, store_put(store, "packs/two", "x", 1, err));
    expect_error(FIRN_RETRY, store_get(store, "packs/one", 0, &byte, 1, err));
    expect_error(FIRN_RETRY, store_stat(store, "packs/one", &length, NULL, err));
    expect_error(FIRN_RETRY, store_list(store, "packs/", take_inventory, NULL, err));
    expect_error(FIRN_RETRY, store_list(store, "", take_inventory, NULL, err));
    expect_error(FIRN_RETRY, store_remove(store, "packs/one", err));
    store_close(store);
}

static bool put_without_permission(void *context)
{
    struct store *store = context;
    auto_error struct firn_error *put = NULL, *get = NULL;
    char byte;
    if (chmod(store_location(store), 0) < 0 ||
        (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
        return false;
    return store_put(store, "two", "x", 1, &put) < 0 && error_code(put) == FIRN_DENIED &&
           store_get(store, "one", 0, &byte, 1, &get) < 0 && error_code(get) == FIRN_DENIED;
}

static void permissions(void)
{
    struct store *store = fresh();
    expect_ok(store_put(store, "one", "x", 1, err));
    CU_ASSERT(in_child(put_without_permission, store));
    chmod(store_location(store), 0700);
    done(store);
}

/* -------------------------------------------------------------------------------------------------- faults, for real */

#define TORN_LENGTH (6u << 20)

struct victim {
    const char *path;
    bool named; /* without O_TMPFILE */
    int ready;  /* told with one byte as soon as the first data lies in the file */
};

/* Writes objects w/0, w/1 … until it is killed. */
static bool write_forever(void *context)
{
    const struct victim *victim = context;
    uint8_t *data = mem_aligned(1u << 20);
    struct store *store = NULL;
    if ((victim->named && !refuse_tmpfile()) || store_open(victim->path, &store, NULL) < 0)
        return false;
    for (unsigned object = 0;; object++) {
        struct store_writer *writer = NULL;
        auto_free char *name = mem_printf("w/%u", object);
        if (store_writer_open(store, name, &writer, NULL) < 0)
            return false;
        for (uint64_t at = 0; at < TORN_LENGTH; at += 1u << 20) {
            fill(data, 1u << 20, object, at);
            if (store_write(writer, data, 1u << 20, NULL) < 0 || write(victim->ready, "x", 1) != 1)
                return false;
        }
        if (store_writer_finish(writer, NULL) < 0)
            return false;
    }
}

static int check_whole(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct store *store = context;
    uint8_t *data = mem_aligned(TORN_LENGTH);
    bool whole = entry->length == TORN_LENGTH &&
                 store_get(store, entry->name, 0, data, TORN_LENGTH, err) == 0 &&
                 holds(data, TORN_LENGTH, (uint32_t)atoi(entry->name + 2), 0);
    free(data);
    return whole ? 0 : fail(err, FIRN_CORRUPT, "%s is torn", entry->name);
}

/* Kills the writer some time after it has told `pieces` pieces. */
static void kill_writer(const char *path, bool named, unsigned pieces, unsigned microseconds)
{
    int ends[2];
    char told;
    int status = 0;
    CU_ASSERT_FATAL(pipe(ends) == 0);
    struct victim victim = {.path = path, .named = named, .ready = ends[1]};
    pid_t child = start_child(write_forever, &victim);
    close(ends[1]);
    for (unsigned i = 0; i < pieces; i++)
        CU_ASSERT_FATAL(read(ends[0], &told, 1) == 1);
    usleep(microseconds);
    kill(child, SIGKILL);
    CU_ASSERT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    close(ends[0]);
}

static void killed_writers(bool named)
{
    srand(20261122);
    for (unsigned round = 0; round < 12; round++) {
        auto_free char *path = new_directory();
        kill_writer(path, named, 1 + (unsigned)rand() % 14, (unsigned)rand() % 3000);
        struct store *store = open_at(path);
        struct inventory inventory = inventory_of(store, "");
        CU_ASSERT_EQUAL(inventory.bytes, inventory.count * TORN_LENGTH);
        CU_ASSERT_EQUAL(files_in(path), inventory.count);
        expect_ok(store_list(store, "w/", check_whole, store, err));
        done(store);
    }
}

static void killed_writer_leaves_nothing(void)
{
    killed_writers(false);
}

static void killed_writer_of_named_files_is_swept(void)
{
    killed_writers(true);
}

static bool outlive_sweep(void *context)
{
    struct store *store = context, *other = NULL;
    struct store_writer *writer = NULL;
    bool good = refuse_tmpfile() && store_writer_open(store, "living", &writer, NULL) == 0 &&
                store_write(writer, "data", 4, NULL) == 0 && files_in(store_location(store)) == 1 &&
                store_open(store_location(store), &other, NULL) == 0 &&
                store_writer_finish(writer, NULL) == 0;
    store_close(other);
    return good;
}

static void sweep_spares_the_living(void)
{
    struct store *store = fresh();
    CU_ASSERT(in_child(outlive_sweep, store));
    CU_ASSERT_EQUAL(inventory_of(store, "").bytes, 4);
    CU_ASSERT_EQUAL(files_in(store_location(store)), 1);
    done(store);
}

/* In a mount namespace of its own: a file system of 512 KiB over `path`. */
static bool mount_small(const char *path)
{
    int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    return unshare(flags) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("firn", path, "tmpfs", 0, "size=512k") == 0;
}

static bool says_full(struct firn_error **why)
{
    bool full = error_code(*why) == FIRN_INTERNAL &&
                strstr(error_message(*why), "no space left on") != NULL &&
                strstr(error_message(*why), "free: ") != NULL;
    error_clear(why);
    return full;
}

static bool fill_disk(void *context)
{
    const char *path = context;
    struct store *store = NULL;
    struct store_writer *writer = NULL;
    auto_error struct firn_error *why = NULL;
    uint8_t *data = mem_aligned(1u << 20);
    fill(data, 1u << 20, 1, 0);
    bool good = mount_small(path) && store_open(path, &store, NULL) == 0 &&
                store_put(store, "first", data, 300000, NULL) == 0 &&
                store_put(store, "second", data, 300000, &why) < 0 && says_full(&why);
    good = good && store_writer_open(store, "third", &writer, NULL) == 0 &&
           store_write(writer, data, 1u << 20, &why) < 0 && says_full(&why);
    store_writer_abort(writer);
    /* Nothing of what failed takes space, and once there is space, work goes on. */
    good = good && files_in(path) == 1 && store_remove(store, "first", NULL) == 0 &&
           store_put(store, "second", data, 300000, NULL) == 0 &&
           store_get(store, "second", 0, data, 300000, NULL) == 0 && holds(data, 300000, 1, 0);
    store_close(store);
    free(data);
    return good;
}

static void full_disk(void)
{
    auto_free char *path = new_directory();
    CU_ASSERT(in_child(fill_disk, path));
    remove_tree(path);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"large objects without O_DIRECT", large_without_direct_io},
        {"large objects without O_TMPFILE", large_without_unnamed_files},
        {"conflict without O_TMPFILE", conflict_without_unnamed_files},
        {"a vanished directory", vanished_directory},
        {"permissions", permissions},
        {"a killed writer leaves nothing", killed_writer_leaves_nothing},
        {"a killed writer of named files is swept", killed_writer_of_named_files_is_swept},
        {"the sweep spares the living", sweep_spares_the_living},
        {"full disk", full_disk},
    };
    return run_in_base("store faults", tests, array_length(tests));
}
