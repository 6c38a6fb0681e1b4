/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a snapshot can be built on. Costs the trailers of its meta packs, whatever the size of its maps: what they state to
 * rely on must be there.
 */
#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "gate.h"
#include "map_cursor.h"
#include "pack.h"
#include "repo.h"
#include "snapshot.h"
#include "store/store.h"
#include "trailer_cache.h"

/* A pack that was not there when packs were listed may be of a writer that was faster. */
static int check_pack(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH],
                      struct firn_error **err)
{
    uint32_t number = 0;
    uint64_t length = 0;
    char name[PACK_NAME_LENGTH];
    if (pack_table_number(repo->packs, id, &number, err) < 0)
        return -1;
    if (gate_allows(repo, number))
        return 0;
    pack_name(id, name);
    if (gate_names(repo, id))
        return fail(err, FIRN_CORRUPT, "%s is being collected", name);
    if (pack_table_damaged(repo->packs, number))
        return fail(err, FIRN_CORRUPT, "%s is damaged", name);
    auto_error struct firn_error *why = NULL;
    if (store_stat(repo->store, name, &length, NULL, &why) == 0) {
        pack_table_set_present(repo->packs, number);
        return 0;
    }
    if (error_code(why) == FIRN_NOTFOUND)
        return fail(err, FIRN_CORRUPT, "%s is missing", name);
    return fail(err, error_code(why), "%s", error_message(why));
}

static int check_meta_pack(struct repo *repo, uint32_t pack, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    uint8_t id[FORMAT_ID_LENGTH];
    pack_table_id(repo->packs, pack, id);
    if (check_pack(repo, id, err) < 0 || trailer_hold(repo, pack, &trailer, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < trailer->reference_count; i++)
        result = check_pack(repo, trailer->references[i], err);
    trailer_release(repo, trailer);
    return result;
}

int snapshot_check_whole(struct repo *repo, const struct snapshot *snapshot,
                         struct firn_error **err)
{
    uint32_t last = PACK_NONE; /* the spans of a run mostly lie in one pack */
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct map *map = &snapshot->objects[i].map;
        for (size_t j = 0; j < map->run_count; j++) {
            for (size_t k = 0; k < map->runs[j].span_count; k++) {
                uint32_t pack = map->runs[j].spans[k].pack;
                if (pack != last && check_meta_pack(repo, pack, err) < 0)
                    return wrap(err, "snapshot %.12s", snapshot->id_text);
                last = pack;
            }
        }
    }
    return 0;
}

int snapshot_stands(struct repo *repo, const struct snapshot *snapshot, bool *looked,
                    struct firn_error **err)
{
    if (!snapshot_is_late(snapshot))
        return 1;
    /* What a collector is about to remove is still there: so its records are looked at after the snapshot was. */
    if (!*looked &&
        (pack_table_list(repo->packs, repo->store, err) < 0 || gate_look(repo, err) < 0))
        return -1;
    *looked = true;
    auto_error struct firn_error *why = NULL;
    if (snapshot_check_whole(repo, snapshot, &why) == 0)
        return 1;
    error_set(err, error_code(why), "%s", error_message(why));
    return error_code(why) == FIRN_CORRUPT ? 0 : -1;
}

static int walk_map(struct repo *repo, const struct map *map, struct firn_error **err)
{
    struct map_cursor *cursor = NULL;
    struct map_extent extent;
    int more = map_cursor_open(repo, map, 0, &cursor, err) < 0 ? -1 : 1;
    while (more > 0)
        more = cancel_check(err) < 0 ? -1 : map_cursor_next(cursor, &extent, err);
    map_cursor_free(cursor);
    return more;
}

int snapshot_check_maps(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err)
{
    for (size_t i = 0; i < snapshot->object_count; i++)
        if (walk_map(repo, &snapshot->objects[i].map, err) < 0)
            return wrap(err, "snapshot %.12s", snapshot->id_text);
    return 0;
}
