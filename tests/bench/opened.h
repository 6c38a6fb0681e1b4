/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of the bench share: a repository opened with a key file, and random numbers that repeat. */
#ifndef BENCH_OPENED_H
#define BENCH_OPENED_H

#include "cli/credential.h"
#include "core/error.h"
#include "repo/repo.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

struct opened {
    struct store *store;
    struct repo *repo;
};

static inline int opened_open(const char *location, const char *key_file, struct opened *out,
                              struct firn_error **err)
{
    struct credential credential = {0};
    if (store_open(location, &out->store, err) < 0 || repo_open(out->store, &out->repo, err) < 0 ||
        credential_read(KEY_FILE, key_file, &credential, err) < 0)
        return -1;
    int result = repo_unlock(out->repo, &credential.key, err);
    credential_wipe(&credential);
    return result;
}

static inline void opened_close(struct opened *opened)
{
    repo_close(opened->repo);
    store_close(opened->store);
}

/* SplitMix64. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_next(state) % bound;
}

#endif
