/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of packs: numbers, growth to the size of a large repository, hostile ids, threads, and listing a store.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/clock.h"
#include "repo/crypt.h"

#include <pthread.h>

#define MANY 400000u

static void make_id(uint32_t number, uint8_t id[FORMAT_ID_LENGTH])
{
    memset(id, 0, FORMAT_ID_LENGTH);
    memcpy(id + 12, &number, sizeof(number));
}

static uint32_t number_of(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH])
{
    uint32_t number = PACK_NONE;
    if (pack_table_number(table, id, &number, NULL) < 0)
        return PACK_NONE;
    return number;
}

static void names(void)
{
    uint8_t id[FORMAT_ID_LENGTH] = {0x3f, 0x9c, [15] = 0x01};
    char name[PACK_NAME_LENGTH];
    pack_name(id, name);
    expect_text(name, "packs/3f/3f9c0000000000000000000000000001");
    CU_ASSERT_EQUAL(strlen(name) + 1, PACK_NAME_LENGTH);
}

/* Ids that differ in their last bytes only: a store may choose them. */
static void numbers(void)
{
    struct pack_table *table = pack_table_new();
    uint8_t id[FORMAT_ID_LENGTH], got[FORMAT_ID_LENGTH];
    bool good = true;
    int64_t start = clock_monotonic();
    for (uint32_t i = 0; i < MANY; i++) {
        make_id(i, id);
        good = good && number_of(table, id) == i;
    }
    for (uint32_t i = 0; i < MANY; i++) {
        make_id(i, id);
        pack_table_id(table, i, got);
        good = good && number_of(table, id) == i && memcmp(id, got, sizeof(id)) == 0 &&
               !pack_table_present(table, i);
    }
    CU_ASSERT(good);
    CU_ASSERT_EQUAL(pack_table_count(table), MANY);
    CU_ASSERT(clock_monotonic() - start < 10000);
    pack_table_set_present(table, 7);
    CU_ASSERT(pack_table_present(table, 7) && !pack_table_present(table, 8));
    pack_table_free(table);
    pack_table_free(NULL);
}

static void *number_all(void *context)
{
    uint8_t id[FORMAT_ID_LENGTH];
    for (uint32_t i = 0; i < 20000; i++) {
        make_id(i, id);
        uint32_t number = number_of(context, id);
        if (number >= 20000)
            return NULL;
        pack_table_set_present(context, number);
    }
    return context;
}

static void threads(void)
{
    struct pack_table *table = pack_table_new();
    pthread_t running[4];
    for (size_t i = 0; i < array_length(running); i++)
        CU_ASSERT_FATAL(pthread_create(&running[i], NULL, number_all, table) == 0);
    for (size_t i = 0; i < array_length(running); i++) {
        void *result = NULL;
        pthread_join(running[i], &result);
        CU_ASSERT(result == table);
    }
    CU_ASSERT_EQUAL(pack_table_count(table), 20000);
    for (uint32_t i = 0; i < 20000; i++)
        CU_ASSERT(pack_table_present(table, i));
    pack_table_free(table);
}

static void listing(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    uint8_t ids[50][FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    for (size_t i = 0; i < array_length(ids); i++) {
        crypt_random(ids[i], sizeof(ids[i]));
        pack_name(ids[i], name);
        expect_ok(store_put(fixture.store, name, "pack", 4, err));
    }
    static const char *const foreign[] = {"packs/readme",
                                          "packs/00/readme",
                                          "packs/00/ff000000000000000000000000000000",
                                          "packs/ff000000000000000000000000000000",
                                          "packs/ff/ff0000000000000000000000000000000",
                                          "packs/ff/ff00000000000000000000000000000"};
    for (size_t i = 0; i < array_length(foreign); i++)
        expect_ok(store_put(fixture.store, foreign[i], "no pack", 7, err));
    expect_ok(pack_table_list(fixture.repo->packs, fixture.store, err));
    CU_ASSERT_EQUAL(pack_table_count(fixture.repo->packs), array_length(ids));
    for (size_t i = 0; i < array_length(ids); i++)
        CU_ASSERT(pack_table_present(fixture.repo->packs, number_of(fixture.repo->packs, ids[i])));
    expect_ok(pack_table_list(fixture.repo->packs, fixture.store, err));
    CU_ASSERT_EQUAL(pack_table_count(fixture.repo->packs), array_length(ids));
    fixture_reopen(&fixture);
    CU_ASSERT_EQUAL(pack_table_count(fixture.repo->packs), 0);
    fixture_close(&fixture);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"names", names},
        {"numbers", numbers},
        {"threads", threads},
        {"listing", listing},
    };
    return unit_run("pack_table", tests, array_length(tests));
}
