/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check: proves that what snapshots rely on is there (structure), and that it is what was written
 * (data).
 */
#ifndef REPO_CHECK_H
#define REPO_CHECK_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct repo;

struct damage;

struct check_options {
    unsigned
        read_percent; /* 0: structure only; 1 … 100: this share of the packs, chosen at random, is read and proven */
    unsigned workers; /* 0: one a core */
    /* for repair: */
    const uint8_t (*packs)[FORMAT_ID_LENGTH]; /* packs that are read besides, sorted */
    size_t pack_count;
    struct damage
        *damage; /* gets what is damaged, and all packs of maps are read; NULL: not wanted */
};

/* What was found wrong: `object` is the store's name of it, `affected` the snapshots (ids,
 * shortened, separated by blanks) that cannot be restored whole, or "" . */
typedef void check_finding(void *context, const char *object, const char *what,
                           const char *affected);
typedef void check_progress(void *context, uint64_t bytes_done, uint64_t bytes_total);

struct check_result {
    uint64_t snapshots, packs, packs_read, bytes_read, chunks_proven, findings;
    uint64_t bytes_total;         /* lengths of all objects of all snapshots, as restored */
    uint64_t snapshots_protected; /* whose locks were proven */
    uint64_t locks_read;          /* objects whose lock the server was asked for */
    uint64_t packs_unused; /* no snapshot relies on them: garbage, or of a backup that is running */
};

/* 0 when it could look everywhere, even if it found damage (result->findings); -1 when it could not. */
int check_run(struct repo *repo, const struct check_options *options, check_finding *finding,
              check_progress *progress, void *context, struct check_result *result,
              struct firn_error **err);

#endif
