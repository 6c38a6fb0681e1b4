/* SPDX-License-Identifier: Apache-2.0 */
#include "check_reach.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/mem.h"
#include "map_cursor.h"
#include "pack.h"
#include "repo.h"
#include "snapshot.h"
#include "trailer_cache.h"

#include <string.h>

#define SHORT_ID 8

struct need {
    uint32_t chunks; /* a map names chunks below this; 0: no snapshot relies on the pack */
    enum format_class class;
};

struct reach {
    struct repo *repo;
    struct need *needs; /* by pack number */
    uint32_t need_count;
    struct snapshot **snapshots;
    size_t snapshot_count;
    uint8_t **users; /* by snapshot: a bit set of pack numbers */
    uint32_t *user_bits;
    check_finding *finding;
    void *context;
    struct check_result *result;
};

static void grow(struct reach *reach, uint32_t pack)
{
    if (pack < reach->need_count)
        return;
    uint32_t count = pack + 1 + pack / 2 + 64;
    reach->needs = mem_resize(reach->needs, count, sizeof(*reach->needs));
    memset(reach->needs + reach->need_count, 0,
           (count - reach->need_count) * sizeof(*reach->needs));
    reach->need_count = count;
}

static void mark_user(struct reach *reach, size_t snapshot, uint32_t pack)
{
    if (pack >= reach->user_bits[snapshot]) {
        uint32_t bits = (pack + 1 + pack / 2 + 64) / 8 * 8;
        reach->users[snapshot] = mem_resize(reach->users[snapshot], bits / 8, 1);
        memset(reach->users[snapshot] + reach->user_bits[snapshot] / 8, 0,
               (bits - reach->user_bits[snapshot]) / 8);
        reach->user_bits[snapshot] = bits;
    }
    reach->users[snapshot][pack / 8] |= (uint8_t)(1u << pack % 8);
}

static void mark(struct reach *reach, size_t snapshot, uint32_t pack, uint64_t chunks,
                 enum format_class class)
{
    if (pack == PACK_NONE)
        return;
    grow(reach, pack);
    mark_user(reach, snapshot, pack);
    if (reach->needs[pack].chunks < chunks)
        reach->needs[pack].chunks = (uint32_t)chunks;
    reach->needs[pack].class = class;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, FORMAT_ID_LENGTH);
}

/* Takes the packs that this meta pack states out of the set. */
static int take_stated(struct reach *reach, uint32_t meta_pack, uint8_t *set, uint32_t count,
                       struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (trailer_hold(reach->repo, meta_pack, &trailer, err) < 0)
        return -1;
    uint32_t stated = trailer->reference_count;
    auto_free uint8_t *ids = mem_dup(trailer->references, (size_t)stated * FORMAT_ID_LENGTH);
    trailer_release(reach->repo, trailer);
    qsort(ids, stated, FORMAT_ID_LENGTH, by_id);
    for (uint32_t pack = 0; pack < count; pack++) {
        uint8_t id[FORMAT_ID_LENGTH];
        if ((set[pack / 8] & 1u << pack % 8) == 0)
            continue;
        pack_table_id(reach->repo->packs, pack, id);
        if (bsearch(id, ids, stated, FORMAT_ID_LENGTH, by_id) != NULL)
            set[pack / 8] &= (uint8_t) ~(1u << pack % 8);
    }
    return 0;
}

/* What the meta packs of a run say in the clear must cover what its maps rely on (`set`, which is used up), or a collector
 * would remove it. */
static int check_references(struct reach *reach, const struct map *run, uint8_t *set,
                            uint32_t count, struct firn_error **err)
{
    const struct map_run *newest = &run->runs[0];
    for (size_t i = 0; i < newest->span_count; i++) {
        bool again = i > 0 && newest->spans[i].pack == newest->spans[i - 1].pack;
        if (!again && take_stated(reach, newest->spans[i].pack, set, count, err) < 0)
            return -1;
    }
    for (uint32_t pack = 0; pack < count; pack++) {
        if ((set[pack / 8] & 1u << pack % 8) == 0)
            continue;
        uint8_t id[FORMAT_ID_LENGTH];
        char name[PACK_NAME_LENGTH];
        pack_table_id(reach->repo->packs, pack, id);
        pack_name(id, name);
        return fail(err, FIRN_CORRUPT, "its map relies on %s, and no meta pack states that", name);
    }
    return 0;
}

/* Walks one run. A run that two snapshots share is walked for each of them, since both must be named if it is damaged. */
static int walk_run(struct reach *reach, size_t snapshot, const struct map *run,
                    struct firn_error **err)
{
    for (size_t i = 0; i < run->runs[0].span_count; i++) {
        const struct map_span *span = &run->runs[0].spans[i];
        mark(reach, snapshot, span->pack, (uint64_t)span->ordinal + span->count, FORMAT_META);
    }
    struct map_cursor *cursor = NULL;
    if (map_cursor_open(reach->repo, run, 0, &cursor, err) < 0)
        return -1;
    uint32_t bits = 0;
    auto_free uint8_t *used = NULL;
    struct map_extent extent;
    int more = 0;
    while ((more = map_cursor_next(cursor, &extent, err)) > 0) {
        if (extent.pack == PACK_NONE)
            continue;
        mark(reach, snapshot, extent.pack, (uint64_t)extent.ordinal + extent.count, FORMAT_DATA);
        if (extent.pack >= bits) {
            uint32_t count = (extent.pack + 1 + extent.pack / 2 + 64) / 8 * 8;
            used = mem_resize(used, count / 8, 1);
            memset(used + bits / 8, 0, (count - bits) / 8);
            bits = count;
        }
        used[extent.pack / 8] |= (uint8_t)(1u << extent.pack % 8);
    }
    map_cursor_free(cursor);
    return more < 0 ? -1 : check_references(reach, run, used, bits, err);
}

static int walk_object(struct reach *reach, size_t snapshot, const struct snapshot_object *object,
                       struct firn_error **err)
{
    for (size_t i = 0; i < object->map.run_count; i++) {
        struct map one = {.runs = &object->map.runs[i], .run_count = 1};
        if (cancel_check(err) < 0 || walk_run(reach, snapshot, &one, err) < 0)
            return -1;
    }
    return 0;
}

static void found_damaged(void *context, const char *name, const struct firn_error *why)
{
    struct reach *reach = context;
    auto_free char *affected = mem_printf("%.*s", SHORT_ID, strrchr(name, '/') + 1);
    reach->result->findings++;
    reach->finding(reach->context, name, error_message(why), affected);
}

/* Its writer said that it failed: what it lacks is no damage of anything else. */
static void found_late(struct reach *reach, const struct snapshot *snapshot,
                       const struct firn_error *why)
{
    auto_free char *name = mem_printf("snapshots/%s", snapshot->id_text);
    auto_free char *what = mem_printf("it landed too late to be relied on (%s): `firn forget` "
                                      "removes it",
                                      error_message(why));
    auto_free char *affected = mem_printf("%.*s", SHORT_ID, snapshot->id_text);
    reach->result->findings++;
    reach->finding(reach->context, name, what, affected);
}

static int walk_snapshot(struct reach *reach, size_t number, struct firn_error **err)
{
    const struct snapshot *snapshot = reach->snapshots[number];
    for (size_t i = 0; i < snapshot->object_count; i++) {
        struct firn_error *why = NULL;
        if (walk_object(reach, number, &snapshot->objects[i], &why) == 0)
            continue;
        bool damage = error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND;
        if (damage) {
            auto_free char *name = mem_printf("snapshots/%s", snapshot->id_text);
            auto_free char *what =
                mem_printf("%s: %s", snapshot->objects[i].name, error_message(why));
            auto_free char *affected = mem_printf("%.*s", SHORT_ID, snapshot->id_text);
            reach->result->findings++;
            reach->finding(reach->context, name, what, affected);
        } else {
            error_set(err, error_code(why), "%s", error_message(why));
        }
        error_clear(&why);
        if (!damage)
            return -1;
    }
    return 0;
}

int reach_walk(struct repo *repo, check_finding *finding, void *context,
               struct check_result *result, struct reach **out, struct firn_error **err)
{
    struct reach *reach = mem_zalloc(sizeof(*reach));
    *reach = (struct reach){.repo = repo, .finding = finding, .context = context, .result = result};
    int status =
        snapshot_list(repo, found_damaged, reach, &reach->snapshots, &reach->snapshot_count, err);
    if (status == 0) {
        result->snapshots = reach->snapshot_count;
        reach->users = mem_array(reach->snapshot_count, sizeof(*reach->users));
        reach->user_bits = mem_array(reach->snapshot_count, sizeof(*reach->user_bits));
    }
    bool looked = false;
    for (size_t i = 0; status == 0 && i < reach->snapshot_count; i++) {
        auto_error struct firn_error *why = NULL;
        int stands = snapshot_stands(repo, reach->snapshots[i], &looked, &why);
        if (stands < 0)
            status = fail(err, error_code(why), "%s", error_message(why));
        else if (stands == 0)
            found_late(reach, reach->snapshots[i], why);
        else
            status = walk_snapshot(reach, i, err);
    }
    if (status < 0) {
        reach_free(reach);
        return -1;
    }
    *out = reach;
    return 0;
}

void reach_free(struct reach *reach)
{
    if (reach == NULL)
        return;
    for (size_t i = 0; reach->users != NULL && i < reach->snapshot_count; i++)
        free(reach->users[i]);
    snapshot_list_free(reach->snapshots, reach->snapshot_count);
    free(reach->users);
    free(reach->user_bits);
    free(reach->needs);
    free(reach);
}

bool reach_needs(const struct reach *reach, uint32_t pack)
{
    return pack < reach->need_count && reach->needs[pack].chunks > 0;
}

int reach_prove(const struct reach *reach, uint32_t pack, const struct pack_trailer *trailer,
                struct firn_error **err)
{
    if (!reach_needs(reach, pack))
        return 0;
    char name[PACK_NAME_LENGTH];
    pack_name(trailer->id, name);
    const struct need *need = &reach->needs[pack];
    if (trailer->class != need->class || trailer->chunk_count < need->chunks)
        return fail(err, FIRN_CORRUPT, "%s: it has %u chunks, and maps name %u", name,
                    trailer->chunk_count, need->chunks);
    return 0;
}

char *reach_affected(const struct reach *reach, uint32_t pack)
{
    struct buf text = buf_new(65536);
    for (size_t i = 0; i < reach->snapshot_count; i++)
        if (pack < reach->user_bits[i] && (reach->users[i][pack / 8] & 1u << pack % 8) != 0)
            buf_printf(&text, "%s%.*s", text.length == 0 ? "" : " ", SHORT_ID,
                       reach->snapshots[i]->id_text);
    return buf_take(&text);
}
