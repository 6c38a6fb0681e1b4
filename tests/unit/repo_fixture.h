/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository of its own for a unit test: a local store in a new directory under $TEST_TMP (or /tmp), opened with a new key.
 */
#ifndef TESTS_REPO_FIXTURE_H
#define TESTS_REPO_FIXTURE_H

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "repo/repo.h"
#include "store/store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    char *directory;
    struct store *store;
    struct repo *repo;
    struct buf key;
};

/* A macro, so that err is looked at after the call. */
#define fixture_must(call, what, err)                                                              \
    do {                                                                                           \
        int fixture_result = (call);                                                               \
        fixture_check(fixture_result, (what), (err));                                              \
    } while (0)

static void fixture_check(int result, const char *what, struct firn_error *err)
{
    if (result >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, error_message(err));
    abort();
}

static struct repo *fixture_open_repo(struct fixture *fixture)
{
    struct firn_error *err = NULL;
    struct repo *repo = NULL;
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture->key.data, .length = fixture->key.length};
    fixture_must(repo_open(fixture->store, &repo, &err), "open", err);
    fixture_must(repo_unlock(repo, &key, &err), "unlock", err);
    return repo;
}

static void fixture_open(struct fixture *fixture)
{
    struct firn_error *err = NULL;
    const char *parent = getenv("TEST_TMP");
    fixture->directory = mem_printf("%s/firn-repo-XXXXXX", parent == NULL ? "/tmp" : parent);
    if (mkdtemp(fixture->directory) == NULL)
        abort();
    fixture->key = buf_new(4096);
    key_file_generate(&fixture->key);
    struct key_credential key = {
        .kind = KEY_FILE, .secret = fixture->key.data, .length = fixture->key.length};
    auto_free char *location = mem_printf("%s/repository", fixture->directory);
    fixture_must(store_create(location, &fixture->store, &err), "store", err);
    const struct repo_options options = {.credential = &key, .label = "test"};
    fixture_must(repo_init(fixture->store, &options, &fixture->repo, &err), "init", err);
}

/* Closes the repository and opens it again, as another process would. */
static inline void fixture_reopen(struct fixture *fixture)
{
    repo_close(fixture->repo);
    fixture->repo = fixture_open_repo(fixture);
}

static int fixture_remove(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void fixture_close(struct fixture *fixture)
{
    repo_close(fixture->repo);
    store_close(fixture->store);
    nftw(fixture->directory, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture->directory);
    buf_free(&fixture->key);
}

#endif
