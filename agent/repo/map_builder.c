/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map builder. What is in the batch is sorted and joined when it is full; the lower three
 * quarters then go to the run:
 *
 *     run, written          batch, sorted
 *     AAAA..BBBB.CC         .DD.E.FFF.. | G..HH     behind the bar: stays, because neighbours may still arrive
 *
 * Workers that finish a little out of order thus never make a second run; a source that jumps does.
 */
#include "map_builder.h"

#include "core/error.h"
#include "core/mem.h"
#include "map_cursor.h"
#include "map_writer.h"

#include <string.h>

#define BATCH_FIRST 1024u
#define BATCH_MAX   (128u * 1024u) /* 3 MiB */

struct map_builder {
    struct repo *repo;
    struct meta_writer *meta;
    struct map_extent *batch;
    size_t count, capacity;
    struct map_writer *writer; /* of the run that grows; NULL: none yet */
    struct map spilled;        /* finished runs, disjoint */
};

struct map_builder *map_builder_new(struct repo *repo, struct meta_writer *meta)
{
    struct map_builder *builder = mem_zalloc(sizeof(*builder));
    builder->repo = repo;
    builder->meta = meta;
    return builder;
}

void map_builder_free(struct map_builder *builder)
{
    if (builder == NULL)
        return;
    map_writer_free(builder->writer);
    map_free(&builder->spilled);
    free(builder->batch);
    free(builder);
}

static int by_start(const void *a, const void *b)
{
    const struct map_extent *left = a, *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

static bool in_order(const struct map_extent *extents, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (extents[i].start < extents[i - 1].start)
            return false;
    }
    return true;
}

/* Sorts the batch and joins what belongs together. */
static void settle(struct map_builder *builder)
{
    struct map_extent *batch = builder->batch;
    if (!in_order(batch, builder->count))
        qsort(batch, builder->count, sizeof(*batch), by_start);
    size_t kept = 0;
    for (size_t i = 0; i < builder->count; i++) {
        if (kept == 0 || !map_extent_join(&batch[kept - 1], &batch[i]))
            batch[kept++] = batch[i];
    }
    builder->count = kept;
}

static void keep_run_take(struct map_builder *builder, struct map_run *run)
{
    struct map *spilled = &builder->spilled;
    spilled->runs = mem_resize(spilled->runs, spilled->run_count + 1, sizeof(*spilled->runs));
    spilled->runs[spilled->run_count++] = *run;
    *run = (struct map_run){0};
}

static int end_run(struct map_builder *builder, struct firn_error **err)
{
    if (builder->writer == NULL)
        return 0;
    struct map_run run;
    if (map_writer_finish(steal(builder->writer), &run, err) < 0)
        return -1;
    keep_run_take(builder, &run);
    return 0;
}

static int copy_extents(struct map_cursor *cursor, struct map_writer *writer,
                        struct firn_error **err)
{
    struct map_extent extent;
    int more = 0;
    while ((more = map_cursor_next(cursor, &extent, err)) > 0) {
        if (map_writer_add(writer, &extent, err) < 0)
            return -1;
    }
    return more;
}

/* Makes one run of all that were spilled. Where they overlapped, the one has fewer units than they had together. */
static int merge_spilled(struct map_builder *builder, struct firn_error **err)
{
    uint64_t units = 0;
    for (size_t i = 0; i < builder->spilled.run_count; i++)
        units += builder->spilled.runs[i].units;
    struct map_cursor *cursor = NULL;
    if (map_cursor_open(builder->repo, &builder->spilled, 0, &cursor, err) < 0)
        return -1;
    struct map_writer *writer = map_writer_new(builder->repo, builder->meta);
    int result = copy_extents(cursor, writer, err);
    map_cursor_free(cursor);
    if (result < 0) {
        map_writer_free(writer);
        return -1;
    }
    struct map_run run;
    if (map_writer_finish(writer, &run, err) < 0)
        return -1;
    map_free(&builder->spilled);
    builder->spilled = (struct map){0};
    bool overlap = run.units != units;
    keep_run_take(builder, &run);
    return overlap ? fail(err, FIRN_INVALID, "map: a unit is given twice") : 0;
}

/* Sends the first `count` extents of the settled batch to a run. */
static int spill(struct map_builder *builder, size_t count, struct firn_error **err)
{
    if (count == 0)
        return 0;
    if (builder->writer != NULL && builder->batch[0].start < map_writer_end(builder->writer)) {
        if (end_run(builder, err) < 0)
            return -1;
        if (builder->spilled.run_count == MAP_RUNS_MAX && merge_spilled(builder, err) < 0)
            return -1;
    }
    if (builder->writer == NULL)
        builder->writer = map_writer_new(builder->repo, builder->meta);
    for (size_t i = 0; i < count; i++) {
        if (map_writer_add(builder->writer, &builder->batch[i], err) < 0)
            return -1;
    }
    builder->count -= count;
    memmove(builder->batch, builder->batch + count, builder->count * sizeof(*builder->batch));
    return 0;
}

/* Makes room in a batch that is full. */
static int make_room(struct map_builder *builder, struct firn_error **err)
{
    if (builder->capacity < BATCH_MAX) {
        builder->capacity = builder->capacity == 0 ? BATCH_FIRST : 2 * builder->capacity;
        builder->batch = mem_resize(builder->batch, builder->capacity, sizeof(*builder->batch));
        return 0;
    }
    settle(builder);
    if (builder->count < BATCH_MAX / 2)
        return 0;
    return spill(builder, builder->count / 4 * 3, err);
}

int map_builder_add(struct map_builder *builder, const struct map_extent *extent,
                    struct firn_error **err)
{
    if (map_extent_check(extent, err) < 0)
        return -1;
    if (builder->count > 0 && map_extent_join(&builder->batch[builder->count - 1], extent))
        return 0;
    if (builder->count == builder->capacity && make_room(builder, err) < 0)
        return -1;
    builder->batch[builder->count++] = *extent;
    return 0;
}

static int finish(struct map_builder *builder, struct firn_error **err)
{
    settle(builder);
    if (spill(builder, builder->count, err) < 0 || end_run(builder, err) < 0)
        return -1;
    return builder->spilled.run_count > 1 ? merge_spilled(builder, err) : 0;
}

int map_builder_finish(struct map_builder *builder, struct map_run *out, struct firn_error **err)
{
    int result = finish(builder, err);
    if (result == 0) {
        bool any = builder->spilled.run_count > 0;
        *out = any ? builder->spilled.runs[0] : (struct map_run){0};
        if (any)
            builder->spilled.runs[0] = (struct map_run){0};
    }
    map_builder_free(builder);
    return result;
}
