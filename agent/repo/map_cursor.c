/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map cursor: one lane a run, each holding the extent of its run that ends behind the position.
 * What is visible at the position is the extent of the newest lane that covers it, up to its end or
 * to where a newer lane begins.
 *
 *     position      v
 *     lane 0        .   AAAA     begins later: cuts lane 1 short
 *     lane 1      bbbbbbbbb      visible
 *     lane 2      cccccccccccc   hidden for now
 */
#include "map_cursor.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "map_chunk.h"
#include "meta.h"
#include "repo.h"

struct lane {
    const struct map_run *run;
    uint64_t chunk_count;
    uint64_t next_chunk;
    size_t span;         /* the one that next_chunk lies in, and … */
    uint64_t span_first; /* … its first chunk */
    struct buf chunk;
    struct map_decoder *decoder; /* NULL: no chunk is open */
    struct map_extent extent;    /* count 0: the run has ended */
    uint64_t end;                /* of what was decoded so far */
    bool salvage;                /* go on behind damage … */
    struct map_extent behind;    /* … with this extent; count 0: none */
};

struct map_cursor {
    struct repo *repo;
    uint64_t position;
    size_t lane_count;
    struct lane lanes[];
};

static uint64_t end_of(const struct map_extent *extent)
{
    return extent->start + extent->count;
}

/* Opens chunk `number` of the lane's run. */
static int open_chunk(struct repo *repo, struct lane *lane, uint64_t number,
                      struct firn_error **err)
{
    if (number < lane->span_first) {
        lane->span = 0;
        lane->span_first = 0;
    }
    while (number - lane->span_first >= lane->run->spans[lane->span].count)
        lane->span_first += lane->run->spans[lane->span++].count;
    const struct map_span *span = &lane->run->spans[lane->span];
    map_decoder_free(steal(lane->decoder));
    buf_reset(&lane->chunk);
    uint32_t ordinal = span->ordinal + (uint32_t)(number - lane->span_first);
    if (meta_read(repo, span->pack, ordinal, &lane->chunk, err) < 0 ||
        map_decoder_open(repo->packs, lane->chunk.data, lane->chunk.length, &lane->decoder, err) <
            0)
        return wrap(err, "chunk %llu of a map", (unsigned long long)number);
    lane->next_chunk = number + 1;
    return 0;
}

/* The first extent of the lane's next chunk that can be read and rises: 1; 0: there is none. */
static int next_readable(struct repo *repo, struct lane *lane, struct map_extent *first,
                         struct firn_error **err)
{
    while (lane->next_chunk < lane->chunk_count) {
        auto_error struct firn_error *why = NULL;
        uint64_t number = lane->next_chunk;
        if (open_chunk(repo, lane, number, &why) == 0 &&
            map_decoder_next(lane->decoder, first, &why) > 0 && first->start >= lane->end)
            return 1;
        if (why != NULL && error_code(why) != FIRN_CORRUPT && error_code(why) != FIRN_NOTFOUND)
            return fail(err, error_code(why), "%s", error_message(why));
        lane->next_chunk = number + 1;
    }
    return 0;
}

/* Makes what a damaged chunk may have said the lane's extent. */
static int skip_damage(struct repo *repo, struct lane *lane, struct firn_error **err)
{
    struct map_extent first = {.start = MAP_UNITS_MAX};
    map_decoder_free(steal(lane->decoder));
    int found = next_readable(repo, lane, &first, err);
    if (found < 0)
        return -1;
    if (found == 0)
        map_decoder_free(steal(lane->decoder));
    lane->behind = found > 0 ? first : (struct map_extent){0};
    lane->extent = (struct map_extent){
        .start = lane->end, .count = first.start - lane->end, .pack = PACK_LOST};
    if (lane->extent.count == 0) {
        lane->extent = lane->behind;
        lane->behind.count = 0;
    }
    lane->end = end_of(&lane->extent);
    return 0;
}

static int advance_whole(struct repo *repo, struct lane *lane, struct firn_error **err)
{
    int more = 0;
    lane->extent.count = 0;
    while (lane->decoder != NULL &&
           (more = map_decoder_next(lane->decoder, &lane->extent, err)) == 0) {
        map_decoder_free(steal(lane->decoder));
        if (lane->next_chunk < lane->chunk_count &&
            open_chunk(repo, lane, lane->next_chunk, err) < 0)
            return -1;
    }
    if (more <= 0)
        return more;
    if (lane->extent.start < lane->end)
        return fail(err, FIRN_CORRUPT, "map: its chunks are out of order at unit %llu",
                    (unsigned long long)lane->extent.start);
    lane->end = end_of(&lane->extent);
    return 0;
}

static int advance(struct repo *repo, struct lane *lane, struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    if (lane->behind.count > 0) {
        lane->extent = lane->behind;
        lane->behind.count = 0;
        lane->end = end_of(&lane->extent);
        return 0;
    }
    if (advance_whole(repo, lane, &why) == 0)
        return 0;
    if (lane->salvage && (error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND))
        return skip_damage(repo, lane, err);
    return fail(err, error_code(why), "%s", error_message(why));
}

/* Whether the chunk begins at or before the unit; it is open then. */
static int begins_before(struct repo *repo, struct lane *lane, uint64_t chunk, uint64_t unit,
                         bool *before, struct firn_error **err)
{
    struct map_extent first;
    if (open_chunk(repo, lane, chunk, err) < 0 || map_decoder_next(lane->decoder, &first, err) < 0)
        return -1;
    *before = first.start <= unit;
    return 0;
}

/* Opens the last chunk in [low, high) that begins at or before start; low, if none does. */
static int seek_chunk(struct repo *repo, struct lane *lane, uint64_t low, uint64_t high,
                      uint64_t start, struct firn_error **err)
{
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        bool before = false;
        if (begins_before(repo, lane, middle, start, &before, err) < 0)
            return -1;
        if (before)
            low = middle;
        else
            high = middle;
    }
    return open_chunk(repo, lane, low, err);
}

static int open_lane(struct repo *repo, const struct map_run *run, uint64_t start,
                     struct lane *lane, struct firn_error **err)
{
    *lane = (struct lane){.run = run, .chunk = buf_new(FORMAT_CHUNK_MAX)};
    for (size_t i = 0; i < run->span_count; i++)
        lane->chunk_count += run->spans[i].count;
    if (lane->chunk_count == 0)
        return 0;
    if (start == 0)
        return open_chunk(repo, lane, 0, err) < 0 ? -1 : advance(repo, lane, err);
    if (seek_chunk(repo, lane, 0, lane->chunk_count, start, err) < 0 ||
        advance(repo, lane, err) < 0)
        return -1;
    return 0;
}

static int open_salvage_lane(struct repo *repo, const struct map_run *run, struct lane *lane,
                             struct firn_error **err)
{
    *lane = (struct lane){.run = run, .chunk = buf_new(FORMAT_CHUNK_MAX), .salvage = true};
    for (size_t i = 0; i < run->span_count; i++)
        lane->chunk_count += run->spans[i].count;
    auto_error struct firn_error *why = NULL;
    if (lane->chunk_count == 0)
        return 0;
    return open_chunk(repo, lane, 0, &why) == 0 ? advance(repo, lane, err)
                                                : skip_damage(repo, lane, err);
}

static struct map_cursor *cursor_new_for(struct repo *repo, const struct map *map, uint64_t start)
{
    struct map_cursor *cursor =
        mem_zalloc(sizeof(*cursor) + map->run_count * sizeof(cursor->lanes[0]));
    cursor->repo = repo;
    cursor->position = start;
    return cursor;
}

static int check_runs(const struct map *map, struct firn_error **err)
{
    if (map->run_count > MAP_RUNS_MAX)
        return fail(err, FIRN_CORRUPT, "map: %zu runs, more than %u", map->run_count, MAP_RUNS_MAX);
    return 0;
}

int map_cursor_open(struct repo *repo, const struct map *map, uint64_t start,
                    struct map_cursor **out, struct firn_error **err)
{
    if (check_runs(map, err) < 0)
        return -1;
    struct map_cursor *cursor = cursor_new_for(repo, map, start);
    for (size_t i = 0; i < map->run_count; i++) {
        cursor->lane_count = i + 1;
        if (open_lane(repo, &map->runs[i], start, &cursor->lanes[i], err) < 0) {
            map_cursor_free(cursor);
            return -1;
        }
    }
    *out = cursor;
    return 0;
}

int map_cursor_open_salvage(struct repo *repo, const struct map *map, struct map_cursor **out,
                            struct firn_error **err)
{
    if (check_runs(map, err) < 0)
        return -1;
    struct map_cursor *cursor = cursor_new_for(repo, map, 0);
    for (size_t i = 0; i < map->run_count; i++) {
        cursor->lane_count = i + 1;
        if (open_salvage_lane(repo, &map->runs[i], &cursor->lanes[i], err) < 0) {
            map_cursor_free(cursor);
            return -1;
        }
    }
    *out = cursor;
    return 0;
}

void map_cursor_free(struct map_cursor *cursor)
{
    if (cursor == NULL)
        return;
    for (size_t i = 0; i < cursor->lane_count; i++) {
        map_decoder_free(cursor->lanes[i].decoder);
        buf_free(&cursor->lanes[i].chunk);
    }
    free(cursor);
}

/* Decodes what is left of the open chunk, up to what ends behind the unit: 1; 0: it has no such extent. */
static int skip_in_chunk(struct lane *lane, uint64_t unit, struct firn_error **err)
{
    int more = 1;
    while (more > 0 && end_of(&lane->extent) <= unit)
        more = map_decoder_next(lane->decoder, &lane->extent, err);
    if (more > 0)
        lane->end = end_of(&lane->extent);
    return more;
}

/* Leaps from the next chunk on, twice as far each time: what lies near is found at the cost of what lies between. */
static int leap(struct repo *repo, struct lane *lane, uint64_t unit, struct firn_error **err)
{
    uint64_t low = lane->next_chunk, high = low + 1;
    bool before = true;
    for (uint64_t step = 1; before && high < lane->chunk_count; step *= 2) {
        if (begins_before(repo, lane, high, unit, &before, err) < 0)
            return -1;
        if (before) {
            low = high;
            high = low + 2 * step;
        }
    }
    high = high < lane->chunk_count ? high : lane->chunk_count;
    return seek_chunk(repo, lane, low, high, unit, err) < 0 ? -1 : advance(repo, lane, err);
}

int map_cursor_seek(struct map_cursor *cursor, uint64_t unit, struct firn_error **err)
{
    if (unit > cursor->position)
        cursor->position = unit;
    for (size_t i = 0; i < cursor->lane_count; i++) {
        struct lane *lane = &cursor->lanes[i];
        /* Salvage goes from chunk to chunk: what lies in between may be damaged. */
        if (lane->salvage || lane->extent.count == 0 || end_of(&lane->extent) > unit)
            continue;
        int found = skip_in_chunk(lane, unit, err);
        if (found < 0)
            return -1;
        if (found == 0) {
            lane->extent.count = 0;
            if (lane->next_chunk < lane->chunk_count && leap(cursor->repo, lane, unit, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* Looks at all lanes, newest first: the lane that shows at the position (NULL: none), and how far
 * the view reaches: to the end of what shows, or to the nearest beginning that comes before. */
static int look(struct map_cursor *cursor, struct lane **shows, uint64_t *until,
                struct firn_error **err)
{
    *shows = NULL;
    *until = UINT64_MAX;
    for (size_t i = 0; i < cursor->lane_count && *shows == NULL; i++) {
        struct lane *lane = &cursor->lanes[i];
        while (lane->extent.count > 0 && end_of(&lane->extent) <= cursor->position) {
            if (advance(cursor->repo, lane, err) < 0)
                return -1;
        }
        if (lane->extent.count == 0)
            continue;
        bool covers = lane->extent.start <= cursor->position;
        uint64_t border = covers ? end_of(&lane->extent) : lane->extent.start;
        if (border < *until)
            *until = border;
        if (covers)
            *shows = lane;
    }
    return 0;
}

int map_cursor_next(struct map_cursor *cursor, struct map_extent *out, struct firn_error **err)
{
    struct lane *lane = NULL;
    uint64_t until = 0;
    if (look(cursor, &lane, &until, err) < 0)
        return -1;
    if (lane == NULL && until < UINT64_MAX) {
        cursor->position = until; /* a gap: go to where something begins */
        if (look(cursor, &lane, &until, err) < 0)
            return -1;
    }
    if (lane == NULL)
        return 0;
    *out = lane->extent;
    out->start = cursor->position;
    out->count = until - cursor->position;
    if (out->pack != PACK_NONE && out->pack != PACK_LOST)
        out->ordinal += (uint32_t)(cursor->position - lane->extent.start);
    cursor->position = until;
    return 1;
}
