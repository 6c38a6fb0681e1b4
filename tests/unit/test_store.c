/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local store, on real directories: names, objects small and large, many threads at once, and foreign things in the way.
 */
#include "unit/store_fixture.h"

#include "core/clock.h"

#include <pthread.h>

/* -------------------------------------------------------------------------------------------- single objects */

static void locations(void)
{
    struct store *store = NULL;
    auto_free char *missing = mem_printf("%s/missing", base);
    auto_free char *deep = mem_printf("file://%s/a/b//c/", base);
    auto_free char *file = mem_printf("%s/file", base);
    expect_error(FIRN_INVALID, store_open("s3://host/bucket", &store, err));
    expect_error(FIRN_INVALID, store_open("ftp://host/x", &store, err));
    expect_error(FIRN_INVALID, store_open("file://host/x", &store, err));
    expect_error(FIRN_INVALID, store_open("", &store, err));
    expect_error(FIRN_NOTFOUND, store_open(missing, &store, err));
    close(open(file, O_CREAT | O_WRONLY, 0600));
    expect_error(FIRN_INVALID, store_open(file, &store, err));
    expect_error(FIRN_INVALID, store_create(file, &store, err));
    expect_ok(store_create(deep, &store, err));
    expect_text(store_location(store), deep);
    store_close(store);
    struct stat status;
    CU_ASSERT(stat(deep + 7, &status) == 0 && (status.st_mode & 07777) == 0700);
    expect_ok(store_create(deep, &store, err));
    store_close(store);
}

static void names(void)
{
    static const char *const wrong[] = {"",     "/",    "/a",   "a/",       "a//b", "..",  ".",
                                        "a/..", "../a", "a/.b", ".a",       "A",    "a_b", "a b",
                                        "a\n",  "-a",   "a/-b", "\xc3\xa4", "a\\b"};
    struct store *store = fresh();
    uint64_t length;
    char byte;
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct store_writer *writer = NULL;
        expect_error(FIRN_INVALID, store_put(store, wrong[i], "x", 1, err));
        expect_error(FIRN_INVALID, store_writer_open(store, wrong[i], &writer, err));
        expect_error(FIRN_INVALID, store_get(store, wrong[i], 0, &byte, 1, err));
        expect_error(FIRN_INVALID, store_stat(store, wrong[i], &length, NULL, err));
        expect_error(FIRN_INVALID, store_remove(store, wrong[i], err));
    }
    char longest[258];
    memset(longest, 'a', sizeof(longest));
    longest[257] = '\0';
    CU_ASSERT(!store_name_valid(longest));
    longest[255] = '\0';
    CU_ASSERT(store_name_valid(longest));
    expect_ok(store_put(store, longest, "x", 1, err));
    CU_ASSERT_EQUAL(inventory_of(store, "").count, 1);
    expect_error(FIRN_INVALID, store_list(store, "a", take_inventory, NULL, err));
    expect_error(FIRN_INVALID, store_list(store, "/", take_inventory, NULL, err));
    expect_error(FIRN_INVALID, store_list(store, "../", take_inventory, NULL, err));
    done(store);
}

static void put_get_stat_remove(void)
{
    struct store *store = fresh();
    uint64_t length = 0;
    char data[16] = "";
    int64_t before = clock_now();
    expect_ok(store_put(store, "packs/3f/one", "hello", 5, err));
    expect_ok(store_put(store, "empty", NULL, 0, err));
    expect_ok(store_stat(store, "packs/3f/one", &length, NULL, err));
    CU_ASSERT_EQUAL(length, 5);
    expect_ok(store_get(store, "packs/3f/one", 1, data, 3, err));
    CU_ASSERT(memcmp(data, "ell", 3) == 0);
    expect_ok(store_get(store, "empty", 0, data, 0, err));
    expect_error(FIRN_CORRUPT, store_get(store, "packs/3f/one", 0, data, 6, err));
    expect_error(FIRN_CORRUPT, store_get(store, "packs/3f/one", 5, data, 1, err));
    expect_error(FIRN_CORRUPT, store_get(store, "packs/3f/one", 1ull << 40, data, 1, err));
    expect_error(FIRN_INVALID, store_get(store, "packs/3f/one", UINT64_MAX - 2, data, 5, err));
    expect_error(FIRN_CONFLICT, store_put(store, "packs/3f/one", "other", 5, err));
    expect_ok(store_get(store, "packs/3f/one", 0, data, 5, err));
    CU_ASSERT(memcmp(data, "hello", 5) == 0);
    struct inventory inventory = inventory_of(store, "packs/");
    CU_ASSERT(inventory.count == 1 && inventory.bytes == 5);
    expect_text(inventory.last, "packs/3f/one");
    CU_ASSERT(inventory.modified >= before - 1000 && inventory.modified <= clock_now() + 1000);
    expect_ok(store_remove(store, "packs/3f/one", err));
    expect_error(FIRN_NOTFOUND, store_remove(store, "packs/3f/one", err));
    expect_error(FIRN_NOTFOUND, store_get(store, "packs/3f/one", 0, data, 1, err));
    expect_error(FIRN_NOTFOUND, store_get(store, "no/such/object", 0, data, 1, err));
    expect_error(FIRN_NOTFOUND, store_stat(store, "packs/3f/one", &length, NULL, err));
    CU_ASSERT_EQUAL(inventory_of(store, "packs/").count, 0);
    CU_ASSERT_EQUAL(inventory_of(store, "nothing/here/").count, 0);
    done(store);
}

/* Times of objects and store_now() are of one clock: that of the file system. */
static void times(void)
{
    struct store *store = fresh();
    int64_t before = 0, put = 0, after = 0;
    uint64_t length = 0;
    struct store_writer *writer = NULL;
    expect_ok(store_now(store, &before, err));
    expect_ok(store_put(store, "snapshots/one", "hello", 5, err));
    expect_ok(store_stat(store, "snapshots/one", &length, &put, err));
    expect_ok(store_now(store, &after, err));
    CU_ASSERT(before > 0 && before <= put && put <= after);
    expect_ok(store_writer_open(store, "packs/one", &writer, err));
    expect_ok(store_write(writer, "hello", 5, err));
    expect_ok(store_writer_finish(writer, err));
    expect_ok(store_stat(store, "packs/one", &length, &put, err));
    CU_ASSERT(after <= put);
    CU_ASSERT_EQUAL(inventory_of(store, "").count, 2);
    CU_ASSERT_EQUAL(files_in(store_location(store)), 2);
    done(store);
}

static void modes(void)
{
    struct store *store = fresh();
    struct stat status;
    expect_ok(store_put(store, "packs/3f/one", "hello", 5, err));
    auto_free char *file = mem_printf("%s/packs/3f/one", store_location(store));
    auto_free char *directory = mem_printf("%s/packs/3f", store_location(store));
    CU_ASSERT(stat(file, &status) == 0 && (status.st_mode & 07777) == 0400 && status.st_nlink == 1);
    CU_ASSERT(stat(directory, &status) == 0 && (status.st_mode & 07777) == 0700);
    done(store);
}

/* ------------------------------------------------------------------------------------------------- large objects */

static void large(void)
{
    struct store *store = fresh();
    CU_ASSERT(roundtrips(store));
    CU_ASSERT_EQUAL(files_in(store_location(store)), 4);
    done(store);
}

static void abort_leaves_nothing(void)
{
    struct store *store = fresh();
    struct store_writer *writer = NULL;
    expect_ok(store_writer_open(store, "packs/aborted", &writer, err));
    expect_ok(store_write(writer, "data", 4, err));
    store_writer_abort(writer);
    store_writer_abort(NULL);
    CU_ASSERT_EQUAL(files_in(store_location(store)), 0);
    done(store);
}

/* ------------------------------------------------------------------------------------------------ many at once */

struct racer {
    struct store *store;
    uint32_t seed;
    enum firn_code code;
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct firn_error *why = NULL;
    uint8_t data[5000];
    fill(data, sizeof(data), racer->seed, 0);
    store_put(racer->store, "contested/name", data, sizeof(data), &why);
    racer->code = error_code(why);
    error_clear(&why);
    return NULL;
}

static void one_of_many_writers_wins(void)
{
    struct store *store = fresh();
    pthread_t threads[8];
    struct racer racers[8];
    uint8_t data[5000];
    size_t winners = 0;
    for (uint32_t i = 0; i < 8; i++) {
        racers[i] = (struct racer){.store = store, .seed = i};
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
    }
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    expect_ok(store_get(store, "contested/name", 0, data, sizeof(data), err));
    for (uint32_t i = 0; i < 8; i++) {
        CU_ASSERT(racers[i].code == 0 || racers[i].code == FIRN_CONFLICT);
        winners += racers[i].code == 0 && holds(data, sizeof(data), i, 0);
    }
    CU_ASSERT_EQUAL(winners, 1);
    CU_ASSERT_EQUAL(files_in(store_location(store)), 1);
    done(store);
}

#define OBJECTS       80u
#define OBJECT_LENGTH 70000u

static void *read_at_random(void *context)
{
    struct racer *racer = context;
    uint8_t *memory = mem_aligned(OBJECT_LENGTH + 4096);
    unsigned state = racer->seed;
    bool good = true;
    for (int i = 0; i < 400 && good; i++) {
        uint32_t object = (uint32_t)rand_r(&state) % OBJECTS;
        uint32_t offset = (uint32_t)rand_r(&state) % OBJECT_LENGTH;
        uint32_t length = (uint32_t)rand_r(&state) % (OBJECT_LENGTH - offset) + 1;
        uint8_t *into = memory + (i % 3 == 0 ? 1 : 0);
        auto_free char *name = mem_printf("o/%u", object);
        good = store_get(racer->store, name, offset, into, length, NULL) == 0 &&
               holds(into, length, object, offset);
    }
    free(memory);
    racer->code = good ? 0 : FIRN_INTERNAL;
    return NULL;
}

static void many_readers(void)
{
    struct store *store = fresh();
    pthread_t threads[6];
    struct racer racers[6];
    uint8_t *data = mem_alloc(OBJECT_LENGTH);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        auto_free char *name = mem_printf("o/%u", i);
        fill(data, OBJECT_LENGTH, i, 0);
        expect_ok(store_put(store, name, data, OBJECT_LENGTH, err));
    }
    for (uint32_t i = 0; i < 6; i++) {
        racers[i] = (struct racer){.store = store, .seed = i + 1};
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, read_at_random, &racers[i]) == 0);
    }
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(racers[i].code, 0);
    }
    CU_ASSERT(files_in("/proc/self/fd") < 60);
    CU_ASSERT_EQUAL(inventory_of(store, "o/").count, OBJECTS);
    /* What was kept open is gone once it was removed. */
    expect_ok(store_get(store, "o/1", 0, data, 1, err));
    expect_ok(store_remove(store, "o/1", err));
    expect_error(FIRN_NOTFOUND, store_get(store, "o/1", 0, data, 1, err));
    free(data);
    done(store);
}

/* ---------------------------------------------------------------------------------------------------- foreign things */

static void links_and_pipes_are_refused(void)
{
    struct store *store = fresh();
    uint64_t length;
    char byte;
    expect_ok(store_put(store, "packs/good", "x", 1, err));
    auto_free char *link_path = mem_printf("%s/packs/link", store_location(store));
    auto_free char *pipe_path = mem_printf("%s/packs/pipe", store_location(store));
    auto_free char *tree_path = mem_printf("%s/tree", store_location(store));
    auto_free char *other_path = mem_printf("%s/packs/Other_File", store_location(store));
    CU_ASSERT(symlink("good", link_path) == 0 && mkfifo(pipe_path, 0600) == 0 &&
              symlink("packs", tree_path) == 0);
    close(open(other_path, O_CREAT | O_WRONLY, 0600));
    expect_error(FIRN_CORRUPT, store_get(store, "packs/link", 0, &byte, 1, err));
    expect_error(FIRN_CORRUPT, store_get(store, "packs/pipe", 0, &byte, 1, err));
    expect_error(FIRN_CORRUPT, store_get(store, "tree/good", 0, &byte, 1, err));
    expect_error(FIRN_CORRUPT, store_get(store, "packs", 0, &byte, 1, err));
    expect_error(FIRN_CORRUPT, store_stat(store, "packs/link", &length, NULL, err));
    expect_error(FIRN_CORRUPT, store_put(store, "tree/new", "x", 1, err));
    expect_error(FIRN_CONFLICT, store_put(store, "packs/link", "x", 1, err));
    struct inventory inventory = inventory_of(store, "");
    CU_ASSERT_EQUAL(inventory.count, 1);
    expect_text(inventory.last, "packs/good");
    done(store);
}

static int stop(void *context, const struct store_entry *entry, struct firn_error **err)
{
    ++*(int *)context;
    return fail(err, FIRN_CANCELLED, "enough of %s", entry->name);
}

static void callback_stops_listing(void)
{
    struct store *store = fresh();
    int calls = 0;
    expect_ok(store_put(store, "a/1", "x", 1, err));
    expect_ok(store_put(store, "a/2", "x", 1, err));
    expect_error(FIRN_CANCELLED, store_list(store, "a/", stop, &calls, err));
    CU_ASSERT_EQUAL(calls, 1);
    done(store);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"locations", locations},
        {"names", names},
        {"put, get, stat, remove", put_get_stat_remove},
        {"times", times},
        {"modes", modes},
        {"large objects", large},
        {"abort leaves nothing", abort_leaves_nothing},
        {"one of many writers wins", one_of_many_writers_wins},
        {"many readers", many_readers},
        {"links and pipes are refused", links_and_pipes_are_refused},
        {"a callback stops a listing", callback_stops_listing},
    };
    return run_in_base("store", tests, array_length(tests));
}
