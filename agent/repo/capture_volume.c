/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: cuts what the plugin gives into blocks, puts pieces of blocks together, and writes down
 * where blocks lie that differ from the parent's.
 */
#include "capture_object.h"
#include "core/error.h"
#include "core/mem.h"
#include "index.h"
#include "repo.h"
#include "restore.h"

#include <string.h>

#define HINT_COST   16u /* units of data given that earn one hint */
#define CREDIT_MOST (16u * HINT_COST)

/* The length of a block: the last one of a volume may be short. */
static uint32_t block_length(const struct capture_object *object, uint64_t unit)
{
    uint64_t left = object->result.length - unit * FORMAT_BLOCK_SIZE;
    return left < FORMAT_BLOCK_SIZE ? (uint32_t)left : FORMAT_BLOCK_SIZE;
}

static int check_range(const struct capture_object *object, uint64_t offset, uint64_t length,
                       struct firn_error **err)
{
    if (object->result.kind != FIRN_OBJECT_VOLUME)
        return fail(err, FIRN_INVALID, "%s is not a volume", object->result.name);
    if (offset > object->result.length || length > object->result.length - offset)
        return fail(err, FIRN_INVALID, "%s: %llu bytes at %llu lie outside of its %llu bytes",
                    object->result.name, (unsigned long long)length, (unsigned long long)offset,
                    (unsigned long long)object->result.length);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ placing */

static struct capture_object *object_of(struct pipeline_owner *owner)
{
    return (struct capture_object *)owner;
}

/* Moves a cursor until its extent (*ahead) ends behind `unit`. */
static int look_ahead(struct map_cursor *cursor, struct map_extent *ahead, uint64_t unit,
                      struct firn_error **err)
{
    while (ahead->count > 0 && ahead->start + ahead->count <= unit) {
        int more = map_cursor_next(cursor, ahead, err);
        if (more < 0)
            return -1;
        if (more == 0)
            *ahead = (struct map_extent){0};
    }
    return 0;
}

/* Tells the index which pack holds what the parent has here: most of it will be asked for next. But not where changed blocks
 * are scattered over a volume: a trailer would be read for each of them, and in vain. So a hint has to be earned. */
static void expect(struct pipeline_owner *owner, uint64_t unit, uint64_t count)
{
    struct capture_object *object = object_of(owner);
    struct volume *volume = &object->volume;
    volume->credit += count;
    if (volume->credit > CREDIT_MOST)
        volume->credit = CREDIT_MOST;
    if (look_ahead(volume->hint_cursor, &volume->hint, unit, NULL) < 0) {
        volume->hint = (struct map_extent){0};
        return;
    }
    if (volume->hint.count > 0 && volume->hint.pack != PACK_NONE &&
        volume->hint.pack != volume->hinted && volume->credit >= HINT_COST) {
        volume->hinted = volume->hint.pack;
        if (index_hint(object->capture->index, volume->hinted))
            volume->credit -= HINT_COST;
    }
}

/* How much at the start of `extent` has the same relation to the parent (*same: it lies where the parent has it). */
static uint64_t compare_start(const struct volume *volume, const struct map_extent *extent,
                              bool *same)
{
    const struct map_extent *ahead = &volume->ahead;
    uint64_t end = extent->start + extent->count;
    if (ahead->count == 0 || ahead->start > extent->start) { /* the parent has zeros here */
        *same = extent->pack == PACK_NONE;
        return (ahead->count > 0 && ahead->start < end ? ahead->start : end) - extent->start;
    }
    uint64_t ahead_end = ahead->start + ahead->count;
    *same = extent->pack == ahead->pack &&
            (extent->pack == PACK_NONE ||
             ahead->ordinal + (extent->start - ahead->start) == extent->ordinal);
    return (ahead_end < end ? ahead_end : end) - extent->start;
}

static int add_changed(struct capture_object *object, const struct map_extent *extent,
                       struct firn_error **err)
{
    object->volume.changed += extent->count;
    return map_builder_add(object->builder, extent, err);
}

static int compare(struct capture_object *object, struct map_extent rest, struct firn_error **err)
{
    struct volume *volume = &object->volume;
    if (rest.start < volume->position) /* far out of order: the cursor does not go back */
        return add_changed(object, &rest, err);
    while (rest.count > 0) {
        if (look_ahead(volume->cursor, &volume->ahead, rest.start, err) < 0)
            return -1;
        bool same = false;
        struct map_extent piece = rest;
        piece.count = compare_start(volume, &rest, &same);
        if (!same && add_changed(object, &piece, err) < 0)
            return -1;
        rest.start += piece.count;
        rest.count -= piece.count;
        if (rest.pack != PACK_NONE)
            rest.ordinal += (uint32_t)piece.count;
    }
    volume->position = rest.start;
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const struct map_extent *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

/* Compares the first `count` of the late extents with the parent. */
static int compare_late(struct capture_object *object, size_t count, struct firn_error **err)
{
    struct volume *volume = &object->volume;
    qsort(volume->late, volume->late_count, sizeof(*volume->late), by_start);
    for (size_t i = 0; i < count; i++)
        if (compare(object, volume->late[i], err) < 0)
            return -1;
    volume->late_count -= count;
    memmove(volume->late, volume->late + count, volume->late_count * sizeof(*volume->late));
    return 0;
}

static int place(struct pipeline_owner *owner, const struct map_extent *extent,
                 struct firn_error **err)
{
    struct capture_object *object = object_of(owner);
    struct volume *volume = &object->volume;
    if (volume->parent == NULL)
        return extent->pack == PACK_NONE ? 0 : add_changed(object, extent, err);
    if (volume->late_count == LATE_MAX && compare_late(object, LATE_MAX / 2, err) < 0)
        return -1;
    volume->late[volume->late_count++] = *extent;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ life */

int volume_begin(struct capture_object *object, struct firn_error **err)
{
    if (object->result.length > FORMAT_LENGTH_MAX)
        return fail(err, FIRN_INVALID, "%s: a volume of %llu bytes is too large",
                    object->result.name, (unsigned long long)object->result.length);
    object->owner.place = place;
    object->volume.hinted = PACK_NONE;
    return 0;
}

static int first_extent(struct map_cursor *cursor, struct map_extent *out, struct firn_error **err)
{
    int more = map_cursor_next(cursor, out, err);
    if (more == 0)
        *out = (struct map_extent){0};
    return more < 0 ? -1 : 0;
}

int capture_object_parent(struct capture_object *object, struct firn_error **err)
{
    const struct snapshot *parent = object->capture->parent;
    const struct snapshot_object *base =
        parent == NULL ? NULL : snapshot_object(parent, object->result.name);
    if (object->result.kind != FIRN_OBJECT_VOLUME || base == NULL ||
        base->kind != FIRN_OBJECT_VOLUME)
        return fail(err, FIRN_NOTFOUND, "the parent snapshot has no volume %s",
                    object->result.name);
    struct volume *volume = &object->volume;
    struct repo *repo = object->capture->repo;
    if (map_cursor_open(repo, &base->map, 0, &volume->cursor, err) < 0 ||
        map_cursor_open(repo, &base->map, 0, &volume->hint_cursor, err) < 0 ||
        first_extent(volume->cursor, &volume->ahead, err) < 0 ||
        first_extent(volume->hint_cursor, &volume->hint, err) < 0)
        return -1;
    volume->parent = base;
    object->owner.expect = expect;
    volume->credit = CREDIT_MOST;
    return 0;
}

void volume_free(struct capture_object *object)
{
    struct volume *volume = &object->volume;
    for (size_t i = 0; i < volume->partial_count; i++)
        free(volume->partials[i].data);
    map_cursor_free(volume->cursor);
    map_cursor_free(volume->hint_cursor);
}

/* ------------------------------------------------------------------------------------------------ the stage */

/* Hands a buffer full of whole blocks to the pipeline. */
static int submit_take(struct capture_object *object, uint64_t unit, void *data, size_t length,
                       struct firn_error **err)
{
    uint32_t lengths[PIPELINE_BUFFER / FORMAT_BLOCK_SIZE];
    size_t count = 0;
    for (size_t done = 0; done < length; count++) {
        lengths[count] = block_length(object, unit + count);
        done += lengths[count];
    }
    return pipeline_submit_take(object->capture->pipeline, &object->owner, FORMAT_CHUNK_BLOCK, unit,
                                data, lengths, count, err);
}

static int stage_flush(struct capture_object *object, struct firn_error **err)
{
    if (object->stage == NULL)
        return 0;
    return submit_take(object, object->stage_unit, steal(object->stage), object->staged, err);
}

/* Appends one whole block to the stage; blocks in it are neighbours. */
static int stage_block(struct capture_object *object, uint64_t unit, const void *data,
                       struct firn_error **err)
{
    bool follows = object->stage != NULL &&
                   unit == object->stage_unit + object->staged / FORMAT_BLOCK_SIZE &&
                   object->staged % FORMAT_BLOCK_SIZE == 0 && object->staged < PIPELINE_BUFFER;
    if (!follows && stage_flush(object, err) < 0)
        return -1;
    if (object->stage == NULL) {
        void *buffer = NULL;
        if (pipeline_buffer_get(object->capture->pipeline, &buffer, err) < 0)
            return -1;
        object->stage = buffer;
        object->stage_unit = unit;
        object->staged = 0;
    }
    uint32_t length = block_length(object, unit);
    memcpy(object->stage + object->staged, data, length);
    object->staged += length;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ partial blocks */

/* What the block holds in the parent, or zeros. */
static int read_base(struct capture_object *object, uint64_t unit, uint8_t *data,
                     struct firn_error **err)
{
    memset(data, 0, FORMAT_BLOCK_SIZE);
    uint64_t offset = unit * FORMAT_BLOCK_SIZE;
    if (object->volume.parent == NULL || offset >= object->volume.parent->length)
        return 0;
    struct restore_reader *reader = NULL;
    if (restore_open(object->capture->repo, object->volume.parent, offset, 1, &reader, err) < 0)
        return -1;
    struct firn_extent extent = {.size = sizeof(extent)};
    int more = 0;
    bool found = false;
    while (!found && (more = restore_next(reader, &extent, err)) > 0) {
        found = extent.offset <= offset && offset < extent.offset + extent.length;
        if (found && extent.data != NULL) {
            uint64_t length = extent.offset + extent.length - offset;
            memcpy(data, (const uint8_t *)extent.data + (offset - extent.offset),
                   length < FORMAT_BLOCK_SIZE ? length : FORMAT_BLOCK_SIZE);
        }
        restore_release(reader, &extent);
    }
    restore_close(reader);
    return more < 0 ? -1 : 0;
}

static int partial_find(struct capture_object *object, uint64_t unit, struct partial **out,
                        struct firn_error **err)
{
    struct volume *volume = &object->volume;
    for (size_t i = 0; i < volume->partial_count; i++) {
        if (volume->partials[i].unit == unit) {
            *out = &volume->partials[i];
            return 0;
        }
    }
    if (volume->partial_count == PARTIALS_MAX)
        return fail(err, FIRN_INVALID,
                    "%s: more than %u blocks of %u bytes were begun and not completed",
                    object->result.name, PARTIALS_MAX, FORMAT_BLOCK_SIZE);
    *out = &volume->partials[volume->partial_count++];
    **out = (struct partial){.unit = unit, .data = mem_alloc(FORMAT_BLOCK_SIZE)};
    return read_base(object, unit, (*out)->data, err);
}

static int partial_complete(struct capture_object *object, struct partial *partial,
                            struct firn_error **err)
{
    struct volume *volume = &object->volume;
    int result = stage_block(object, partial->unit, partial->data, err);
    free(partial->data);
    *partial = volume->partials[--volume->partial_count];
    return result;
}

/* A piece of a block: data, zeros, or (same) what the parent has. */
enum piece { PIECE_DATA, PIECE_ZERO, PIECE_SAME };

static int add_piece(struct capture_object *object, enum piece piece, uint64_t unit,
                     uint32_t within, const void *data, uint32_t length, struct firn_error **err)
{
    struct partial *partial = NULL;
    if (partial_find(object, unit, &partial, err) < 0)
        return -1;
    if (piece == PIECE_DATA)
        memcpy(partial->data + within, data, length);
    else if (piece == PIECE_ZERO)
        memset(partial->data + within, 0, length);
    partial->covered += length;
    return partial->covered < block_length(object, unit) ? 0
                                                         : partial_complete(object, partial, err);
}

/* Whole blocks of zeros, or that stay the same. */
static int add_units(struct capture_object *object, enum piece piece, uint64_t unit, uint64_t count,
                     struct firn_error **err)
{
    if (piece == PIECE_SAME || count == 0 || object->volume.parent == NULL)
        return 0;
    if (stage_flush(object, err) < 0)
        return -1;
    return pipeline_submit_zero(object->capture->pipeline, &object->owner, unit, count, err);
}

/* Takes a range apart: a piece at its start, whole blocks, a piece at its end. */
static int add_range(struct capture_object *object, enum piece piece, uint64_t offset,
                     uint64_t length, struct firn_error **err)
{
    while (length > 0) {
        uint64_t unit = offset / FORMAT_BLOCK_SIZE;
        uint32_t within = (uint32_t)(offset % FORMAT_BLOCK_SIZE);
        uint64_t part = block_length(object, unit) - within;
        if (within != 0 || length < part) {
            if (length < part)
                part = length;
            if (add_piece(object, piece, unit, within, NULL, (uint32_t)part, err) < 0)
                return -1;
        } else {
            uint64_t count = length / FORMAT_BLOCK_SIZE;
            part = count * FORMAT_BLOCK_SIZE;
            if (offset + length ==
                object->result.length) { /* up to the end, which may be a short block */
                count = (length + FORMAT_BLOCK_SIZE - 1) / FORMAT_BLOCK_SIZE;
                part = length;
            }
            if (add_units(object, piece, unit, count, err) < 0)
                return -1;
        }
        offset += part;
        length -= part;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ what the plugin calls */

int capture_extent(struct capture_object *object, uint64_t offset, const void *data,
                   uint64_t length, struct firn_error **err)
{
    if (check_range(object, offset, length, err) < 0)
        return -1;
    const uint8_t *from = data;
    while (length > 0) {
        uint64_t unit = offset / FORMAT_BLOCK_SIZE;
        uint32_t within = (uint32_t)(offset % FORMAT_BLOCK_SIZE);
        uint32_t part = block_length(object, unit) - within;
        int result = 0;
        if (within == 0 && length >= part) {
            result = stage_block(object, unit, from, err);
        } else {
            if (length < part)
                part = (uint32_t)length;
            result = add_piece(object, PIECE_DATA, unit, within, from, part, err);
        }
        if (result < 0)
            return -1;
        from += part;
        offset += part;
        length -= part;
    }
    return 0;
}

int capture_zero(struct capture_object *object, uint64_t offset, uint64_t length,
                 struct firn_error **err)
{
    return check_range(object, offset, length, err) < 0
               ? -1
               : add_range(object, PIECE_ZERO, offset, length, err);
}

int capture_same(struct capture_object *object, uint64_t offset, uint64_t length,
                 struct firn_error **err)
{
    if (check_range(object, offset, length, err) < 0)
        return -1;
    if (object->volume.parent == NULL)
        return fail(err, FIRN_INVALID, "%s: without a parent nothing can be the same",
                    object->result.name);
    return add_range(object, PIECE_SAME, offset, length, err);
}

/* Whether a range consists of whole blocks. */
static bool whole_blocks(const struct capture_object *object, uint64_t offset, uint64_t length)
{
    return offset % FORMAT_BLOCK_SIZE == 0 &&
           (length % FORMAT_BLOCK_SIZE == 0 || offset + length == object->result.length);
}

int capture_extent_take(struct capture_object *object, uint64_t offset, void *data, uint64_t length,
                        struct firn_error **err)
{
    struct capture *capture = object->capture;
    if (pipeline_buffer_check(capture->pipeline, data, err) < 0)
        return -1;
    pthread_mutex_lock(&capture->lock);
    capture->lent--;
    pthread_mutex_unlock(&capture->lock);
    int result = check_range(object, offset, length, err);
    if (result == 0 && length > PIPELINE_BUFFER)
        result = fail(err, FIRN_INVALID, "%s: a buffer has %u bytes, not %llu", object->result.name,
                      PIPELINE_BUFFER, (unsigned long long)length);
    if (result == 0 && length > 0 && whole_blocks(object, offset, length)) {
        result = stage_flush(object, err); /* keeps the order */
        if (result == 0)
            return submit_take(object, offset / FORMAT_BLOCK_SIZE, data, length, err);
    } else if (result == 0) {
        result = capture_extent(object, offset, data, length, err);
    }
    pipeline_buffer_put(capture->pipeline, data);
    return result;
}

int volume_end(struct capture_object *object, struct firn_error **err)
{
    struct volume *volume = &object->volume;
    struct capture *capture = object->capture;
    while (volume->partial_count > 0)
        if (partial_complete(object, &volume->partials[0], err) < 0)
            return -1;
    struct map_run run = {0};
    if (stage_flush(object, err) < 0 || pipeline_wait(capture->pipeline, &object->owner, err) < 0 ||
        compare_late(object, volume->late_count, err) < 0 ||
        map_builder_finish(steal(object->builder), &run, err) < 0)
        return -1;
    if (volume->parent != NULL)
        map_copy(&object->result.map, &volume->parent->map);
    if (map_push_take(capture->repo, capture->meta, &object->result.map, &run, err) < 0)
        return -1;
    pthread_mutex_lock(&capture->lock);
    capture->bytes_changed += volume->changed * FORMAT_BLOCK_SIZE;
    pthread_mutex_unlock(&capture->lock);
    return 0;
}
