/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps: what they hold, their JSON, and when their runs are merged.
 */
#include "map.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "map_cursor.h"
#include "map_writer.h"
#include "repo.h"

int map_extent_check(const struct map_extent *extent, struct firn_error **err)
{
    bool in_map = extent->count > 0 && extent->start < MAP_UNITS_MAX &&
                  extent->count <= MAP_UNITS_MAX - extent->start;
    if (!in_map)
        return fail(err, FIRN_INVALID, "map: units %llu + %llu are no extent",
                    (unsigned long long)extent->start, (unsigned long long)extent->count);
    bool in_pack =
        extent->pack == PACK_NONE || (extent->ordinal < FORMAT_PACK_CHUNKS_MAX &&
                                      extent->count <= FORMAT_PACK_CHUNKS_MAX - extent->ordinal);
    if (!in_pack)
        return fail(err, FIRN_INVALID, "map: chunks %u + %llu are in no pack", extent->ordinal,
                    (unsigned long long)extent->count);
    return 0;
}

bool map_extent_join(struct map_extent *left, const struct map_extent *right)
{
    bool follows =
        left->count > 0 && left->pack == right->pack && left->start + left->count == right->start;
    if (!follows || (left->pack != PACK_NONE && left->ordinal + left->count != right->ordinal))
        return false;
    left->count += right->count;
    return true;
}

bool map_run_plausible(const struct map_run *run)
{
    uint64_t chunks = 0;
    for (size_t i = 0; i < run->span_count; i++)
        chunks += run->spans[i].count;
    return run->units <= MAP_UNITS_MAX && run->extents <= run->units && chunks <= run->extents &&
           (chunks == 0) == (run->extents == 0);
}

bool map_run_same(const struct map_run *a, const struct map_run *b)
{
    return a->extents == b->extents && a->units == b->units && a->span_count == b->span_count &&
           (a->span_count == 0 ||
            memcmp(a->spans, b->spans, a->span_count * sizeof(*a->spans)) == 0);
}

/* ------------------------------------------------------------------------------------------------ ownership */

void map_run_free(struct map_run *run)
{
    free(run->spans);
    *run = (struct map_run){0};
}

void map_free(struct map *map)
{
    for (size_t i = 0; i < map->run_count; i++)
        map_run_free(&map->runs[i]);
    free(map->runs);
    *map = (struct map){0};
}

void map_copy(struct map *out, const struct map *map)
{
    out->run_count = map->run_count;
    out->runs =
        map->run_count == 0 ? NULL : mem_dup(map->runs, map->run_count * sizeof(*map->runs));
    for (size_t i = 0; i < map->run_count; i++) {
        const struct map_run *run = &map->runs[i];
        out->runs[i].spans = run->span_count == 0
                                 ? NULL
                                 : mem_dup(run->spans, run->span_count * sizeof(*run->spans));
    }
}

/* ------------------------------------------------------------------------------------------------ JSON */

static struct json_object *span_to_json(struct repo *repo, const struct map_span *span)
{
    uint8_t id[FORMAT_ID_LENGTH];
    char text[FORMAT_ID_TEXT];
    pack_table_id(repo->packs, span->pack, id);
    hex_encode(id, sizeof(id), text);
    struct json_object *json = json_object_new_array_ext(3);
    json_object_array_add(json, json_object_new_string(text));
    json_object_array_add(json, json_object_new_int64(span->ordinal));
    json_object_array_add(json, json_object_new_int64(span->count));
    return json;
}

static struct json_object *run_to_json(struct repo *repo, const struct map_run *run)
{
    struct json_object *spans = json_object_new_array();
    for (size_t i = 0; i < run->span_count; i++)
        json_object_array_add(spans, span_to_json(repo, &run->spans[i]));
    struct json_object *json = json_object_new_object();
    json_set_take(json, "spans", spans);
    json_set_uint(json, "extents", run->extents);
    json_set_uint(json, "units", run->units);
    return json;
}

struct json_object *map_to_json(struct repo *repo, const struct map *map)
{
    struct json_object *json = json_object_new_array();
    for (size_t i = 0; i < map->run_count; i++)
        json_object_array_add(json, run_to_json(repo, &map->runs[i]));
    return json;
}

static int malformed(const char *what, struct firn_error **err)
{
    return fail(err, FIRN_CORRUPT, "map: %s", what);
}

static int span_from_json(struct repo *repo, struct json_object *json, struct map_span *out,
                          struct firn_error **err)
{
    const char *text = NULL;
    uint64_t ordinal = 0, count = 0;
    uint8_t id[FORMAT_ID_LENGTH];
    if (json_get_string(json, "0", &text, NULL) < 0 || strlen(text) != FORMAT_ID_TEXT - 1 ||
        !hex_decode(text, id, sizeof(id)))
        return malformed("a span names no pack", err);
    if (json_get_uint(json, "1", &ordinal, NULL) < 0 ||
        json_get_uint(json, "2", &count, NULL) < 0 || count == 0 ||
        ordinal >= FORMAT_PACK_CHUNKS_MAX || count > FORMAT_PACK_CHUNKS_MAX - ordinal)
        return malformed("a span names no chunks of a pack", err);
    out->ordinal = (uint32_t)ordinal;
    out->count = (uint32_t)count;
    return pack_table_number(repo->packs, id, &out->pack, err);
}

static int spans_from_json(struct repo *repo, struct json_object *json, struct map_run *out,
                           struct firn_error **err)
{
    struct json_object *spans = NULL;
    if (json_get_array(json, "spans", &spans, NULL) < 0)
        return malformed("a run has no spans", err);
    size_t count = json_object_array_length(spans);
    out->spans = mem_array(count + 1, sizeof(*out->spans));
    for (size_t i = 0; i < count; i++) {
        if (span_from_json(repo, json_object_array_get_idx(spans, i), &out->spans[i], err) < 0)
            return -1;
        out->span_count = i + 1;
    }
    return 0;
}

static int run_from_json(struct repo *repo, struct json_object *json, struct map_run *out,
                         struct firn_error **err)
{
    if (spans_from_json(repo, json, out, err) < 0)
        return -1;
    if (json_get_uint(json, "extents", &out->extents, NULL) < 0 ||
        json_get_uint(json, "units", &out->units, NULL) < 0)
        return malformed("a run does not say how much it holds", err);
    return map_run_plausible(out) ? 0 : malformed("a run's numbers contradict each other", err);
}

int map_from_json(struct repo *repo, struct json_object *json, struct map *out,
                  struct firn_error **err)
{
    if (!json_object_is_type(json, json_type_array))
        return malformed("is no list of runs", err);
    size_t count = json_object_array_length(json);
    if (count > MAP_RUNS_MAX)
        return malformed("has too many runs", err);
    struct map map = {.runs = mem_array(count + 1, sizeof(*map.runs)), .run_count = count};
    for (size_t i = 0; i < count; i++) {
        if (run_from_json(repo, json_object_array_get_idx(json, i), &map.runs[i], err) < 0) {
            map_free(&map);
            return -1;
        }
    }
    *out = map;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ merging */

#define HIDDEN_UNITS 4u /* an extent may be written for so many units that it lets go */

/* What merging everything would write, at most. A change in the middle of an extent of the base cuts it in two. */
static uint64_t extents_of_all(const struct map *map)
{
    uint64_t overlays = 0;
    for (size_t i = 0; i + 1 < map->run_count; i++)
        overlays += map->runs[i].extents;
    return map->runs[map->run_count - 1].extents + 2 * overlays;
}

/* What overlays hide stays in the repository as long as the base names it. So the base is renewed when that costs little for
 * what it lets go, and when all of it may be hidden. Overlays that name the same units again and again hide less than their
 * sum: unless one of them is most of it, they are merged first, and the sum is seen to be less. */
static size_t merge_hidden(const struct map *map)
{
    uint64_t sum = 0, largest = 0;
    for (size_t i = 0; i + 1 < map->run_count; i++) {
        sum += map->runs[i].units;
        largest = map->runs[i].units > largest ? map->runs[i].units : largest;
    }
    if (sum >= map->runs[map->run_count - 1].units)
        return map->run_count;
    if (sum / HIDDEN_UNITS < extents_of_all(map))
        return 0;
    return largest >= sum / 2 ? map->run_count : map->run_count - 1;
}

/* Merging j runs costs their extents and makes room for j - 1 more. If those are merged again as soon as there is no room, one
 * less fits the next time, and so on: j (j - 1) / 2 captures before what was merged now is merged again. */
static size_t merge_for_room(const struct map *map)
{
    uint64_t extents = map->runs[0].extents;
    size_t best = 0;
    double least = 0;
    for (size_t j = 2; j <= map->run_count; j++) {
        extents += map->runs[j - 1].extents;
        uint64_t written = j == map->run_count ? extents_of_all(map) : extents;
        double cost = (double)written / (double)(j * (j - 1));
        if (best != 0 && cost > least)
            continue;
        best = j;
        least = cost;
    }
    return best;
}

/* How many of the newest runs are to become one. */
static size_t choose_merge(const struct map *map)
{
    if (map->run_count < 2)
        return 0;
    size_t hidden = merge_hidden(map);
    if (hidden > 0)
        return hidden;
    return map->run_count > MAP_RUNS_LEFT ? merge_for_room(map) : 0;
}

/* Explicit zeros hide what lies below: where nothing does, they are left out. */
static int copy_visible(struct map_cursor *cursor, struct map_writer *writer, size_t runs_below,
                        struct firn_error **err)
{
    struct map_extent extent;
    int more = 0;
    while ((more = map_cursor_next(cursor, &extent, err)) > 0) {
        bool says_nothing = extent.pack == PACK_NONE && runs_below == 0;
        if (!says_nothing && map_writer_add(writer, &extent, err) < 0)
            return -1;
    }
    return more;
}

/* Writes a run that says what the newest `count` runs say. */
static int merge(struct repo *repo, struct meta_writer *meta, const struct map *map, size_t count,
                 struct map_run *out, struct firn_error **err)
{
    const struct map newest = {.runs = map->runs, .run_count = count};
    struct map_cursor *cursor = NULL;
    if (map_cursor_open(repo, &newest, 0, &cursor, err) < 0)
        return -1;
    struct map_writer *writer = map_writer_new(repo, meta);
    int result = copy_visible(cursor, writer, map->run_count - count, err);
    map_cursor_free(cursor);
    if (result < 0) {
        map_writer_free(writer);
        return -1;
    }
    return map_writer_finish(writer, out, err);
}

/* Puts one run, if it says anything, in the place of the newest `count`. */
static void replace_take(struct map *map, size_t count, struct map_run *run)
{
    size_t kept = run->extents > 0 ? 1 : 0;
    for (size_t i = 0; i < count; i++)
        map_run_free(&map->runs[i]);
    memmove(map->runs + kept, map->runs + count, (map->run_count - count) * sizeof(*map->runs));
    map->run_count -= count - kept;
    if (kept > 0)
        map->runs[0] = *run;
    else
        map_run_free(run);
    *run = (struct map_run){0};
}

static void push_take(struct map *map, struct map_run *run)
{
    map->runs = mem_resize(map->runs, map->run_count + 1, sizeof(*map->runs));
    memmove(map->runs + 1, map->runs, map->run_count * sizeof(*map->runs));
    map->runs[0] = *run;
    map->run_count++;
    *run = (struct map_run){0};
}

int map_push_take(struct repo *repo, struct meta_writer *meta, struct map *map, struct map_run *run,
                  struct firn_error **err)
{
    struct map_run merged = {0};
    if (run->extents == 0) {
        map_run_free(run);
        return 0;
    }
    push_take(map, run);
    size_t count = choose_merge(map);
    if (count == 0)
        return 0;
    if (merge(repo, meta, map, count, &merged, err) < 0) {
        replace_take(map, 1, &merged);
        return -1;
    }
    replace_take(map, count, &merged);
    return 0;
}
