/* SPDX-License-Identifier: Apache-2.0 */
#include "repair.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "gate.h"
#include "map_cursor.h"
#include "map_writer.h"
#include "meta.h"
#include "pack.h"
#include "repo.h"
#include "spare.h"
#include "store/store.h"
#include "trailer_cache.h"

#include <string.h>

struct repair {
    struct repo *repo;
    struct damage *damage;
    struct spares *spares;
    struct check_result checked;
    struct repair_snapshot *snapshots;
    size_t count;
    uint64_t stored;
};

/* ------------------------------------------------------------------------------------------------ what is lost */

static void add_loss(struct repair_snapshot *entry, size_t object, uint64_t offset, uint64_t length)
{
    struct repair_loss *last = entry->loss_count > 0 ? &entry->losses[entry->loss_count - 1] : NULL;
    entry->verdict = REPAIR_LOST;
    if (last != NULL && last->object == object && last->offset + last->length == offset) {
        last->length += length;
        return;
    }
    entry->losses = mem_resize(entry->losses, entry->loss_count + 1, sizeof(*entry->losses));
    entry->losses[entry->loss_count++] = (struct repair_loss){object, offset, length};
}

/* An object being walked. */
struct walk {
    struct repair *repair;
    struct repair_snapshot *entry;
    const struct snapshot_object *object;
    size_t number;
    uint64_t
        offset; /* of a stream: where the next chunk begins; UINT64_MAX: nobody knows any more */
};

/* How many bytes of a volume lie in these units. */
static uint64_t unit_length(const struct snapshot_object *object, uint64_t unit, uint64_t count)
{
    uint64_t units = snapshot_object_units(object);
    if (unit >= units)
        return 0;
    if (count >= units - unit)
        return object->length - unit * FORMAT_BLOCK_SIZE;
    return count * FORMAT_BLOCK_SIZE;
}

/* Units whose chunks are gone, and whose lengths are not known. */
static void lose_unknown(struct walk *walk, uint64_t unit, uint64_t count)
{
    const struct snapshot_object *object = walk->object;
    if (object->kind == FIRN_OBJECT_VOLUME) {
        uint64_t length = unit_length(object, unit, count);
        if (length > 0)
            add_loss(walk->entry, walk->number, unit * FORMAT_BLOCK_SIZE, length);
    } else if (walk->offset < object->length) {
        add_loss(walk->entry, walk->number, walk->offset, object->length - walk->offset);
        walk->offset = UINT64_MAX;
    }
}

static void lose_chunk(struct walk *walk, uint64_t unit, uint64_t length)
{
    uint64_t offset = walk->offset;
    if (walk->object->kind == FIRN_OBJECT_VOLUME) {
        offset = unit * FORMAT_BLOCK_SIZE;
        length = unit_length(walk->object, unit, 1);
    }
    if (length > 0 && offset < walk->object->length)
        add_loss(walk->entry, walk->number, offset, length);
}

/* An extent in a pack whose trailer can be read; damaged or not. */
static int walk_chunks(struct walk *walk, const struct map_extent *extent, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    bool damaged = damage_find(walk->repair->damage, extent->pack) != NULL;
    bool stream = walk->object->kind != FIRN_OBJECT_VOLUME;
    if (!damaged && !stream)
        return 0;
    if (trailer_hold(walk->repair->repo, extent->pack, &trailer, err) < 0)
        return -1;
    for (uint64_t i = 0; i < extent->count; i++) {
        uint32_t chunk = extent->ordinal + (uint32_t)i, pack, ordinal;
        uint64_t length = chunk < trailer->chunk_count ? trailer->chunks[chunk].length : 0;
        if (damaged &&
            spares_find(walk->repair->spares, extent->pack, chunk, &pack, &ordinal) == SPARE_NONE)
            lose_chunk(walk, extent->start + i, length);
        if (walk->offset != UINT64_MAX)
            walk->offset += length;
    }
    trailer_release(walk->repair->repo, trailer);
    return 0;
}

static int walk_extent(struct walk *walk, const struct map_extent *extent, struct firn_error **err)
{
    if (extent->pack == PACK_LOST) {
        lose_unknown(walk, extent->start, extent->count);
        return 0;
    }
    if (extent->pack == PACK_NONE)
        return 0;
    const struct damaged_pack *damaged = damage_find(walk->repair->damage, extent->pack);
    if (damaged != NULL && walk->entry->verdict == REPAIR_SOUND)
        walk->entry->verdict = REPAIR_HEALS;
    if (damaged != NULL && damaged->whole) {
        lose_unknown(walk, extent->start, extent->count);
        return 0;
    }
    return walk_chunks(walk, extent, err);
}

/* Whether the map itself lies in a damaged pack. */
static bool map_in_damage(const struct repair *repair, const struct map *map)
{
    for (size_t i = 0; i < map->run_count; i++)
        for (size_t j = 0; j < map->runs[i].span_count; j++)
            if (damage_find(repair->damage, map->runs[i].spans[j].pack) != NULL)
                return true;
    return false;
}

/* 1: some of the object lies in a damaged pack, or nobody knows where; 0; -1. */
static int touches_damage(const struct repair *repair, const struct snapshot_object *object,
                          struct firn_error **err)
{
    struct map_cursor *cursor = NULL;
    struct map_extent extent;
    bool found = map_in_damage(repair, &object->map);
    if (map_cursor_open_salvage(repair->repo, &object->map, &cursor, err) < 0)
        return -1;
    int more = 0;
    while (!found && (more = map_cursor_next(cursor, &extent, err)) > 0)
        found = extent.pack == PACK_LOST ||
                (extent.pack != PACK_NONE && damage_find(repair->damage, extent.pack) != NULL);
    map_cursor_free(cursor);
    return more < 0 ? -1 : found;
}

static int walk_object(struct repair *repair, struct repair_snapshot *entry, size_t number,
                       struct firn_error **err)
{
    int touches = touches_damage(repair, &entry->snapshot->objects[number], err);
    if (touches <= 0)
        return touches;
    struct walk walk = {.repair = repair, .entry = entry, .number = number};
    struct map_cursor *cursor = NULL;
    struct map_extent extent;
    walk.object = &entry->snapshot->objects[number];
    if (map_in_damage(repair, &walk.object->map) && entry->verdict == REPAIR_SOUND)
        entry->verdict = REPAIR_HEALS;
    int more = map_cursor_open_salvage(repair->repo, &walk.object->map, &cursor, err) < 0 ? -1 : 1;
    while (more > 0 && (more = map_cursor_next(cursor, &extent, err)) > 0)
        if (cancel_check(err) < 0 || walk_extent(&walk, &extent, err) < 0)
            more = -1;
    map_cursor_free(cursor);
    return more;
}

static int walk_snapshots(struct repair *repair, struct firn_error **err)
{
    for (size_t i = 0; i < repair->count; i++) {
        struct repair_snapshot *entry = &repair->snapshots[i];
        for (size_t j = 0; entry->snapshot != NULL && j < entry->snapshot->object_count; j++)
            if (walk_object(repair, entry, j, err) < 0)
                return wrap(err, "%s", entry->name);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ looking */

static void no_finding(void *context, const char *object, const char *what, const char *affected)
{
    (void)context;
    (void)object;
    (void)what;
    (void)affected;
}

static struct repair_snapshot *add_snapshot(struct repair *repair, struct snapshot *snapshot)
{
    repair->snapshots =
        mem_resize(repair->snapshots, repair->count + 1, sizeof(*repair->snapshots));
    repair->snapshots[repair->count] = (struct repair_snapshot){.snapshot = snapshot};
    return &repair->snapshots[repair->count++];
}

static void add_unreadable(void *context, const char *name, const struct firn_error *why)
{
    struct repair_snapshot *entry = add_snapshot(context, NULL);
    entry->name = mem_strdup(name);
    entry->what = mem_strdup(error_message(why));
    entry->verdict = REPAIR_UNREADABLE;
}

/* `firn check` names it, and says that it is to be forgotten. */
static void late(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    log_warning("%s landed too late and is left as it is: %s", name, error_message(why));
}

static int list_snapshots(struct repair *repair, struct firn_error **err)
{
    struct snapshot **list = NULL;
    size_t count = 0;
    if (snapshot_list(repair->repo, add_unreadable, repair, &list, &count, err) < 0)
        return -1;
    if (snapshot_sift(repair->repo, list, &count, late, NULL, err) < 0) {
        snapshot_list_free(list, count);
        return -1;
    }
    size_t unreadable = repair->count;
    for (size_t i = 0; i < count; i++)
        add_snapshot(repair, list[i])->name = mem_printf("snapshots/%s", list[i]->id_text);
    free(list);
    /* the unreadable ones to the end */
    auto_free struct repair_snapshot *first = NULL;
    if (unreadable > 0 && count > 0) {
        first = mem_dup(repair->snapshots, unreadable * sizeof(*first));
        memmove(repair->snapshots, repair->snapshots + unreadable, count * sizeof(*first));
        memcpy(repair->snapshots + count, first, unreadable * sizeof(*first));
    }
    return 0;
}

static int find_spares(struct repair *repair, struct firn_error **err)
{
    repair->spares = spares_new(repair->repo, repair->damage);
    for (size_t i = 0; i < damage_count(repair->damage); i++) {
        const struct damaged_pack *pack = damage_at(repair->damage, i);
        if (!pack->whole && spares_want(repair->spares, pack->pack, err) < 0)
            return -1;
    }
    return spares_scan(repair->spares, err);
}

/* One that was healed before, or copied back, and could not be removed then. */
static void find_replaced(struct repair *repair)
{
    for (size_t i = 0; i < repair->count; i++) {
        struct repair_snapshot *entry = &repair->snapshots[i];
        if (entry->verdict != REPAIR_LOST && entry->verdict != REPAIR_HEALS)
            continue;
        struct snapshot_origin wanted = snapshot_origin_of(repair->repo, entry->snapshot);
        for (size_t j = 0; j < repair->count; j++) {
            const struct repair_snapshot *other = &repair->snapshots[j];
            if (other->verdict != REPAIR_SOUND)
                continue;
            struct snapshot_origin origin = snapshot_origin_of(repair->repo, other->snapshot);
            if (memcmp(&origin, &wanted, sizeof(origin)) != 0)
                continue;
            entry->verdict = REPAIR_REPLACED;
            memcpy(entry->healed, other->snapshot->id_text, sizeof(entry->healed));
        }
    }
}

static int look(struct repair *repair, const struct repair_options *options,
                struct firn_error **err)
{
    const struct check_options checking = {.read_percent = options->read_percent,
                                           .packs = options->packs,
                                           .pack_count = options->pack_count,
                                           .damage = repair->damage};
    if (gate_open(repair->repo, err) < 0 ||
        check_run(repair->repo, &checking, no_finding, options->progress, options->context,
                  &repair->checked, err) < 0 ||
        list_snapshots(repair, err) < 0)
        return -1;
    if (find_spares(repair, err) < 0 || walk_snapshots(repair, err) < 0)
        return -1;
    find_replaced(repair);
    return 0;
}

int repair_look(struct repo *repo, const struct repair_options *options, struct repair **out,
                struct firn_error **err)
{
    if (!repo->keyring.can_read)
        return fail(err, FIRN_DENIED, "this key may write and not read: repair with a full key");
    struct repair *repair = mem_zalloc(sizeof(*repair));
    repair->repo = repo;
    repair->damage = damage_new();
    if (look(repair, options, err) < 0) {
        repair_free(repair);
        return -1;
    }
    *out = repair;
    return 0;
}

void repair_free(struct repair *repair)
{
    if (repair == NULL)
        return;
    for (size_t i = 0; i < repair->count; i++) {
        snapshot_free(repair->snapshots[i].snapshot);
        free(repair->snapshots[i].name);
        free(repair->snapshots[i].what);
        free(repair->snapshots[i].losses);
    }
    free(repair->snapshots);
    spares_free(repair->spares);
    damage_free(repair->damage);
    free(repair);
}

const struct damage *repair_damage(const struct repair *repair)
{
    return repair->damage;
}

const struct check_result *repair_checked(const struct repair *repair)
{
    return &repair->checked;
}

const struct repair_snapshot *repair_snapshots(const struct repair *repair, size_t *count)
{
    *count = repair->count;
    return repair->snapshots;
}

uint64_t repair_stored(const struct repair *repair)
{
    return repair->stored;
}

/* ------------------------------------------------------------------------------------------------ healing */

/* Writes an extent that lies in a damaged pack with the places of its spares. */
static int heal_extent(struct repair *repair, struct map_writer *writer,
                       const struct map_extent *extent, struct firn_error **err)
{
    for (uint64_t i = 0; i < extent->count; i++) {
        struct map_extent piece = {.start = extent->start + i, .count = 1};
        if (spares_find(repair->spares, extent->pack, extent->ordinal + (uint32_t)i, &piece.pack,
                        &piece.ordinal) != SPARE_FOUND)
            return fail(err, FIRN_CORRUPT, "a chunk that was there is no longer");
        if (spares_prove(repair->spares, piece.pack, piece.ordinal, err) < 0 ||
            map_writer_add(writer, &piece, err) < 0)
            return -1;
    }
    return 0;
}

static int heal_extents(struct repair *repair, const struct snapshot_object *object,
                        struct map_writer *writer, struct firn_error **err)
{
    struct map_cursor *cursor = NULL;
    struct map_extent extent;
    if (map_cursor_open(repair->repo, &object->map, 0, &cursor, err) < 0)
        return -1;
    int more = 0;
    while ((more = map_cursor_next(cursor, &extent, err)) > 0) {
        int added = 0;
        if (extent.pack == PACK_NONE) /* of a base nothing is hidden */
            continue;
        if (object->kind == FIRN_OBJECT_VOLUME && unit_length(object, extent.start, 1) == 0)
            break; /* behind the end of a volume that shrank */
        added = damage_find(repair->damage, extent.pack) != NULL
                    ? heal_extent(repair, writer, &extent, err)
                    : map_writer_add(writer, &extent, err);
        if (added < 0 || cancel_check(err) < 0) {
            more = -1;
            break;
        }
    }
    map_cursor_free(cursor);
    return more < 0 ? -1 : 0;
}

/* The object's map as one run that names sound packs only. */
static int heal_object(struct repair *repair, struct meta_writer *meta,
                       const struct snapshot_object *object, struct map *out,
                       struct firn_error **err)
{
    struct map_run run = {0};
    struct map_writer *writer = map_writer_new(repair->repo, meta);
    if (heal_extents(repair, object, writer, err) < 0) {
        map_writer_free(writer);
        return -1;
    }
    if (map_writer_finish(writer, &run, err) < 0)
        return -1;
    return map_push_take(repair->repo, meta, out, &run, err);
}

static int heal_objects(struct repair *repair, struct meta_writer *meta,
                        const struct snapshot *from, struct snapshot *made, struct firn_error **err)
{
    made->objects = mem_array(from->object_count + 1, sizeof(*made->objects));
    for (; made->object_count < from->object_count; made->object_count++) {
        const struct snapshot_object *object = &from->objects[made->object_count];
        struct snapshot_object *healed = &made->objects[made->object_count];
        *healed = (struct snapshot_object){.kind = object->kind,
                                           .name = mem_strdup(object->name),
                                           .media_type = mem_strdup(object->media_type),
                                           .length = object->length,
                                           .digest = mem_strdup(object->digest)};
        if (heal_object(repair, meta, object, &healed->map, err) < 0) {
            made->object_count++;
            return wrap(err, "%s", object->name);
        }
    }
    return 0;
}

/* Its parent may have been healed before it: parents are older. */
static void set_parent(const struct repair *repair, const struct snapshot *from,
                       struct snapshot *made)
{
    memcpy(made->parent, from->parent, sizeof(made->parent));
    for (size_t i = 0; i < repair->count; i++) {
        const struct repair_snapshot *entry = &repair->snapshots[i];
        if (entry->snapshot != NULL && entry->healed[0] != '\0' &&
            memcmp(entry->snapshot->id, from->parent, FORMAT_ID_LENGTH) == 0)
            hex_decode(entry->healed, made->parent, FORMAT_ID_LENGTH);
    }
}

static struct snapshot *describe(const struct repair *repair, const struct snapshot *from)
{
    struct snapshot *made = snapshot_describe(repair->repo, from);
    made->bytes_total = from->bytes_total;
    made->bytes_read = from->bytes_read;
    made->bytes_zero = from->bytes_zero;
    made->bytes_new = from->bytes_new;
    made->bytes_changed = from->bytes_changed;
    made->bytes_stored = from->bytes_stored;
    made->packs = from->packs;
    set_parent(repair, from, made);
    return made;
}

/* Writes the snapshot that takes the place of this one: maps first, when they are durable the snapshot. */
static int heal(struct repair *repair, struct repair_snapshot *entry, struct firn_error **err)
{
    struct meta_writer *meta = NULL;
    uint64_t stored = 0;
    uint32_t packs = 0;
    if (meta_writer_new(repair->repo, &meta, err) < 0)
        return -1;
    auto_snapshot struct snapshot *made = describe(repair, entry->snapshot);
    if (heal_objects(repair, meta, entry->snapshot, made, err) < 0) {
        meta_writer_abort(meta);
        return -1;
    }
    if (meta_writer_finish(meta, &stored, &packs, err) < 0 ||
        snapshot_write(repair->repo, made, err) < 0)
        return -1;
    repair->stored += stored;
    memcpy(entry->healed, made->id_text, sizeof(entry->healed));
    return 0;
}

static int heal_one(struct repair *repair, struct repair_snapshot *entry, struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    if (entry->verdict == REPAIR_HEALS && heal(repair, entry, &why) < 0) {
        if (error_code(why) != FIRN_CORRUPT && error_code(why) != FIRN_NOTFOUND)
            return fail(err, error_code(why), "%s: %s", entry->name, error_message(why));
        entry->verdict = REPAIR_LOST; /* it became worse meanwhile */
        entry->what = mem_strdup(error_message(why));
        return 0;
    }
    entry->removed = snapshot_remove(repair->repo, entry->snapshot->id, &why) == 0;
    if (!entry->removed)
        log_warning("%s stays beside %.12s, which takes its place: %s", entry->name, entry->healed,
                    error_message(why));
    return 0;
}

/* A pack that is gone and that nobody relies on needs no record. */
static void forget_records(struct repair *repair)
{
    for (uint32_t pack = 0; pack < pack_table_count(repair->repo->packs); pack++) {
        uint64_t length = 0;
        uint8_t id[FORMAT_ID_LENGTH];
        char name[PACK_NAME_LENGTH];
        auto_error struct firn_error *why = NULL;
        if (!pack_table_damaged(repair->repo->packs, pack) ||
            damage_find(repair->damage, pack) != NULL)
            continue;
        pack_table_id(repair->repo->packs, pack, id);
        pack_name(id, name);
        if (store_stat(repair->repo->store, name, &length, NULL, &why) < 0 &&
            error_code(why) == FIRN_NOTFOUND)
            (void)damage_forget(repair->repo, pack, NULL);
    }
}

int repair_apply(struct repair *repair, struct firn_error **err)
{
    for (size_t i = 0; i < damage_count(repair->damage); i++)
        if (damage_write(repair->repo, damage_at(repair->damage, i), err) < 0)
            return -1;
    if (spares_salvage(repair->spares, &repair->stored, err) < 0)
        return -1;
    for (size_t i = 0; i < repair->count; i++) {
        struct repair_snapshot *entry = &repair->snapshots[i];
        bool heals = entry->verdict == REPAIR_HEALS || entry->verdict == REPAIR_REPLACED;
        if (heals && (cancel_check(err) < 0 || heal_one(repair, entry, err) < 0))
            return -1;
    }
    forget_records(repair);
    return 0;
}
