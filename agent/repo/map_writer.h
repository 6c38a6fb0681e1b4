/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map writer: writes one run from extents in rising order. Extents that go on where the last one
 * ended are joined. Memory: one chunk. One thread at a time.
 */
#ifndef REPO_MAP_WRITER_H
#define REPO_MAP_WRITER_H

#include "map.h"

#include <stdint.h>

struct firn_error;
struct map_writer;
struct meta_writer;
struct repo;

/* repo and meta are borrowed until the writer is finished or freed. */
struct map_writer *map_writer_new(struct repo *repo, struct meta_writer *meta);
void map_writer_free(struct map_writer *writer); /* gives up; NULL is fine */
/* INVALID if it begins before map_writer_end(), or is no valid extent. */
int map_writer_add(struct map_writer *writer, const struct map_extent *extent,
                   struct firn_error **err);
/* The first unit behind everything added so far. */
uint64_t map_writer_end(const struct map_writer *writer);
/* The finished run; frees the writer, also on error. A run without extents has no spans. */
int map_writer_finish(struct map_writer *writer, struct map_run *out, struct firn_error **err);

#endif
