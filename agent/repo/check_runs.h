/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distinct runs of all maps: snapshots share most of theirs with their parents, so each is
 * walked once, however many snapshots have it. Memory: about a byte for each pack that a run names.
 */
#ifndef REPO_CHECK_RUNS_H
#define REPO_CHECK_RUNS_H

#include "map.h"

#include <stdbool.h>
#include <stdint.h>

struct check_runs;
struct firn_error;
struct repo;

struct checked_run; /* a run, and what was found */

/* Called for what a run relies on: a pack of that class with at least so many chunks. */
typedef void check_runs_names(void *context, uint32_t pack, uint64_t chunks,
                              enum format_class class);

/* repo is borrowed. */
struct check_runs *check_runs_new(struct repo *repo, check_runs_names *names, void *context);
void check_runs_free(struct check_runs *runs); /* NULL is fine */
/* The run, walked if it was not yet; it is borrowed for as long as the table lives. -1 only if the store could not be read. */
int check_runs_walk(struct check_runs *runs, const struct map_run *run, struct checked_run **out,
                    struct firn_error **err);
/* The same run, walked before. */
const struct checked_run *check_runs_find(const struct check_runs *runs, const struct map_run *run);
/* Why the run cannot be followed, or a collector would not keep what it needs; NULL: nothing is wrong with it. Borrowed. */
const struct firn_error *checked_run_damage(const struct checked_run *run);
/* Marks the runs that rely on the pack, for checked_run_is_marked(). */
void check_runs_mark(struct check_runs *runs, uint32_t pack);
bool checked_run_is_marked(const struct checked_run *run);

#endif
