/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map delta: where one map says something else than another, its base. What lies at the same place
 * is the same; different places count as different, though the blocks may be equal. Runs that
 * both have are read only where the others say something, so that the cost is that of the change; no
 * data is read. One thread at a time.
 */
#ifndef REPO_MAP_DELTA_H
#define REPO_MAP_DELTA_H

#include "map.h"

#include <stdint.h>

struct firn_error;
struct map_delta;
struct repo;

/* A map, and how many units of it count: nothing is said of those of the map that lie behind, and
 * those of the base that lie behind are like no others, zeros included. */
struct map_side {
    const struct map *map;
    uint64_t units;
};

/* Everything is borrowed until map_delta_free(). */
int map_delta_open(struct repo *repo, struct map_side map, struct map_side base,
                   struct map_delta **out, struct firn_error **err);
/* 1: an extent of the map that is not in the base; PACK_NONE: it is zero here, and was not there.
 * They rise. 0: the end. After -1 it can only be freed. */
int map_delta_next(struct map_delta *delta, struct map_extent *out, struct firn_error **err);
void map_delta_free(struct map_delta *delta); /* NULL is fine */

#endif
