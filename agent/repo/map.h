/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps: where the units of an object lie. A unit is a block of a volume (number = offset / FORMAT_BLOCK_SIZE) or a chunk of a
 * stream (number = its place in the sequence).
 *
 * A map is a list of runs, newest first. A run is a sorted list of extents, cut into chunks of class meta that can each be
 * decoded alone. What a newer run says hides what older runs say; what no run mentions is zero.
 *
 *     run 0 (newest)      ....AAAA......BB....          resolve: A B from run 0, c from run 1, d from the base
 *     run 1               ..cccc..............
 *     run 2 (base)        dddddddddddddddddddd
 *
 * A map chunk (all integers little-endian; v: LEB128):
 *     u8 version = 1 | v packs | packs × id(16) | v extents | extents × { v gap, v tag, [v pack], [v ordinal], }
 * The exact coding is in docs/repository-format.md. It must cost 2 to 4 bytes for an extent that follows its neighbour in the
 * same pack.
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

void map_free(struct map *map); /* what it holds, not itself */
void map_copy(struct map *out, const struct map *map);
void map_run_free(struct map_run *run);
/* As in a snapshot: [{"spans":[["PACK",ordinal,count],…],"extents":n,"units":n},…]. Parsing checks everything (CORRUPT). */
struct json_object *map_to_json(struct repo *repo, const struct map *map);
int map_from_json(struct repo *repo, struct json_object *json, struct map *out, struct firn_error **err);

/* ---- codec of one chunk, for both sides and the fuzzer */
#define MAP_CHUNK_RAW (256u * 1024u) /* a writer closes a chunk at this size */
struct buf;
/* Encodes as many extents (sorted, not overlapping) as fit; *used says how many. ids come from the table. */
int map_chunk_encode(struct pack_table *table, const struct map_extent *extents, size_t count, size_t *used,
                     struct buf *out, struct firn_error **err);
/* Decodes into *out (count elements, the caller's). Everything is checked: order, overlap, overflow, pack indexes. CORRUPT. */
int map_chunk_decode(struct pack_table *table, const void *data, size_t length, struct map_extent **out, size_t *count,
                     struct firn_error **err);

/* ---- building a run: extents in any order, each unit at most once; memory bounded (it spills runs and merges them) */
struct map_builder;
/* kind: FORMAT_CHUNK_MAP, or FORMAT_CHUNK_DIGEST with the fingerprint under which the first chunk is to be found. */
int map_builder_new(struct repo *repo, struct meta_writer *meta, enum format_chunk kind, const uint8_t *fingerprint,
                    struct map_builder **out, struct firn_error **err);
int map_builder_add(struct map_builder *builder, const struct map_extent *extent, struct firn_error **err);
/* The finished run; frees the builder, also on error. A run without extents has no spans. */
int map_builder_finish(struct map_builder *builder, struct map_run *out, struct firn_error **err);
void map_builder_free(struct map_builder *builder);

/* ---- resolving: the extents of a map in rising order, overlays applied; memory: two chunks a run */
struct map_cursor;
/* Begins at unit `start`. */
int map_cursor_open(struct repo *repo, const struct map *map, uint64_t start, struct map_cursor **out,
                    struct firn_error **err);
/* 1: an extent, cut to what is visible; gaps (zero) are not reported, nor are hidden parts; explicit zeros come as
 * PACK_NONE. 0: the end. */
int map_cursor_next(struct map_cursor *cursor, struct map_extent *out, struct firn_error **err);
void map_cursor_free(struct map_cursor *cursor);

/* Puts `run` (taken) above `map` (in place); when the overlays together exceed a quarter of the base's extents, or there are
 * more than sixteen runs, all are merged into one new base, written through meta. */
int map_push_take(struct repo *repo, struct meta_writer *meta, struct map *map, struct map_run *run,
                  struct firn_error **err);

#endif
