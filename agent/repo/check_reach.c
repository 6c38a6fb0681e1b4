/* SPDX-License-Identifier: Apache-2.0 */
#include "check_reach.h"

#include "check_runs.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "pack.h"
#include "repo.h"
#include "snapshot.h"

#include <string.h>

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
    struct check_runs *runs;
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

static void add_need(void *context, uint32_t pack, uint64_t chunks, enum format_class class)
{
    struct reach *reach = context;
    grow(reach, pack);
    if (reach->needs[pack].chunks < chunks)
        reach->needs[pack].chunks = (uint32_t)chunks;
    reach->needs[pack].class = class;
}

static void found_damaged(void *context, const char *name, const struct firn_error *why)
{
    struct reach *reach = context;
    auto_free char *affected = mem_printf("%.*s", REACH_SHORT_ID, strrchr(name, '/') + 1);
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
    auto_free char *affected = mem_printf("%.*s", REACH_SHORT_ID, snapshot->id_text);
    reach->result->findings++;
    reach->finding(reach->context, name, what, affected);
}

/* *damage: of the first run that has any; else NULL. */
static int walk_object(struct reach *reach, const struct map *map, const struct firn_error **damage,
                       struct firn_error **err)
{
    *damage = NULL;
    for (size_t i = 0; i < map->run_count; i++) {
        struct checked_run *run = NULL;
        if (check_runs_walk(reach->runs, &map->runs[i], &run, err) < 0)
            return -1;
        if (*damage == NULL)
            *damage = checked_run_damage(run);
    }
    return 0;
}

static int walk_snapshot(struct reach *reach, const struct snapshot *snapshot,
                         struct firn_error **err)
{
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct snapshot_object *object = &snapshot->objects[i];
        const struct firn_error *damage = NULL;
        if (walk_object(reach, &object->map, &damage, err) < 0)
            return -1;
        if (damage == NULL)
            continue;
        auto_free char *name = mem_printf("snapshots/%s", snapshot->id_text);
        auto_free char *what = mem_printf("%s: %s", object->name, error_message(damage));
        auto_free char *affected = mem_printf("%.*s", REACH_SHORT_ID, snapshot->id_text);
        reach->result->findings++;
        reach->finding(reach->context, name, what, affected);
    }
    return 0;
}

static int walk_all(struct reach *reach, struct firn_error **err)
{
    bool looked = false;
    for (size_t i = 0; i < reach->snapshot_count; i++) {
        const struct snapshot *snapshot = reach->snapshots[i];
        auto_error struct firn_error *why = NULL;
        int stands = snapshot_stands(reach->repo, snapshot, &looked, &why);
        if (stands < 0)
            return fail(err, error_code(why), "%s", error_message(why));
        reach->result->snapshots++;
        reach->result->bytes_total += snapshot->bytes_total;
        if (stands == 0)
            found_late(reach, snapshot, why);
        else if (walk_snapshot(reach, snapshot, err) < 0)
            return -1;
    }
    return 0;
}

int reach_walk(struct repo *repo, check_finding *finding, void *context,
               struct check_result *result, struct reach **out, struct firn_error **err)
{
    struct reach *reach = mem_zalloc(sizeof(*reach));
    *reach = (struct reach){.repo = repo, .finding = finding, .context = context, .result = result};
    reach->runs = check_runs_new(repo, add_need, reach);
    int status =
        snapshot_list(repo, found_damaged, reach, &reach->snapshots, &reach->snapshot_count, err);
    if (status == 0)
        status = walk_all(reach, err);
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
    check_runs_free(reach->runs);
    snapshot_list_free(reach->snapshots, reach->snapshot_count);
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

static bool is_affected(const struct reach *reach, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct map *map = &snapshot->objects[i].map;
        for (size_t j = 0; j < map->run_count; j++) {
            const struct checked_run *run = check_runs_find(reach->runs, &map->runs[j]);
            if (run != NULL && checked_run_is_marked(run))
                return true;
        }
    }
    return false;
}

char *reach_affected(struct reach *reach, uint32_t pack)
{
    struct buf text = buf_new(65536);
    check_runs_mark(reach->runs, pack);
    for (size_t i = 0; i < reach->snapshot_count; i++)
        if (is_affected(reach, reach->snapshots[i]))
            buf_printf(&text, "%s%.*s", text.length == 0 ? "" : " ", REACH_SHORT_ID,
                       reach->snapshots[i]->id_text);
    return buf_take(&text);
}

struct snapshot *const *reach_snapshots(const struct reach *reach, size_t *count)
{
    *count = reach->snapshot_count;
    return reach->snapshots;
}
