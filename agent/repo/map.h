/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps: where the units of an object lie. A unit is a block of a volume (number = offset /
 * FORMAT_BLOCK_SIZE) or a chunk of a stream (number = its place in the sequence).
 *
 * A map is a list of runs, newest first. A run is a sorted list of extents, cut into chunks of
 * class meta that can each be decoded alone. What a newer run says hides what older runs say; what
 * no run mentions is zero.
 *
 *     run 0 (newest)      ....AAAA......BB....          resolve: A B from run 0, c from run 1, d from the base
 *     run 1               ..cccc..............
 *     run 2 (base)        dddddddddddddddddddd
 *
 * A run is written by a map_builder (any order) or a map_writer (rising order), and read by a
 * map_cursor; map_chunk.h has the exact coding of a chunk; map_digest.h lets a whole stream be
 * found by its digest.
 */
#ifndef REPO_MAP_H
#define REPO_MAP_H

#include "format.h"
#include "pack_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct repo;
struct meta_writer;
struct json_object;

#define MAP_UNITS_MAX (UINT64_C(1) << 48) /* no map has more */

/* Units [start, start + count) lie in chunks [ordinal, ordinal + count) of the pack; pack PACK_NONE: they are zero. */
struct map_extent {
    uint64_t start;
    uint64_t count;
    uint32_t pack;    /* number in the repository's pack table */
    uint32_t ordinal; /* of the first chunk in the pack */
};

/* Where the chunks of a run lie: consecutive chunks of one meta pack. */
struct map_span {
    uint32_t pack;
    uint32_t ordinal;
    uint32_t count;
};

struct map_run {
    struct map_span *spans;
    size_t span_count;
    uint64_t extents; /* how many in all */
    uint64_t units;   /* how many units they cover */
};

struct map {
    struct map_run *runs; /* newest first */
    size_t run_count;
};

#define MAP_RUNS_MAX  64u /* a reader refuses more */
#define MAP_RUNS_LEFT 16u /* a writer leaves no more */

/* INVALID unless start + count is at most MAP_UNITS_MAX, and ordinal + count of data at most FORMAT_PACK_CHUNKS_MAX. */
int map_extent_check(const struct map_extent *extent, struct firn_error **err);
/* Whether right goes on exactly where left ends, in units and in the pack; then left becomes both. */
bool map_extent_join(struct map_extent *left, const struct map_extent *right);

void map_free(struct map *map); /* what it holds, not itself */
void map_copy(struct map *out, const struct map *map);
void map_run_free(struct map_run *run);
/* Whether both are the same chunks, so that they say the same. */
bool map_run_same(const struct map_run *a, const struct map_run *b);
/* Whether the numbers of a run that was read from somewhere agree with each other. */
bool map_run_plausible(const struct map_run *run);
/* As in a snapshot: [{"spans":[["PACK",ordinal,count],…],"extents":n,"units":n},…]. Parsing checks everything (CORRUPT). */
struct json_object *map_to_json(struct repo *repo, const struct map *map);
int map_from_json(struct repo *repo, struct json_object *json, struct map *out,
                  struct firn_error **err);

/* Puts `run` (taken, also on error) above `map` (in place). When there are more than MAP_RUNS_LEFT
 * then, the newest few are merged into one, written through meta; all of them, when they hide a good
 * part of the base (docs/repository-format.md, "Overlays and merging"). A run without extents is
 * dropped. On error the map is as it was. */
int map_push_take(struct repo *repo, struct meta_writer *meta, struct map *map, struct map_run *run,
                  struct firn_error **err);

#endif
