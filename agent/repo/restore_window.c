/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolving: turns the next stretch of a volume's map into pieces of frames, sorted so that each
 * frame is read once and packs are walked forward. Bounded by units and packs.
 */
#include "core/mem.h"
#include "repo.h"
#include "restore_reader.h"
#include "trailer_cache.h"

#include <string.h>

#define WINDOW_UNITS 4096u /* 256 MiB */
#define WINDOW_PACKS 64u

void window_free(struct repo *repo, struct window *window)
{
    if (window == NULL)
        return;
    for (size_t i = 0; i < window->trailer_count; i++)
        trailer_release(repo, window->trailers[i]);
    free(window->trailers);
    free(window->pieces);
    free(window);
}

static void add_zeros(struct ready **zeros, struct window *window, uint64_t begin, uint64_t end)
{
    if (begin >= end)
        return;
    struct ready *ready = mem_zalloc(sizeof(*ready));
    *ready =
        (struct ready){.next = *zeros, .window = window, .offset = begin, .length = end - begin};
    *zeros = ready;
    window->undelivered++;
}

/* The trailer of the pack, held by the window. */
static int window_trailer(struct repo *repo, struct window *window, uint32_t pack,
                          const struct pack_trailer **out, struct firn_error **err)
{
    for (size_t i = window->piece_count; i > 0 && i + 16 > window->piece_count; i--) {
        if (window->pieces[i - 1].pack == pack) {
            *out = window->pieces[i - 1].trailer;
            return 0;
        }
    }
    if (trailer_hold(repo, pack, out, err) < 0)
        return -1;
    for (size_t i = 0; i < window->trailer_count; i++) {
        if (window->trailers[i] == *out) { /* held already: once is enough */
            trailer_release(repo, *out);
            return 0;
        }
    }
    window->trailers[window->trailer_count++] = *out;
    return 0;
}

static int check_chunks(const struct restore_reader *reader, const struct pack_trailer *trailer,
                        const struct map_extent *extent, struct firn_error **err)
{
    bool fits = trailer->class == FORMAT_DATA && extent->ordinal < trailer->chunk_count &&
                extent->count <= trailer->chunk_count - extent->ordinal;
    for (uint64_t i = 0; fits && i < extent->count; i++) {
        const struct pack_chunk *chunk = &trailer->chunks[extent->ordinal + i];
        fits = chunk->kind == FORMAT_CHUNK_BLOCK && chunk->length <= FORMAT_BLOCK_SIZE;
    }
    char name[PACK_NAME_LENGTH];
    pack_name(trailer->id, name);
    return fits ? 0
                : fail(err, FIRN_CORRUPT,
                       "the map of %s names chunks %u to %llu of %s, which has no such blocks",
                       reader->object->name, extent->ordinal,
                       (unsigned long long)(extent->ordinal + extent->count - 1), name);
}

/* Adds the frames that an extent lies in. */
static int add_pieces(struct restore_reader *reader, struct window *window,
                      const struct map_extent *extent, struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (window_trailer(reader->repo, window, extent->pack, &trailer, err) < 0 ||
        check_chunks(reader, trailer, extent, err) < 0)
        return -1;
    for (uint64_t done = 0; done < extent->count;) {
        uint32_t first = extent->ordinal + (uint32_t)done;
        const struct pack_frame *frame = &trailer->frames[trailer->chunks[first].frame];
        uint64_t count = frame->first_chunk + frame->chunk_count - first;
        if (count > extent->count - done)
            count = extent->count - done;
        window->pieces[window->piece_count++] = (struct piece){
            .trailer = trailer,
            .pack = extent->pack,
            .frame = trailer->chunks[first].frame,
            .first_chunk = first,
            .count = (uint32_t)count,
            .unit = extent->start + done,
        };
        done += count;
    }
    return 0;
}

static int by_frame(const void *a, const void *b)
{
    const struct piece *left = a, *right = b;
    if (left->pack != right->pack)
        return left->pack < right->pack ? -1 : 1;
    if (left->frame != right->frame)
        return left->frame < right->frame ? -1 : 1;
    return left->unit < right->unit ? -1 : left->unit > right->unit;
}

/* The next extent to resolve, cut off at `units` units: 1; 0: none is left. */
static int next_extent(struct restore_reader *reader, uint64_t units, struct map_extent *out,
                       struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    if (volume->ahead.count == 0) {
        int more = volume->delta != NULL ? map_delta_next(volume->delta, &volume->ahead, err)
                                         : map_cursor_next(volume->cursor, &volume->ahead, err);
        if (more <= 0) {
            volume->ahead.count = 0;
            return more;
        }
    }
    *out = volume->ahead;
    if (out->pack != PACK_NONE && out->pack != PACK_LOST && out->count > units)
        out->count = units;
    volume->ahead.start += out->count;
    volume->ahead.count -= out->count;
    if (out->pack != PACK_NONE && out->pack != PACK_LOST)
        volume->ahead.ordinal += (uint32_t)out->count;
    return 1;
}

/* The volume may have shrunk since a parent was captured. */
static bool cut_to_length(struct map_extent *extent, uint64_t length)
{
    uint64_t units = (length + FORMAT_BLOCK_SIZE - 1) / FORMAT_BLOCK_SIZE;
    if (extent->start >= units)
        return false;
    if (extent->count > units - extent->start)
        extent->count = units - extent->start;
    return true;
}

static uint64_t cut_offset(const struct restore_reader *reader, uint64_t unit)
{
    uint64_t offset = unit * FORMAT_BLOCK_SIZE;
    return offset < reader->object->length ? offset : reader->object->length;
}

/* Adds an extent; of a whole volume what lies between it and the one before is zeros. Returns the units that it counts for:
 * n units make at most n pieces. */
static int64_t add_extent(struct restore_reader *reader, struct window *window,
                          const struct map_extent *extent, struct ready **zeros,
                          struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    uint64_t begin = extent->start * FORMAT_BLOCK_SIZE;
    uint64_t end = cut_offset(reader, extent->start + extent->count);
    if (extent->pack == PACK_NONE) {
        if (volume->delta != NULL)
            add_zeros(zeros, window, begin, end);
        return volume->delta != NULL;
    }
    size_t pieces = window->piece_count;
    auto_error struct firn_error *why = NULL;
    if (extent->pack == PACK_LOST)
        error_set(&why, FIRN_CORRUPT, "the map of %s is damaged there", reader->object->name);
    if (why != NULL || add_pieces(reader, window, extent, &why) < 0) {
        window->piece_count = pieces;
        if (restore_lose(reader, begin, end - begin, &why))
            return 0; /* as zeros, with what lies around it */
        return fail(err, error_code(why), "%s", error_message(why));
    }
    if (volume->delta == NULL)
        add_zeros(zeros, window, volume->position, begin);
    volume->position = (extent->start + extent->count) * FORMAT_BLOCK_SIZE;
    return (int64_t)extent->count;
}

static int fill(struct restore_reader *reader, struct window *window, struct ready **zeros,
                struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    uint64_t length = reader->object->length, units = 0;
    struct map_extent extent;
    int more = 1;
    while (units < WINDOW_UNITS && window->trailer_count < WINDOW_PACKS &&
           (more = next_extent(reader, WINDOW_UNITS - units, &extent, err)) > 0) {
        if (!cut_to_length(&extent, length)) {
            more = 0;
            break;
        }
        int64_t added = add_extent(reader, window, &extent, zeros, err);
        if (added < 0)
            return -1;
        units += (uint64_t)added;
    }
    if (more < 0)
        return -1;
    if (more == 0) {
        if (volume->delta == NULL)
            add_zeros(zeros, window, volume->position, length);
        volume->position = length;
        window->last = true;
    }
    return 0;
}

int window_resolve(struct restore_reader *reader, struct window **out, struct ready **zeros,
                   struct firn_error **err)
{
    struct window *window = mem_zalloc(sizeof(*window));
    window->start = reader->volume.position;
    window->pieces = mem_array(WINDOW_UNITS, sizeof(*window->pieces));
    window->trailers = mem_array(WINDOW_PACKS + 1, sizeof(*window->trailers));
    *zeros = NULL;
    if (fill(reader, window, zeros, err) < 0) {
        while (*zeros != NULL) {
            struct ready *zero = *zeros;
            *zeros = zero->next;
            free(zero);
        }
        window_free(reader->repo, window);
        return -1;
    }
    qsort(window->pieces, window->piece_count, sizeof(*window->pieces), by_frame);
    *out = window;
    return 0;
}
