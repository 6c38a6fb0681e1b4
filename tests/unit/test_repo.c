/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository's beginning: init, open, unlock, and configs that are none.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/clock.h"

#define ID      "0123456789abcdef0123456789abcdef"
#define CREATED "2026-11-22T08:00:00.000Z"

static struct fixture fixture;

static void remove_config(struct store *store)
{
    expect_ok(store_remove(store, "config", err));
}

static void put_config(struct store *store, const char *text)
{
    store_remove(store, "config", NULL);
    expect_ok(store_put(store, "config", text, strlen(text), err));
}

static void init_open_unlock(void)
{
    struct repo *repo = NULL;
    fixture_open(&fixture);
    CU_ASSERT(fixture.repo->unlocked && fixture.repo->keyring.can_read &&
              strlen(fixture.repo->slot_id) == 32);
    CU_ASSERT(clock_now() - fixture.repo->created < 60000);
    expect_ok(repo_open(fixture.store, &repo, err));
    CU_ASSERT(!repo->unlocked && repo->created == fixture.repo->created);
    expect_text(repo->id_text, fixture.repo->id_text);
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture.key.data, .length = fixture.key.length};
    expect_ok(repo_unlock(repo, &key, err));
    CU_ASSERT(repo->unlocked);
    expect_text(repo->slot_id, fixture.repo->slot_id);
    CU_ASSERT(memcmp(repo->keyring.data_key, fixture.repo->keyring.data_key, FORMAT_KEY_LENGTH) ==
              0);
    /* Again, and with a wrong key: it stays as it was. */
    expect_ok(repo_unlock(repo, &key, err));
    struct key_credential wrong = {.kind = KEY_PASSPHRASE, .secret = "no", .length = 2};
    expect_error(FIRN_DENIED, repo_unlock(repo, &wrong, err));
    CU_ASSERT(repo->unlocked && memcmp(repo->keyring.data_key, fixture.repo->keyring.data_key,
                                       FORMAT_KEY_LENGTH) == 0);
    repo_close(repo);
    repo_close(NULL);
    fixture_close(&fixture);
}

static void init_refuses(void)
{
    struct repo *repo = NULL;
    fixture_open(&fixture);
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture.key.data, .length = fixture.key.length};
    const struct repo_options options = {.credential = &key, .label = "again"};
    expect_error(FIRN_CONFLICT, repo_init(fixture.store, &options, &repo, err));
    remove_config(fixture.store);
    expect_error(FIRN_NOTFOUND, repo_open(fixture.store, &repo, err));
    /* Packs without a config: somebody's repository has lost it. */
    expect_ok(store_put(fixture.store, "packs/00/00", "x", 1, err));
    expect_error(FIRN_CONFLICT, repo_init(fixture.store, &options, &repo, err));
    expect_ok(store_remove(fixture.store, "packs/00/00", err));
    expect_ok(store_put(fixture.store, "snapshots/00", "x", 1, err));
    expect_error(FIRN_CONFLICT, repo_init(fixture.store, &options, &repo, err));
    fixture_close(&fixture);
}

/* A slot without a config is what a killed init leaves: the next one makes its own, and the old one opens nothing. */
static void init_after_killed_init(void)
{
    fixture_open(&fixture);
    remove_config(fixture.store);
    repo_close(fixture.repo);
    fixture.repo = NULL;
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture.key.data, .length = fixture.key.length};
    const struct repo_options options = {.credential = &key, .label = "again"};
    expect_ok(repo_init(fixture.store, &options, &fixture.repo, err));
    char slot_id[FORMAT_ID_TEXT];
    memcpy(slot_id, fixture.repo->slot_id, sizeof(slot_id));
    fixture_reopen(&fixture);
    expect_text(fixture.repo->slot_id, slot_id);
    struct key_slot *slots = NULL;
    size_t count = 0;
    expect_ok(key_slots_list(fixture.store, &slots, &count, err));
    CU_ASSERT(count == 1 && strcmp(slots[0].id, slot_id) == 0);
    expect_error(FIRN_CONFLICT, key_slot_remove(fixture.store, slot_id, err));
    key_slots_free(slots, count);
    fixture_close(&fixture);
}

static void init_with_bad_credential(void)
{
    struct repo *repo = NULL;
    fixture_open(&fixture);
    auto_free char *location = mem_printf("%s/other", fixture.directory);
    struct store *store = NULL;
    struct key_credential key = {.kind = KEY_FILE, .secret = "nonsense", .length = 8};
    const struct repo_options options = {.credential = &key, .label = "x"};
    expect_ok(store_create(location, &store, err));
    expect_error(FIRN_INVALID, repo_init(store, &options, &repo, err));
    key = (struct key_credential){.kind = KEY_PASSPHRASE, .secret = "", .length = 0};
    expect_error(FIRN_INVALID, repo_init(store, &options, &repo, err));
    expect_error(FIRN_NOTFOUND, repo_open(store, &repo, err));
    store_close(store);
    fixture_close(&fixture);
}

struct bad_config {
    enum firn_code code;
    const char *text;
};

static void configs(void)
{
    static const struct bad_config bad[] = {
        {FIRN_CORRUPT, ""},
        {FIRN_CORRUPT, "firn"},
        {FIRN_CORRUPT, "[]"},
        {FIRN_CORRUPT, "null"},
        {FIRN_CORRUPT, "{}"},
        {FIRN_CORRUPT,
         "{\"firn\":\"1\",\"id\":\"" ID "\",\"created\":\"" CREATED "\",\"blockSize\":65536}"},
        {FIRN_INVALID, "{\"firn\":2}"},
        {FIRN_INVALID,
         "{\"firn\":0,\"id\":\"" ID "\",\"created\":\"" CREATED "\",\"blockSize\":65536}"},
        {FIRN_CORRUPT,
         "{\"firn\":1,\"id\":\"" ID "0\",\"created\":\"" CREATED "\",\"blockSize\":65536}"},
        {FIRN_CORRUPT,
         "{\"firn\":1,\"id\":\"../../etc\",\"created\":\"" CREATED "\",\"blockSize\":65536}"},
        {FIRN_CORRUPT, "{\"firn\":1,\"id\":7,\"created\":\"" CREATED "\",\"blockSize\":65536}"},
        {FIRN_CORRUPT, "{\"firn\":1,\"id\":\"" ID "\",\"created\":\"soon\",\"blockSize\":65536}"},
        {FIRN_CORRUPT,
         "{\"firn\":1,\"id\":\"" ID "\",\"created\":\"" CREATED "\",\"blockSize\":4096}"},
        {FIRN_CORRUPT,
         "{\"firn\":1,\"id\":\"" ID "\",\"created\":\"" CREATED "\",\"blockSize\":65536} x"},
    };
    struct repo *repo = NULL;
    fixture_open(&fixture);
    for (size_t i = 0; i < array_length(bad); i++) {
        put_config(fixture.store, bad[i].text);
        expect_error(bad[i].code, repo_open(fixture.store, &repo, err));
    }
    auto_free char *large = mem_alloc(5001);
    memset(large, ' ', 5000);
    large[5000] = '\0';
    put_config(fixture.store, large);
    expect_error(FIRN_CORRUPT, repo_open(fixture.store, &repo, err));
    /* A config that is well-formed but not of this repository: no key opens it. */
    put_config(fixture.store, "{\"firn\":1,\"id\":\"" ID "\",\"created\":\"" CREATED
                              "\",\"blockSize\":65536,\"later\":1}");
    expect_ok(repo_open(fixture.store, &repo, err));
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture.key.data, .length = fixture.key.length};
    expect_error(FIRN_DENIED, repo_unlock(repo, &key, err));
    repo_close(repo);
    fixture_close(&fixture);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"init, open, unlock", init_open_unlock},
        {"init refuses what is there", init_refuses},
        {"init after a killed init", init_after_killed_init},
        {"init with a bad credential", init_with_bad_credential},
        {"configs", configs},
    };
    return unit_run("repo", tests, array_length(tests));
}
