/* SPDX-License-Identifier: Apache-2.0 */
#include "map_delta.h"

#include "core/error.h"
#include "core/mem.h"
#include "map_cursor.h"

#include <stdbool.h>

struct side {
    struct map_cursor *cursor;
    struct map_extent extent; /* what is left of it; count 0: the map has ended */
    uint64_t units;
};

struct map_delta {
    struct side map, base;
    uint64_t unit;             /* everything below is compared */
    struct map above;          /* the runs that only one of them has; borrows them */
    struct map_cursor *cursor; /* of above; NULL: they share no run, or it has ended */
    struct map_extent mention; /* where they may differ */
    bool shares;               /* older runs */
    struct map_extent pending; /* found, and may go on; count 0: none */
};

static int refill(struct side *side, struct firn_error **err)
{
    if (side->extent.count > 0 || side->cursor == NULL)
        return 0;
    int more = map_cursor_next(side->cursor, &side->extent, err);
    if (more > 0)
        return 0;
    side->extent.count = 0;
    map_cursor_free(steal(side->cursor));
    return more;
}

static void consume(struct side *side, uint64_t count)
{
    side->extent.start += count;
    side->extent.count -= count;
    if (side->extent.pack != PACK_NONE)
        side->extent.ordinal += (uint32_t)count;
}

static bool covers(const struct side *side, uint64_t unit)
{
    return side->extent.count > 0 && side->extent.start <= unit;
}

/* How far, from unit on, a side goes on as it is: to the end of its extent, to the beginning of the next, or to its end. */
static uint64_t reach(const struct side *side, uint64_t unit)
{
    uint64_t most = unit < side->units ? side->units - unit : UINT64_MAX;
    uint64_t far = UINT64_MAX;
    if (covers(side, unit))
        far = side->extent.count;
    else if (side->extent.count > 0)
        far = side->extent.start - unit;
    return far < most ? far : most;
}

/* What the side has at the unit. */
static struct map_extent at(const struct side *side, uint64_t unit, uint64_t count)
{
    if (covers(side, unit) && side->extent.pack != PACK_NONE)
        return (struct map_extent){unit, count, side->extent.pack, side->extent.ordinal};
    return (struct map_extent){unit, count, PACK_NONE, 0};
}

static bool same_place(const struct map_delta *delta, const struct map_extent *ours)
{
    struct map_extent base = at(&delta->base, ours->start, ours->count);
    return ours->start < delta->base.units && ours->pack == base.pack &&
           ours->ordinal == base.ordinal;
}

/* ------------------------------------------------------------------------------------------------ what they share */

static int skip(struct side *side, uint64_t unit, struct firn_error **err)
{
    uint64_t end = side->extent.start + side->extent.count;
    if (side->extent.count > 0 && end > unit) {
        if (side->extent.start < unit)
            consume(side, unit - side->extent.start);
        return 0;
    }
    side->extent.count = 0;
    return side->cursor == NULL ? 0 : map_cursor_seek(side->cursor, unit, err);
}

static int next_mention(struct map_delta *delta, struct firn_error **err)
{
    while (delta->mention.start + delta->mention.count <= delta->unit) {
        int more = delta->cursor == NULL ? 0 : map_cursor_next(delta->cursor, &delta->mention, err);
        if (more < 0)
            return -1;
        if (more == 0)
            delta->mention = (struct map_extent){.start = UINT64_MAX - 1, .count = 1};
    }
    return 0;
}

/* Goes on to where a run that only one of them has says something: in between they are the same. *until: how far that says it. */
static int skip_shared(struct map_delta *delta, uint64_t *until, struct firn_error **err)
{
    *until = UINT64_MAX;
    if (!delta->shares || delta->unit >= delta->base.units)
        return 0;
    if (next_mention(delta, err) < 0)
        return -1;
    uint64_t unit = delta->mention.start;
    unit = unit < delta->base.units ? unit : delta->base.units;
    unit = unit < delta->map.units ? unit : delta->map.units;
    if (unit < delta->base.units)
        *until = delta->mention.start + delta->mention.count;
    if (unit <= delta->unit)
        return 0;
    delta->unit = unit;
    if (unit >= delta->map.units)
        return 0;
    return skip(&delta->map, unit, err) < 0 ? -1 : skip(&delta->base, unit, err);
}

/* ------------------------------------------------------------------------------------------------ comparing */

/* Compares the next stretch in which neither side changes: 1; 0: the end. */
static int compare(struct map_delta *delta, struct map_extent *ours, bool *same,
                   struct firn_error **err)
{
    uint64_t until = 0;
    if (skip_shared(delta, &until, err) < 0)
        return -1;
    if (delta->unit >= delta->map.units)
        return 0;
    if (refill(&delta->map, err) < 0 || refill(&delta->base, err) < 0)
        return -1;
    uint64_t step = reach(&delta->map, delta->unit);
    uint64_t base_reach = reach(&delta->base, delta->unit);
    if (base_reach < step)
        step = base_reach;
    if (until - delta->unit < step)
        step = until - delta->unit;
    *ours = at(&delta->map, delta->unit, step);
    *same = same_place(delta, ours);
    if (covers(&delta->map, delta->unit))
        consume(&delta->map, step);
    if (covers(&delta->base, delta->unit))
        consume(&delta->base, step);
    delta->unit += step;
    return 1;
}

int map_delta_next(struct map_delta *delta, struct map_extent *out, struct firn_error **err)
{
    struct map_extent ours;
    bool same = false;
    int more = 0;
    while ((more = compare(delta, &ours, &same, err)) > 0) {
        if (same || (delta->pending.count > 0 && map_extent_join(&delta->pending, &ours)))
            continue;
        *out = delta->pending;
        delta->pending = ours;
        if (out->count > 0)
            return 1;
    }
    if (more < 0 || delta->pending.count == 0)
        return more;
    *out = delta->pending;
    delta->pending.count = 0;
    return 1;
}

/* Sets aside the runs that both have, oldest first, and reads the others by a cursor of their own. */
static int open_above(struct repo *repo, struct map_delta *delta, const struct map *map,
                      const struct map *base, struct firn_error **err)
{
    size_t ours = map->run_count, theirs = base->run_count;
    while (ours > 0 && theirs > 0 && map_run_same(&map->runs[ours - 1], &base->runs[theirs - 1])) {
        ours--;
        theirs--;
    }
    if (ours == map->run_count || ours + theirs > MAP_RUNS_MAX)
        return 0;
    delta->shares = true;
    delta->above.runs = mem_array(ours + theirs + 1, sizeof(*delta->above.runs));
    for (size_t i = 0; i < ours; i++)
        delta->above.runs[delta->above.run_count++] = map->runs[i];
    for (size_t i = 0; i < theirs; i++)
        delta->above.runs[delta->above.run_count++] = base->runs[i];
    return map_cursor_open(repo, &delta->above, 0, &delta->cursor, err);
}

int map_delta_open(struct repo *repo, struct map_side map, struct map_side base,
                   struct map_delta **out, struct firn_error **err)
{
    struct map_delta *delta = mem_zalloc(sizeof(*delta));
    delta->map.units = map.units;
    delta->base.units = base.units;
    if (open_above(repo, delta, map.map, base.map, err) < 0 ||
        map_cursor_open(repo, map.map, 0, &delta->map.cursor, err) < 0 ||
        map_cursor_open(repo, base.map, 0, &delta->base.cursor, err) < 0) {
        map_delta_free(delta);
        return -1;
    }
    *out = delta;
    return 0;
}

void map_delta_free(struct map_delta *delta)
{
    if (delta == NULL)
        return;
    map_cursor_free(delta->map.cursor);
    map_cursor_free(delta->base.cursor);
    map_cursor_free(delta->cursor);
    free(delta->above.runs);
    free(delta);
}
