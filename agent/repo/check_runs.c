/* SPDX-License-Identifier: Apache-2.0 */
#include "check_runs.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "map_cursor.h"
#include "pack.h"
#include "repo.h"
#include "trailer_cache.h"

#include <string.h>

#define PACKS_TEXT_MAX (256u * 1024u * 1024u)
#define PLACES_LEAST   1024u

struct checked_run {
    const struct map_run *run;
    struct firn_error *damage;
    struct buf packs; /* that it relies on: varints, each the distance to the one before */
    bool marked;
};

/* Pack numbers, each once. */
struct pack_set {
    uint8_t *bits;
    uint32_t limit; /* numbers below this have a bit */
    uint32_t *numbers;
    size_t count, capacity;
};

struct check_runs {
    struct repo *repo;
    check_runs_names *names;
    void *context;
    struct checked_run **places; /* open addressing by hash, linear; NULL: free */
    size_t place_count;          /* a power of two */
    size_t count;
    struct pack_set data;   /* that the run being walked names */
    struct pack_set stated; /* by … */
    uint32_t stated_by;     /* … this meta pack, or PACK_NONE */
};

/* ------------------------------------------------------------------------------------------------ sets */

static bool set_has(const struct pack_set *set, uint32_t pack)
{
    return pack < set->limit && (set->bits[pack / 8] & 1u << pack % 8) != 0;
}

static void set_add(struct pack_set *set, uint32_t pack)
{
    if (set_has(set, pack))
        return;
    if (pack >= set->limit) {
        uint32_t limit = (pack + pack / 2 + 1024) / 8 * 8;
        set->bits = mem_resize(set->bits, limit / 8, 1);
        memset(set->bits + set->limit / 8, 0, (limit - set->limit) / 8);
        set->limit = limit;
    }
    if (set->count == set->capacity) {
        set->capacity = 2 * set->capacity + 256;
        set->numbers = mem_resize(set->numbers, set->capacity, sizeof(*set->numbers));
    }
    set->bits[pack / 8] |= (uint8_t)(1u << pack % 8);
    set->numbers[set->count++] = pack;
}

static void set_clear(struct pack_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        set->bits[set->numbers[i] / 8] = 0;
    set->count = 0;
}

static void set_free(struct pack_set *set)
{
    free(set->bits);
    free(set->numbers);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void write_packs(struct pack_set *set, struct buf *out)
{
    uint32_t last = 0;
    if (set->count > 0)
        qsort(set->numbers, set->count, sizeof(*set->numbers), by_number);
    for (size_t i = 0; i < set->count; i++) {
        buf_varint(out, set->numbers[i] - last);
        last = set->numbers[i];
    }
}

/* ------------------------------------------------------------------------------------------------ walking */

/* Takes the cursor. */
static int walk_cursor(struct check_runs *runs, struct map_cursor *cursor, struct firn_error **err)
{
    struct map_extent extent;
    int more = 0;
    while ((more = cancel_check(err) < 0 ? -1 : map_cursor_next(cursor, &extent, err)) > 0) {
        if (extent.pack == PACK_NONE || extent.pack == PACK_LOST)
            continue;
        set_add(&runs->data, extent.pack);
        runs->names(runs->context, extent.pack, (uint64_t)extent.ordinal + extent.count,
                    FORMAT_DATA);
    }
    map_cursor_free(cursor);
    return more;
}

static int walk_extents(struct check_runs *runs, const struct map_run *run, struct firn_error **err)
{
    struct map map = {.runs = (struct map_run[]){*run}, .run_count = 1};
    struct map_cursor *cursor = NULL;
    if (map_cursor_open(runs->repo, &map, 0, &cursor, err) < 0)
        return -1;
    return walk_cursor(runs, cursor, err);
}

/* Behind damage a run goes on: what it names there is needed, too. */
static int walk_behind(struct check_runs *runs, const struct map_run *run, struct firn_error **err)
{
    struct map map = {.runs = (struct map_run[]){*run}, .run_count = 1};
    struct map_cursor *cursor = NULL;
    if (map_cursor_open_salvage(runs->repo, &map, &cursor, err) < 0)
        return -1;
    return walk_cursor(runs, cursor, err);
}

/* Which packs this meta pack states. Kept for the next run: neighbours lie in the same one. */
static int read_stated(struct check_runs *runs, uint32_t meta_pack, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (runs->stated_by == meta_pack)
        return 0;
    runs->stated_by = PACK_NONE;
    set_clear(&runs->stated);
    if (trailer_hold(runs->repo, meta_pack, &trailer, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < trailer->reference_count; i++) {
        uint32_t number = 0;
        result = pack_table_number(runs->repo->packs, trailer->references[i], &number, err);
        if (result == 0)
            set_add(&runs->stated, number);
    }
    trailer_release(runs->repo, trailer);
    if (result == 0)
        runs->stated_by = meta_pack;
    return result;
}

/* What the meta packs of a run say in the clear must cover what its maps rely on, or a collector would remove it. */
static int check_stated(struct check_runs *runs, const struct map_run *run, struct firn_error **err)
{
    size_t left = runs->data.count;
    auto_free uint32_t *missing = mem_array(left + 1, sizeof(*missing));
    for (size_t i = 0; i < left; i++)
        missing[i] = runs->data.numbers[i];
    for (size_t i = 0; i < run->span_count && left > 0; i++) {
        size_t kept = 0;
        if (read_stated(runs, run->spans[i].pack, err) < 0)
            return -1;
        for (size_t j = 0; j < left; j++)
            if (!set_has(&runs->stated, missing[j]))
                missing[kept++] = missing[j];
        left = kept;
    }
    if (left == 0)
        return 0;
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(runs->repo->packs, missing[0], id);
    pack_name(id, name);
    return fail(err, FIRN_CORRUPT, "its map relies on %s, and no meta pack states that", name);
}

/* -1 only if the store could not be read: damage is kept. */
static int walk(struct check_runs *runs, struct checked_run *checked, struct firn_error **err)
{
    const struct map_run *run = checked->run;
    struct firn_error *why = NULL;
    set_clear(&runs->data);
    int result = walk_extents(runs, run, &why);
    if (result == 0)
        result = check_stated(runs, run, &why);
    for (size_t i = 0; i < run->span_count; i++) {
        const struct map_span *span = &run->spans[i];
        set_add(&runs->data, span->pack);
        runs->names(runs->context, span->pack, (uint64_t)span->ordinal + span->count, FORMAT_META);
    }
    bool damaged = error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND;
    if (result < 0 && damaged && walk_behind(runs, run, err) < 0) {
        error_clear(&why);
        return -1;
    }
    write_packs(&runs->data, &checked->packs);
    if (result < 0 && !damaged) {
        error_set(err, error_code(why), "%s", error_message(why));
        error_clear(&why);
        return -1;
    }
    checked->damage = why;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the table */

struct check_runs *check_runs_new(struct repo *repo, check_runs_names *names, void *context)
{
    struct check_runs *runs = mem_zalloc(sizeof(*runs));
    *runs = (struct check_runs){
        .repo = repo, .names = names, .context = context, .stated_by = PACK_NONE};
    runs->place_count = PLACES_LEAST;
    runs->places = mem_array(runs->place_count, sizeof(struct checked_run *));
    return runs;
}

static void run_free(struct checked_run *checked)
{
    error_clear(&checked->damage);
    buf_free(&checked->packs);
    free(checked);
}

void check_runs_free(struct check_runs *runs)
{
    if (runs == NULL)
        return;
    for (size_t i = 0; i < runs->place_count; i++)
        if (runs->places[i] != NULL)
            run_free(runs->places[i]);
    free(runs->places);
    set_free(&runs->data);
    set_free(&runs->stated);
    free(runs);
}

/* The place of the run, or the free one where it belongs. */
static struct checked_run **place_of(const struct check_runs *runs, const struct map_run *run)
{
    const void *spans = run->span_count == 0 ? (const void *)"" : run->spans;
    size_t at = crypt_crc32c(0, spans, run->span_count * sizeof(*run->spans));
    for (;; at++) {
        struct checked_run **place = &runs->places[at & (runs->place_count - 1)];
        if (*place == NULL || map_run_same((*place)->run, run))
            return place;
    }
}

static void grow(struct check_runs *runs)
{
    struct checked_run **old = runs->places;
    size_t count = runs->place_count;
    if (runs->count < count / 4 * 3)
        return;
    runs->place_count = 2 * count;
    runs->places = mem_array(runs->place_count, sizeof(struct checked_run *));
    for (size_t i = 0; i < count; i++)
        if (old[i] != NULL)
            *place_of(runs, old[i]->run) = old[i];
    free(old);
}

int check_runs_walk(struct check_runs *runs, const struct map_run *run, struct checked_run **out,
                    struct firn_error **err)
{
    grow(runs);
    struct checked_run **place = place_of(runs, run);
    *out = *place;
    if (*place != NULL)
        return 0;
    struct checked_run *checked = mem_zalloc(sizeof(*checked));
    checked->run = run;
    checked->packs = buf_new(PACKS_TEXT_MAX);
    if (walk(runs, checked, err) < 0) {
        run_free(checked);
        return -1;
    }
    *place = *out = checked;
    runs->count++;
    return 0;
}

const struct checked_run *check_runs_find(const struct check_runs *runs, const struct map_run *run)
{
    return *place_of(runs, run);
}

const struct firn_error *checked_run_damage(const struct checked_run *run)
{
    return run->damage;
}

void check_runs_mark(struct check_runs *runs, uint32_t pack)
{
    for (size_t i = 0; i < runs->place_count; i++) {
        struct checked_run *checked = runs->places[i];
        if (checked == NULL)
            continue;
        struct cursor packs = cursor_new(checked->packs.data, checked->packs.length);
        uint64_t number = 0;
        checked->marked = false;
        while (packs.length > 0 && !checked->marked && number <= pack) {
            number += cursor_varint(&packs);
            checked->marked = number == pack;
        }
    }
}

bool checked_run_is_marked(const struct checked_run *run)
{
    return run->marked;
}
