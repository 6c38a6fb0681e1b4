/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a whole repository.
 */
#ifndef REPO_STATS_H
#define REPO_STATS_H

#include <stdint.h>

struct firn_error;
struct repo;

struct repo_statistics {
    uint64_t snapshots;
    uint64_t packs;
    uint64_t bytes_stored; /* all objects of the store */
    uint64_t bytes_unused; /* in packs that no snapshot relies on */
    uint64_t bytes_total;  /* lengths of all objects of all snapshots, as restored */
    uint64_t damaged;      /* findings on the way: `firn check` names them */
};

int repo_statistics(struct repo *repo, struct repo_statistics *out, struct firn_error **err);

#endif
