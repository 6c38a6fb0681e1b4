/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reach: which packs the snapshots rely on, how far into each (the highest chunk that a map names),
 * and which snapshots rely on it. Each run that snapshots share is walked once. Memory: a few bytes a
 * pack, about one for each pack that a run names, and the snapshots.
 */
#ifndef REPO_CHECK_REACH_H
#define REPO_CHECK_REACH_H

#include "check.h"

#include <stdbool.h>
#include <stdint.h>

struct firn_error;
struct pack_trailer;
struct reach;
struct repo;
struct snapshot;

#define REACH_SHORT_ID 8 /* digits of an id in lists of affected snapshots */

/* Reads every snapshot and every map. Damage goes to `finding` and is counted; -1 only if the store could not be read. */
int reach_walk(struct repo *repo, check_finding *finding, void *context,
               struct check_result *result, struct reach **out, struct firn_error **err);
void reach_free(struct reach *reach); /* NULL is fine */

/* Whether a snapshot relies on the pack. */
bool reach_needs(const struct reach *reach, uint32_t pack);
/* CORRUPT unless the pack has the class and the chunks that maps name in it. */
int reach_prove(const struct reach *reach, uint32_t pack, const struct pack_trailer *trailer,
                struct firn_error **err);
/* All of them, the reach's. */
struct snapshot *const *reach_snapshots(const struct reach *reach, size_t *count);
/* The snapshots that rely on the pack, short ids separated by blanks; a new string, "" if none. One thread at a time. */
char *reach_affected(struct reach *reach, uint32_t pack);

#endif
