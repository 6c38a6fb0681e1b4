/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map cursor: the extents of a map in rising order, overlays applied. Memory: one undecoded chunk
 * a run. One thread at a time.
 */
#ifndef REPO_MAP_CURSOR_H
#define REPO_MAP_CURSOR_H

#include "map.h"

#include <stdint.h>

struct firn_error;
struct map_cursor;
struct repo;

/* Begins at unit `start`. repo and map are borrowed until map_cursor_free(). */
int map_cursor_open(struct repo *repo, const struct map *map, uint64_t start,
                    struct map_cursor **out, struct firn_error **err);
/* 1: an extent, cut to what is visible; gaps (zero) are not reported, nor are hidden parts;
 * explicit zeros come as PACK_NONE. 0: the end. After -1 (CORRUPT, or what reading a chunk failed
 * with) the cursor can only be freed. */
int map_cursor_next(struct map_cursor *cursor, struct map_extent *out, struct firn_error **err);
/* Goes on at the unit, if it is not behind it already. Chunks in between are not read, but for a few to find the way. */
int map_cursor_seek(struct map_cursor *cursor, uint64_t unit, struct firn_error **err);
void map_cursor_free(struct map_cursor *cursor); /* NULL is fine */

/* For salvage: begins at unit 0, and goes on where a chunk of the map is damaged or missing. What it may have said comes as
 * PACK_LOST: from the unit where it began to the one where the next chunk of its run does, as far as no newer run hides it. */
#define PACK_LOST (PACK_NONE - 1)
int map_cursor_open_salvage(struct repo *repo, const struct map *map, struct map_cursor **out,
                            struct firn_error **err);

#endif
