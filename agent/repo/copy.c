/* SPDX-License-Identifier: Apache-2.0 */
#include "copy.h"

#include "core/cancel.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "map_cursor.h"
#include "map_delta.h"
#include "repo.h"
#include "restore.h"

#include <string.h>

#define PIECE (1024u * 1024u)

struct copy {
    struct repo *source, *target;
    struct index *index;
    struct copy_options options;
    struct snapshot **snapshots; /* of the source */
    size_t snapshot_count;
    struct snapshot **held; /* of the target */
    size_t held_count;
    uint8_t (*planned)
        [FORMAT_ID_LENGTH]; /* measured, and not held yet: what comes next can build on them */
    size_t planned_count;
    uint64_t total, done; /* for the progress */
    uint8_t *piece;
};

/* A snapshot of the source that the target holds, or, when measuring, would hold by then (there is NULL). Both NULL: none. */
struct base {
    const struct snapshot *here, *there;
};

static void advance(struct copy *copy, uint64_t bytes)
{
    copy->done += bytes;
    if (copy->options.progress != NULL)
        copy->options.progress(copy->options.context, copy->total, copy->done);
}

/* ------------------------------------------------------------------------------------------------ what the target holds */

/* Whether the packs of its maps were there when the target was listed. */
static bool maps_present(const struct copy *copy, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct map *map = &snapshot->objects[i].map;
        for (size_t j = 0; j < map->run_count; j++)
            for (size_t k = 0; k < map->runs[j].span_count; k++)
                if (!pack_table_present(copy->target->packs, map->runs[j].spans[k].pack))
                    return false;
    }
    return true;
}

/* That the packs of its maps are there is no proof, but costs nothing. It has to do, unless packs of the target were found to
 * be damaged: then what relies on one is to be copied again. */
static bool is_whole(const struct copy *copy, const struct snapshot *snapshot)
{
    return maps_present(copy, snapshot) &&
           (pack_table_damaged_count(copy->target->packs) == 0 ||
            snapshot_check_whole(copy->target, snapshot, NULL) == 0);
}

/* Whoever may write to the target can write what is no copy: it must at least look like one. */
static bool looks_alike(const struct snapshot *left, const struct snapshot *right)
{
    if (strcmp(left->item, right->item) != 0 || left->committed != right->committed ||
        left->object_count != right->object_count)
        return false;
    for (size_t i = 0; i < left->object_count; i++) {
        const struct snapshot_object *one = &left->objects[i], *other = &right->objects[i];
        if (one->kind != other->kind || one->length != other->length ||
            strcmp(one->name, other->name) != 0)
            return false;
    }
    return true;
}

/* The target's copy of a snapshot, or the snapshot that this one is a copy of; NULL: there is none. */
static const struct snapshot *find_held(const struct copy *copy, const struct snapshot *snapshot)
{
    struct snapshot_origin wanted = snapshot_origin_of(copy->source, snapshot);
    for (size_t i = 0; i < copy->held_count; i++) {
        struct snapshot_origin origin = snapshot_origin_of(copy->target, copy->held[i]);
        if (memcmp(&origin, &wanted, sizeof(origin)) == 0 && looks_alike(snapshot, copy->held[i]) &&
            is_whole(copy, copy->held[i]))
            return copy->held[i];
    }
    return NULL;
}

static bool is_planned(const struct copy *copy, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < copy->planned_count; i++)
        if (memcmp(copy->planned[i], snapshot->id, FORMAT_ID_LENGTH) == 0)
            return true;
    return false;
}

/* The parent, else the latest snapshot of the item before this one, that the target holds whole. */
static int choose_base(const struct copy *copy, const struct snapshot *snapshot, struct base *out,
                       struct firn_error **err)
{
    *out = (struct base){0};
    for (size_t i = 0; i < copy->snapshot_count; i++) {
        const struct snapshot *here = copy->snapshots[i];
        if (here->committed >= snapshot->committed || strcmp(here->item, snapshot->item) != 0)
            continue;
        const struct snapshot *there = find_held(copy, here);
        if (there == NULL && !is_planned(copy, here))
            continue;
        *out = (struct base){here, there};
        if (memcmp(here->id, snapshot->parent, FORMAT_ID_LENGTH) == 0)
            break;
    }
    auto_error struct firn_error *why = NULL;
    if (out->there == NULL || snapshot_check_whole(copy->target, out->there, &why) == 0)
        return 0;
    if (error_code(why) != FIRN_CORRUPT)
        return fail(err, error_code(why), "%s", error_message(why));
    log_warning("snapshot %.12s is read in full: in the target, %s", snapshot->id_text,
                error_message(why));
    *out = (struct base){0};
    return 0;
}

static const struct snapshot_object *base_volume(const struct base *base,
                                                 const struct snapshot_object *object)
{
    if (base->here == NULL)
        return NULL;
    const struct snapshot_object *found = snapshot_object(base->here, object->name);
    return found != NULL && found->kind == FIRN_OBJECT_VOLUME ? found : NULL;
}

static struct firn_object_info info_of(const struct snapshot_object *object)
{
    return (struct firn_object_info){.size = sizeof(struct firn_object_info),
                                     .kind = object->kind,
                                     .name = object->name,
                                     .media_type = object->media_type,
                                     .length = object->length,
                                     .digest = object->digest};
}

/* 1: a stream that the target holds, and that is now part of the copy. */
static int known_stream(struct capture *capture, const struct snapshot_object *object,
                        struct firn_error **err)
{
    if (object->kind != FIRN_OBJECT_STREAM || object->digest == NULL)
        return 0;
    const struct firn_object_info info = info_of(object);
    return capture_stream_known(capture, &info, err);
}

/* ------------------------------------------------------------------------------------------------ volumes */

/* Zeros behind a block that was stored short went with that block. */
static int give_zeros(struct capture_object *into, const struct firn_extent *extent,
                      struct firn_error **err)
{
    uint64_t skip = (FORMAT_BLOCK_SIZE - extent->offset % FORMAT_BLOCK_SIZE) % FORMAT_BLOCK_SIZE;
    if (extent->length <= skip)
        return 0;
    return capture_zero(into, extent->offset + skip, extent->length - skip, err);
}

/* Gives whole blocks only: to put pieces together the capture would read the target, which its key may not allow. */
static int give_data(struct capture_object *into, const struct firn_extent *extent,
                     uint64_t volume_length, struct firn_error **err)
{
    const uint8_t *data = extent->data;
    uint64_t end = extent->offset + extent->length;
    uint64_t rest = end == volume_length ? 0 : extent->length % FORMAT_BLOCK_SIZE;
    uint64_t whole = extent->length - rest, left = volume_length - (extent->offset + whole);
    if (whole > 0 && capture_extent(into, extent->offset, data, whole, err) < 0)
        return -1;
    if (rest == 0)
        return 0;
    uint8_t block[FORMAT_BLOCK_SIZE] = {0};
    memcpy(block, data + whole, rest);
    return capture_extent(into, extent->offset + whole, block,
                          left < sizeof(block) ? left : sizeof(block), err);
}

static int give_extents(struct copy *copy, struct restore_reader *reader,
                        struct capture_object *into, const struct snapshot_object *object,
                        uint64_t *bytes_read, struct firn_error **err)
{
    struct firn_extent extent = {.size = sizeof(extent)};
    uint64_t position = 0;
    int more = 0;
    while ((more = restore_next(reader, &extent, err)) > 0) {
        if (extent.frontier > position) {
            advance(copy, extent.frontier - position);
            position = extent.frontier;
        }
        *bytes_read += extent.data != NULL ? extent.length : 0;
        int given = extent.data != NULL ? give_data(into, &extent, object->length, err)
                                        : give_zeros(into, &extent, err);
        restore_release(reader, &extent);
        if (given < 0)
            return -1;
    }
    if (more == 0)
        advance(copy, object->length - position);
    return more;
}

static int copy_volume(struct copy *copy, struct capture_object *into,
                       const struct snapshot_object *object, const struct snapshot_object *base,
                       uint64_t *bytes_read, struct firn_error **err)
{
    struct restore_reader *reader = NULL;
    if (base != NULL && capture_object_parent(into, err) < 0)
        return -1;
    unsigned workers = copy->options.capture.workers;
    int result = base != NULL
                     ? restore_open_changes(copy->source, object, base, workers, &reader, err)
                     : restore_open(copy->source, object, 0, workers, &reader, err);
    if (result == 0)
        result = give_extents(copy, reader, into, object, bytes_read, err);
    restore_close(reader);
    return result;
}

/* ------------------------------------------------------------------------------------------------ streams */

static int copy_stream(struct copy *copy, struct capture_object *into,
                       const struct snapshot_object *object, uint64_t *bytes_read,
                       struct firn_error **err)
{
    struct restore_reader *reader = NULL;
    int64_t got = 0;
    if (restore_open(copy->source, object, 0, 1, &reader, err) < 0)
        return -1;
    while ((got = restore_read(reader, copy->piece, PIECE, err)) > 0) {
        if (capture_stream(into, copy->piece, (uint64_t)got, err) < 0) {
            got = -1;
            break;
        }
        *bytes_read += (uint64_t)got;
        advance(copy, (uint64_t)got);
    }
    restore_close(reader);
    return got < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ a snapshot */

static int copy_object(struct copy *copy, struct capture *capture, const struct base *base,
                       const struct snapshot_object *object, uint64_t *bytes_read,
                       struct firn_error **err)
{
    struct capture_object *into = NULL;
    const struct firn_object_info info = info_of(object);
    int known = known_stream(capture, object, err);
    if (known != 0) {
        advance(copy, object->length);
        return known < 0 ? -1 : 0;
    }
    if (cancel_check(err) < 0 || capture_object_begin(capture, &info, &into, err) < 0)
        return -1;
    int result = object->kind == FIRN_OBJECT_VOLUME
                     ? copy_volume(copy, into, object, base_volume(base, object), bytes_read, err)
                     : copy_stream(copy, into, object, bytes_read, err);
    if (result < 0) {
        capture_object_abandon(into);
        return -1;
    }
    return capture_object_end(into, err);
}

static int copy_objects(struct copy *copy, struct capture *capture, const struct base *base,
                        const struct snapshot *snapshot, uint64_t *bytes_read,
                        struct firn_error **err)
{
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct snapshot_object *object = &snapshot->objects[i];
        if (copy_object(copy, capture, base, object, bytes_read, err) < 0)
            return wrap(err, "%s", object->name);
    }
    return 0;
}

static int copy_once(struct copy *copy, const struct snapshot *snapshot, const struct base *base,
                     struct snapshot **made, uint64_t *bytes_read, struct firn_error **err)
{
    struct capture *capture = NULL;
    if (capture_open(copy->target, copy->index, base->there, &copy->options.capture, &capture,
                     err) < 0)
        return -1;
    if (copy_objects(copy, capture, base, snapshot, bytes_read, err) < 0) {
        capture_abort(capture);
        return -1;
    }
    *made = snapshot_describe(copy->source, snapshot);
    return capture_commit(capture, *made, err);
}

/* Maps of a base may be damaged where those of the snapshot are not: then the snapshot is read in full. */
static int copy_or_retry(struct copy *copy, const struct snapshot *snapshot, struct base *base,
                         struct snapshot **made, uint64_t *bytes_read, struct firn_error **err)
{
    struct firn_error *why = NULL;
    uint64_t done = copy->done;
    int result = copy_once(copy, snapshot, base, made, bytes_read, &why);
    if (result < 0 && base->there != NULL && error_code(why) == FIRN_CORRUPT) {
        log_warning("snapshot %.12s is read in full: %s", snapshot->id_text, error_message(why));
        error_clear(&why);
        snapshot_free(steal(*made));
        *base = (struct base){0};
        copy->done = done;
        *bytes_read = 0;
        result = copy_once(copy, snapshot, base, made, bytes_read, &why);
    }
    if (result < 0) {
        error_set(err, error_code(why), "%s", error_message(why));
        error_clear(&why);
    }
    return result;
}

static void hold_take(struct copy *copy, struct snapshot *snapshot)
{
    copy->held = mem_resize(copy->held, copy->held_count + 1, sizeof(*copy->held));
    copy->held[copy->held_count++] = snapshot;
}

static uint64_t length_of(const struct snapshot *snapshot)
{
    uint64_t length = 0;
    for (size_t i = 0; i < snapshot->object_count; i++)
        length += snapshot->objects[i].length;
    return length;
}

/* What is the same for copying and measuring. True: there is nothing to do. */
static bool begin(struct copy *copy, const struct snapshot *snapshot, struct copy_outcome *out)
{
    const struct snapshot *held = find_held(copy, snapshot);
    *out = (struct copy_outcome){.held = held != NULL, .bytes_total = length_of(snapshot)};
    if (held != NULL)
        memcpy(out->id, held->id_text, sizeof(out->id));
    return held != NULL;
}

int copy_snapshot(struct copy *copy, const struct snapshot *snapshot, struct copy_outcome *out,
                  struct firn_error **err)
{
    struct base base;
    struct snapshot *made = NULL;
    if (begin(copy, snapshot, out))
        return 0;
    if (choose_base(copy, snapshot, &base, err) < 0)
        return -1;
    copy->total += out->bytes_total;
    if (copy_or_retry(copy, snapshot, &base, &made, &out->bytes_read, err) < 0) {
        snapshot_free(made);
        return -1;
    }
    memcpy(out->id, made->id_text, sizeof(out->id));
    out->bytes_new = made->bytes_new;
    out->bytes_stored = made->bytes_stored;
    hold_take(copy, made);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ measuring */

static int measure_volume(struct copy *copy, const struct snapshot_object *object,
                          const struct snapshot_object *base, uint64_t *bytes,
                          struct firn_error **err)
{
    static const struct map nothing;
    struct map_delta *delta = NULL;
    struct map_extent extent;
    int more = 0;
    struct map_side side = {&object->map, snapshot_object_units(object)};
    struct map_side base_side = {&nothing, UINT64_MAX};
    if (base != NULL)
        base_side = (struct map_side){&base->map, snapshot_object_units(base)};
    if (map_delta_open(copy->source, side, base_side, &delta, err) < 0)
        return -1;
    while ((more = map_delta_next(delta, &extent, err)) > 0)
        if (extent.pack != PACK_NONE)
            *bytes += extent.count * FORMAT_BLOCK_SIZE;
    map_delta_free(delta);
    return more;
}

static int measure_objects(struct copy *copy, struct capture *capture, const struct base *base,
                           const struct snapshot *snapshot, uint64_t *bytes,
                           struct firn_error **err)
{
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct snapshot_object *object = &snapshot->objects[i];
        int known = known_stream(capture, object, err);
        if (known < 0 || cancel_check(err) < 0)
            return -1;
        if (object->kind != FIRN_OBJECT_VOLUME)
            *bytes += known == 1 ? 0 : object->length;
        else if (measure_volume(copy, object, base_volume(base, object), bytes, err) < 0)
            return wrap(err, "%s", object->name);
    }
    return 0;
}

int copy_measure(struct copy *copy, const struct snapshot *snapshot, struct copy_outcome *out,
                 struct firn_error **err)
{
    struct base base;
    struct capture *capture = NULL;
    if (begin(copy, snapshot, out))
        return 0;
    if (choose_base(copy, snapshot, &base, err) < 0 ||
        capture_open(copy->target, copy->index, NULL, &copy->options.capture, &capture, err) < 0)
        return -1;
    int result = measure_objects(copy, capture, &base, snapshot, &out->bytes_read, err);
    capture_abort(capture);
    copy->planned = mem_resize(copy->planned, copy->planned_count + 1, sizeof(*copy->planned));
    memcpy(copy->planned[copy->planned_count++], snapshot->id, FORMAT_ID_LENGTH);
    return result;
}

/* ------------------------------------------------------------------------------------------------ life */

static int list(struct copy *copy, struct firn_error **err)
{
    if (snapshot_list(copy->source, copy->options.damaged, copy->options.context, &copy->snapshots,
                      &copy->snapshot_count, err) < 0 ||
        snapshot_sift(copy->source, copy->snapshots, &copy->snapshot_count, copy->options.damaged,
                      copy->options.context, err) < 0)
        return wrap(err, "the source");
    if (snapshot_list(copy->target, snapshot_skip_damaged, NULL, &copy->held, &copy->held_count,
                      err) < 0 ||
        snapshot_sift(copy->target, copy->held, &copy->held_count, snapshot_skip_damaged, NULL,
                      err) < 0)
        return wrap(err, "the target");
    return 0;
}

int copy_open(struct repo *source, struct repo *target, struct index *index,
              const struct copy_options *options, struct copy **out, struct firn_error **err)
{
    if (memcmp(source->id, target->id, FORMAT_ID_LENGTH) == 0)
        return fail(err, FIRN_INVALID, "source and target are the same repository");
    if (!source->keyring.can_read)
        return fail(err, FIRN_DENIED,
                    "this key may write and not read: open the source with a full key");
    struct copy *copy = mem_zalloc(sizeof(*copy));
    *copy = (struct copy){.source = source, .target = target, .index = index, .options = *options};
    copy->piece = mem_alloc(PIECE);
    if (list(copy, err) < 0) {
        copy_close(copy);
        return -1;
    }
    *out = copy;
    return 0;
}

void copy_close(struct copy *copy)
{
    if (copy == NULL)
        return;
    snapshot_list_free(copy->snapshots, copy->snapshot_count);
    snapshot_list_free(copy->held, copy->held_count);
    free(copy->planned);
    free(copy->piece);
    free(copy);
}

struct snapshot *const *copy_snapshots(const struct copy *copy, size_t *count)
{
    *count = copy->snapshot_count;
    return copy->snapshots;
}
