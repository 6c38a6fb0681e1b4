/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map builder: makes a run of extents that come in any order, each unit at most once. Memory is
 * bounded: a batch that is full is sorted, and all but its end goes to the run; what then arrives
 * too late for that run begins another one, and finishing merges them. One thread at a time.
 */
#ifndef REPO_MAP_BUILDER_H
#define REPO_MAP_BUILDER_H

#include "map.h"

struct firn_error;
struct map_builder;
struct meta_writer;
struct repo;

/* repo and meta are borrowed until the builder is finished or freed. */
struct map_builder *map_builder_new(struct repo *repo, struct meta_writer *meta);
void map_builder_free(struct map_builder *builder); /* gives up; NULL is fine */
/* INVALID if it is no valid extent; that it overlaps another may show now or only when finishing. */
int map_builder_add(struct map_builder *builder, const struct map_extent *extent,
                    struct firn_error **err);
/* The finished run; frees the builder, also on error. A run without extents has no spans. INVALID: extents overlap. */
int map_builder_finish(struct map_builder *builder, struct map_run *out, struct firn_error **err);

#endif
