/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dedup: gives each chunk its place, an old one that the index knows, or the next one in the pack
 * being filled; gathers new chunks into frames. One thread, in the order of submission.
 */
#include "core/mem.h"
#include "index.h"
#include "pipeline_stages.h"
#include "repo.h"

#include <string.h>

#define FRAME_LEAST (FORMAT_FRAME_RAW / 4)

static int open_pack(struct pipeline *pipeline, struct firn_error **err)
{
    struct open_pack *pack = mem_zalloc(sizeof(*pack));
    if (pack_writer_open(pipeline->repo, FORMAT_DATA, &pack->writer, err) < 0 ||
        pack_table_number(pipeline->repo->packs, pack_writer_id(pack->writer), &pack->number, err) <
            0) {
        pack_writer_abort(pack->writer);
        free(pack);
        return -1;
    }
    index_pack_begin(pipeline->index, pack->number);
    pipeline->pack = pack;
    return 0;
}

static void close_frame(struct pipeline *pipeline)
{
    if (pipeline->frame != NULL)
        frame_queue(pipeline, steal(pipeline->frame));
}

/* The end of a pack travels behind its frames, as a frame without chunks. */
static void close_pack(struct pipeline *pipeline)
{
    close_frame(pipeline);
    if (pipeline->pack == NULL)
        return;
    struct frame *end = frame_get(pipeline);
    end->pack = steal(pipeline->pack);
    frame_queue(pipeline, end);
}

/* Copies what the frame has into its own memory, so that it no longer needs the buffer. */
static void frame_gather(struct pipeline *pipeline, struct frame *frame)
{
    if (frame->buffer == NULL)
        return;
    memcpy(frame->gathered, frame->source, frame->raw);
    frame->source = frame->gathered;
    pthread_mutex_lock(&pipeline->lock);
    pipeline_buffer_release(pipeline, steal(frame->buffer));
    pthread_mutex_unlock(&pipeline->lock);
}

static void frame_begin(struct pipeline *pipeline, struct buffer *buffer, const uint8_t *data)
{
    struct frame *frame = frame_get(pipeline);
    pthread_mutex_lock(&pipeline->lock);
    buffer->holders++;
    pthread_mutex_unlock(&pipeline->lock);
    frame->pack = pipeline->pack;
    frame->buffer = buffer;
    frame->source = data;
    pipeline->frame = frame;
}

/* Appends a chunk to the frame being filled, without a copy as long as its chunks are neighbours in one buffer. */
static void frame_add(struct pipeline *pipeline, struct job *job, uint32_t number,
                      const uint8_t *data)
{
    uint32_t length = job->lengths[number];
    if (pipeline->frame == NULL) {
        frame_begin(pipeline, job->buffer, data);
    } else if (pipeline->frame->source + pipeline->frame->raw != data) {
        frame_gather(pipeline, pipeline->frame);
        memcpy(pipeline->frame->gathered + pipeline->frame->raw, data, length);
    }
    struct frame *frame = pipeline->frame;
    struct pack_chunk *chunk = &frame->chunks[frame->count++];
    *chunk = (struct pack_chunk){.kind = (uint8_t)job->kind, .length = length};
    memcpy(chunk->fingerprint, job->fingerprints[number], FORMAT_FINGERPRINT_LENGTH);
    frame->raw += length;
}

static bool pack_is_full(const struct open_pack *pack)
{
    return pack->chunks + PIPELINE_CHUNKS > FORMAT_PACK_CHUNKS ||
           atomic_load(&pack->stored) >= FORMAT_PACK_STORED;
}

/* The frame that is being filled is full. */
static void end_frame(struct pipeline *pipeline)
{
    close_frame(pipeline);
    if (pack_is_full(pipeline->pack))
        close_pack(pipeline);
}

static int store_chunk(struct pipeline *pipeline, struct job *job, uint32_t number,
                       const uint8_t *data, struct map_extent *place, struct firn_error **err)
{
    if (pipeline->frame != NULL && pipeline->frame->raw + job->lengths[number] > FORMAT_FRAME_RAW)
        end_frame(pipeline);
    if (pipeline->pack == NULL && open_pack(pipeline, err) < 0)
        return -1;
    frame_add(pipeline, job, number, data);
    index_pack_add(pipeline->index, pipeline->pack->number, job->kind, job->fingerprints[number]);
    place->pack = pipeline->pack->number;
    place->ordinal = pipeline->pack->chunks++;
    /* At once, before its buffer goes and all of it would have to be copied. */
    if (pipeline->frame->raw == FORMAT_FRAME_RAW || pipeline->frame->count == PIPELINE_CHUNKS)
        end_frame(pipeline);
    return 0;
}

/* Finds or makes the place of one chunk. */
static int place_chunk(struct pipeline *pipeline, struct job *job, uint32_t number,
                       const uint8_t *data, struct map_extent *place,
                       struct pipeline_statistics *figures, struct firn_error **err)
{
    *place = (struct map_extent){.start = job->unit + number, .count = 1, .pack = PACK_NONE};
    figures->bytes_read += job->lengths[number];
    if (job->zero[number]) {
        figures->bytes_zero += job->lengths[number];
        return 0;
    }
    int found = index_find(pipeline->index, job->kind, job->fingerprints[number], &place->pack,
                           &place->ordinal, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    figures->bytes_new += job->lengths[number];
    return store_chunk(pipeline, job, number, data, place, err);
}

static int place_chunks(struct pipeline *pipeline, struct job *job,
                        struct pipeline_statistics *figures, struct firn_error **err)
{
    struct map_extent pending = {0}, place;
    const uint8_t *data = job->buffer->data;
    const uint8_t(*fingerprints)[FORMAT_FINGERPRINT_LENGTH] = (const void *)job->fingerprints;
    if (index_look_ahead(pipeline->index, fingerprints, job->count, err) < 0)
        return -1;
    for (uint32_t i = 0; i < job->count; i++) {
        if (place_chunk(pipeline, job, i, data, &place, figures, err) < 0)
            return -1;
        data += job->lengths[i];
        if (pending.count > 0 && map_extent_join(&pending, &place))
            continue;
        if (pending.count > 0 && job->owner->place(job->owner, &pending, err) < 0)
            return -1;
        pending = place;
    }
    return job->owner->place(job->owner, &pending, err);
}

/* The buffer of the frame being filled goes. A frame that is large enough ends here: to copy it, and all that follows until
 * buffers and frames happen to end together, costs more than larger frames save. */
static void leave_buffer(struct pipeline *pipeline)
{
    if (pipeline->frame->raw >= FRAME_LEAST)
        end_frame(pipeline);
    else
        frame_gather(pipeline, pipeline->frame);
}

int dedup_place(struct pipeline *pipeline, struct job *job, struct firn_error **err)
{
    if (job->owner == NULL) {
        close_pack(pipeline);
        struct frame *end = frame_get(pipeline); /* without a pack: the end of everything */
        frame_queue(pipeline, end);
        return 0;
    }
    if (job->buffer == NULL) {
        struct map_extent zeros = {.start = job->unit, .count = job->zero_units, .pack = PACK_NONE};
        return job->owner->place(job->owner, &zeros, err);
    }
    if (job->owner->expect != NULL)
        job->owner->expect(job->owner, job->unit, job->count);
    struct pipeline_statistics figures = {0};
    int result = place_chunks(pipeline, job, &figures, err);
    if (pipeline->frame != NULL && pipeline->frame->buffer == job->buffer)
        leave_buffer(pipeline);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->statistics.bytes_read += figures.bytes_read;
    pipeline->statistics.bytes_zero += figures.bytes_zero;
    pipeline->statistics.bytes_new += figures.bytes_new;
    pthread_mutex_unlock(&pipeline->lock);
    return result;
}
