/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a volume: workers take batches of neighbouring frames from the oldest window, decode
 * them, and put their extents in the ready list; a worker that finds nothing to take resolves the
 * next window.
 */
#include "core/cancel.h"
#include "core/mem.h"
#include "repo.h"
#include "restore_reader.h"
#include "store/store.h"

#include <time.h>
#include <unistd.h>

#define WORKERS_MAX  8u
#define WINDOWS_MAX  3u
#define BATCH_FRAMES 16u

/* Pieces [first, first + count) of one window: frames of one pack that are read at once. */
struct batch {
    struct window *window;
    size_t first;
    size_t count;
};

static void fail_reader_take(struct volume_reader *volume, struct firn_error *error)
{
    pthread_mutex_lock(&volume->lock);
    if (volume->error == NULL)
        volume->error = steal(error);
    pthread_cond_broadcast(&volume->work);
    pthread_cond_broadcast(&volume->returned);
    pthread_cond_broadcast(&volume->ready);
    pthread_mutex_unlock(&volume->lock);
    error_clear(&error);
}

/* The lock is held. */
static void append_ready(struct volume_reader *volume, struct ready *ready)
{
    ready->next = NULL;
    if (volume->last_ready != NULL)
        volume->last_ready->next = ready;
    else
        volume->first_ready = ready;
    volume->last_ready = ready;
    pthread_cond_signal(&volume->ready);
}

/* ------------------------------------------------------------------------------------------------ decoding */

/* A free frame buffer; NULL when the reader stops. */
static struct decoded *decoded_get(struct volume_reader *volume)
{
    pthread_mutex_lock(&volume->lock);
    while (volume->free_decoded == NULL && !volume->stopping && volume->error == NULL)
        pthread_cond_wait(&volume->returned, &volume->lock);
    struct decoded *decoded =
        volume->stopping || volume->error != NULL ? NULL : volume->free_decoded;
    if (decoded != NULL) {
        volume->free_decoded = decoded->next_free;
        decoded->holders = 1;
    }
    pthread_mutex_unlock(&volume->lock);
    return decoded;
}

/* The lock is held. */
static void decoded_release(struct volume_reader *volume, struct decoded *decoded)
{
    if (decoded == NULL || --decoded->holders > 0)
        return;
    decoded->next_free = volume->free_decoded;
    volume->free_decoded = decoded;
    pthread_cond_signal(&volume->returned);
}

/* Puts one extent into the ready list; data NULL: zeros. */
static void emit(struct restore_reader *reader, struct window *window, struct decoded *decoded,
                 uint64_t offset, uint64_t length, const uint8_t *data)
{
    struct volume_reader *volume = &reader->volume;
    if (offset >= reader->object->length)
        return;
    if (length > reader->object->length - offset)
        length = reader->object->length - offset;
    struct ready *ready = mem_alloc(sizeof(*ready));
    *ready = (struct ready){.window = window, .offset = offset, .length = length, .data = data};
    pthread_mutex_lock(&volume->lock);
    if (data != NULL) {
        ready->decoded = decoded;
        decoded->holders++;
    }
    window->undelivered++;
    append_ready(volume, ready);
    pthread_mutex_unlock(&volume->lock);
}

/* One extent for a piece; a block that was stored short (the end of a volume that has since grown) is followed by zeros. */
static void emit_piece(struct restore_reader *reader, struct window *window,
                       const struct piece *piece, struct decoded *decoded)
{
    const struct pack_chunk *chunks = &piece->trailer->chunks[piece->first_chunk];
    uint64_t begin = piece->unit * FORMAT_BLOCK_SIZE, length = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < piece->count; i++) {
        length += chunks[i].length;
        bool is_short = chunks[i].length < FORMAT_BLOCK_SIZE;
        if (!is_short && i + 1 < piece->count)
            continue;
        emit(reader, window, decoded, begin, length, decoded->data + chunks[first].offset);
        begin += length;
        if (is_short) {
            uint64_t rest = FORMAT_BLOCK_SIZE - chunks[i].length;
            emit(reader, window, NULL, begin, rest, NULL);
            begin += rest;
        }
        length = 0;
        first = i + 1;
    }
}

/* Pieces of a frame that cannot be read. False: that is an error. */
static bool lose_pieces(struct restore_reader *reader, struct window *window,
                        const struct piece *pieces, size_t count, struct firn_error **why)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = pieces[i].unit * FORMAT_BLOCK_SIZE;
        uint64_t length = (uint64_t)pieces[i].count * FORMAT_BLOCK_SIZE;
        auto_error struct firn_error *again = NULL;
        error_set(&again, error_code(*why), "%s", error_message(*why));
        if (!restore_lose(reader, offset, length, &again))
            return false;
        emit(reader, window, NULL, offset, length, NULL);
    }
    error_clear(why);
    return true;
}

static int decode_batch(struct restore_reader *reader, struct pack_reader *packs,
                        const struct batch *batch, struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    const struct piece *pieces = &batch->window->pieces[batch->first];
    uint32_t through = pieces[batch->count - 1].frame;
    for (size_t i = 0, same = 0; i < batch->count; i = same) {
        struct decoded *decoded = decoded_get(volume);
        if (decoded == NULL)
            return fail(err, FIRN_CANCELLED, "the restore was given up");
        auto_error struct firn_error *why = NULL;
        int result = pack_reader_frame(packs, pieces[i].trailer, pieces[i].frame, through,
                                       decoded->data, &why);
        for (same = i; same < batch->count && pieces[same].frame == pieces[i].frame; same++)
            if (result == 0)
                emit_piece(reader, batch->window, &pieces[same], decoded);
        bool lost = result < 0 && lose_pieces(reader, batch->window, &pieces[i], same - i, &why);
        pthread_mutex_lock(&volume->lock);
        decoded_release(volume, decoded);
        pthread_mutex_unlock(&volume->lock);
        if (result < 0 && !lost)
            return fail(err, error_code(why), "%s", error_message(why));
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ workers */

/* Whether `next` is read together with `first` and what follows it up to `last`. */
static bool is_near(const struct store_manner *manner, const struct piece *first,
                    const struct piece *last, const struct piece *next)
{
    if (next->pack != last->pack)
        return false;
    if (next->frame == last->frame)
        return true;
    const struct pack_frame *from = &last->trailer->frames[last->frame];
    const struct pack_frame *to = &next->trailer->frames[next->frame];
    return to->offset - (from->offset + from->stored) <= manner->gap &&
           pack_span(next->trailer, first->frame, next->frame) <= manner->range;
}

/* Takes the next pieces of the oldest window that has any; the lock is held. */
static bool take_batch(struct restore_reader *reader, struct batch *batch)
{
    const struct store_manner *manner = store_manner(reader->repo->store);
    struct window *window = reader->volume.first_window;
    while (window != NULL && window->taken == window->piece_count)
        window = window->next;
    if (window == NULL)
        return false;
    size_t end = window->taken;
    uint32_t frames = 0;
    const struct piece *first = &window->pieces[end], *last = first;
    for (; end < window->piece_count; end++) {
        const struct piece *piece = &window->pieces[end];
        if (!is_near(manner, first, last, piece) ||
            (piece->frame != last->frame && ++frames == BATCH_FRAMES))
            break;
        last = piece;
    }
    *batch = (struct batch){.window = window, .first = window->taken, .count = end - window->taken};
    window->taken = end;
    return true;
}

static void append_window(struct volume_reader *volume, struct window *window, struct ready *zeros)
{
    if (volume->last_window != NULL)
        volume->last_window->next = window;
    else
        volume->first_window = window;
    volume->last_window = window;
    volume->window_count++;
    volume->resolved = window->last;
    while (zeros != NULL) {
        struct ready *next = zeros->next;
        append_ready(volume, zeros);
        zeros = next;
    }
}

/* Resolves one window; the lock is held on entry and return. */
static void resolve(struct restore_reader *reader)
{
    struct volume_reader *volume = &reader->volume;
    struct firn_error *error = NULL;
    struct window *window = NULL;
    struct ready *zeros = NULL;
    volume->resolving = true;
    pthread_mutex_unlock(&volume->lock);
    int result = window_resolve(reader, &window, &zeros, &error);
    if (result < 0)
        fail_reader_take(volume, error);
    pthread_mutex_lock(&volume->lock);
    volume->resolving = false;
    if (result == 0)
        append_window(volume, window, zeros);
    pthread_cond_broadcast(&volume->work);
    pthread_cond_broadcast(&volume->ready);
}

static void work(struct restore_reader *reader, struct pack_reader *packs)
{
    struct volume_reader *volume = &reader->volume;
    pthread_mutex_lock(&volume->lock);
    while (!volume->stopping && volume->error == NULL) {
        struct batch batch;
        if (take_batch(reader, &batch)) {
            struct firn_error *error = NULL;
            pthread_mutex_unlock(&volume->lock);
            if (decode_batch(reader, packs, &batch, &error) < 0)
                fail_reader_take(volume, error);
            pthread_mutex_lock(&volume->lock);
            batch.window->done += batch.count;
            if (batch.window->done == batch.window->piece_count) /* it may have been the last one */
                pthread_cond_broadcast(&volume->ready);
        } else if (!volume->resolving && !volume->resolved && volume->window_count < WINDOWS_MAX) {
            resolve(reader);
        } else {
            pthread_cond_wait(&volume->work, &volume->lock);
        }
    }
    pthread_mutex_unlock(&volume->lock);
}

static void *worker(void *argument)
{
    struct restore_reader *reader = argument;
    struct pack_reader *packs = NULL;
    struct firn_error *error = NULL;
    if (pack_reader_new(reader->repo, &packs, &error) < 0)
        fail_reader_take(&reader->volume, error);
    else
        work(reader, packs);
    pack_reader_free(packs);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ life */

static int start(struct restore_reader *reader, unsigned workers, struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    volume->decoded_count = 2 * workers + 6;
    volume->decoded = mem_array(volume->decoded_count, sizeof(*volume->decoded));
    volume->decoded_memory = mem_aligned(volume->decoded_count * (size_t)FORMAT_CHUNK_MAX);
    for (size_t i = 0; i < volume->decoded_count; i++) {
        volume->decoded[i].data = volume->decoded_memory + i * (size_t)FORMAT_CHUNK_MAX;
        volume->decoded[i].next_free = volume->free_decoded;
        volume->free_decoded = &volume->decoded[i];
    }
    volume->threads = mem_array(workers, sizeof(*volume->threads));
    for (; volume->thread_count < workers; volume->thread_count++)
        if (pthread_create(&volume->threads[volume->thread_count], NULL, worker, reader) != 0)
            return fail(err, FIRN_INTERNAL, "cannot start a thread");
    return 0;
}

static int start_workers(struct restore_reader *reader, unsigned workers, struct firn_error **err)
{
    if (workers == 0)
        workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (workers < store_manner(reader->repo->store)->readers)
        workers = store_manner(reader->repo->store)->readers;
    return start(reader, workers > WORKERS_MAX ? WORKERS_MAX : workers, err);
}

/* A cursor that goes on behind damage begins at 0: moves it to the first extent that ends behind `unit`, which is next. */
static int open_behind_damage(struct restore_reader *reader, uint64_t unit, struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    struct map_extent *ahead = &volume->ahead;
    int more = 0;
    if (map_cursor_open_salvage(reader->repo, &reader->object->map, &volume->cursor, err) < 0)
        return -1;
    while ((more = map_cursor_next(volume->cursor, ahead, err)) > 0 &&
           ahead->start + ahead->count <= unit)
        ;
    if (more <= 0) {
        ahead->count = 0;
        return more;
    }
    if (ahead->start < unit) {
        uint64_t before = unit - ahead->start;
        ahead->start = unit;
        ahead->count -= before;
        if (ahead->pack != PACK_NONE && ahead->pack != PACK_LOST)
            ahead->ordinal += (uint32_t)before;
    }
    return 0;
}

int volume_open(struct restore_reader *reader, uint64_t start_offset, unsigned workers,
                struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    if (start_offset % FORMAT_BLOCK_SIZE != 0)
        return fail(err, FIRN_INVALID, "%s: a volume is read from a multiple of %u bytes",
                    reader->object->name, FORMAT_BLOCK_SIZE);
    volume->position = start_offset;
    int result = reader->salvage != NULL
                     ? open_behind_damage(reader, start_offset / FORMAT_BLOCK_SIZE, err)
                     : map_cursor_open(reader->repo, &reader->object->map,
                                       start_offset / FORMAT_BLOCK_SIZE, &volume->cursor, err);
    if (result < 0)
        return -1;
    return start_workers(reader, workers, err);
}

static struct map_side side_of(const struct snapshot_object *object)
{
    return (struct map_side){&object->map, snapshot_object_units(object)};
}

int volume_open_changes(struct restore_reader *reader, const struct snapshot_object *base,
                        unsigned workers, struct firn_error **err)
{
    if (map_delta_open(reader->repo, side_of(reader->object), side_of(base), &reader->volume.delta,
                       err) < 0)
        return -1;
    return start_workers(reader, workers, err);
}

void volume_close(struct restore_reader *reader)
{
    struct volume_reader *volume = &reader->volume;
    pthread_mutex_lock(&volume->lock);
    volume->stopping = true;
    pthread_cond_broadcast(&volume->work);
    pthread_cond_broadcast(&volume->returned);
    pthread_mutex_unlock(&volume->lock);
    for (unsigned i = 0; i < volume->thread_count; i++)
        pthread_join(volume->threads[i], NULL);
    while (volume->first_window != NULL) {
        struct window *window = volume->first_window;
        volume->first_window = window->next;
        window_free(reader->repo, window);
    }
    while (volume->first_ready != NULL) {
        struct ready *ready = volume->first_ready;
        volume->first_ready = ready->next;
        free(ready);
    }
    free(volume->decoded_memory);
    free(volume->decoded);
    free(volume->threads);
    map_cursor_free(volume->cursor);
    map_delta_free(volume->delta);
    error_clear(&volume->error);
}

/* ------------------------------------------------------------------------------------------------ the reader's side */

/* Drops windows that are wholly handed out; the lock is held. */
static void retire_windows(struct restore_reader *reader)
{
    struct volume_reader *volume = &reader->volume;
    while (volume->first_window != NULL &&
           volume->first_window->done == volume->first_window->piece_count &&
           volume->first_window->undelivered == 0) {
        struct window *window = volume->first_window;
        volume->first_window = window->next;
        if (volume->first_window == NULL)
            volume->last_window = NULL;
        volume->window_count--;
        window_free(reader->repo, window);
        pthread_cond_broadcast(&volume->work);
    }
}

/* Waits for an extent: 1; 0: there is none any more; -1. The lock is held. */
static int wait_ready(struct restore_reader *reader, struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    for (;;) {
        if (volume->error != NULL)
            return fail(err, volume->error->code, "%s", volume->error->message);
        if (cancel_check(err) < 0)
            return -1;
        retire_windows(reader);
        if (volume->first_ready != NULL)
            return 1;
        if (!volume->resolving && volume->resolved && volume->first_window == NULL)
            return 0;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&volume->ready, &volume->lock, &until);
    }
}

int restore_next(struct restore_reader *reader, struct firn_extent *extent, struct firn_error **err)
{
    struct volume_reader *volume = &reader->volume;
    if (reader->object->kind != FIRN_OBJECT_VOLUME)
        return fail(err, FIRN_INVALID, "%s is not a volume", reader->object->name);
    pthread_mutex_lock(&volume->lock);
    int result = wait_ready(reader, err);
    if (result == 1) {
        struct ready *ready = volume->first_ready;
        volume->first_ready = ready->next;
        if (volume->first_ready == NULL)
            volume->last_ready = NULL;
        extent->offset = ready->offset;
        extent->length = ready->length;
        extent->data = ready->data;
        extent->frontier = volume->first_window->start;
        extent->cookie = ready->decoded;
        ready->window->undelivered--;
        free(ready);
    }
    pthread_mutex_unlock(&volume->lock);
    return result;
}

void restore_release(struct restore_reader *reader, struct firn_extent *extent)
{
    struct volume_reader *volume = &reader->volume;
    pthread_mutex_lock(&volume->lock);
    decoded_release(volume, extent->cookie);
    extent->cookie = NULL;
    extent->data = NULL;
    pthread_mutex_unlock(&volume->lock);
}
