/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way from dedup to the store: compressed on the workers, then sealed and appended
 * to their packs by one thread, in the order in which dedup gave out the places.
 */
#include "compress.h"
#include "core/mem.h"
#include "index.h"
#include "pipeline_stages.h"
#include "repo.h"

struct frame *frame_get(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->lock);
    while (pipeline->free_frames == NULL)
        pthread_cond_wait(&pipeline->released, &pipeline->lock);
    struct frame *frame = pipeline->free_frames;
    pipeline->free_frames = frame->next;
    pthread_mutex_unlock(&pipeline->lock);
    frame->next = NULL;
    frame->pack = NULL;
    frame->buffer = NULL;
    frame->source = NULL;
    frame->raw = 0;
    frame->count = 0;
    frame->ready = false;
    return frame;
}

void frame_queue(struct pipeline *pipeline, struct frame *frame)
{
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->last_frame != NULL)
        pipeline->last_frame->next = frame;
    else
        pipeline->first_frame = frame;
    pipeline->last_frame = frame;
    if (pipeline->next_to_compress == NULL)
        pipeline->next_to_compress = frame;
    pthread_cond_signal(&pipeline->work);
    pthread_mutex_unlock(&pipeline->lock);
}

int frame_compress(struct compressor *compressor, struct frame *frame, struct firn_error **err)
{
    if (frame->count == 0)
        return 0;
    return compressor_run_into(compressor, frame->source, frame->raw, frame->packed,
                               &frame->payload, &frame->payload_length, &frame->compressed, err);
}

/* The index outlives the pipeline: what it was told of the pack must not be found by the next capture. */
void open_pack_abandon_take(struct pipeline *pipeline, struct open_pack *pack)
{
    if (pack == NULL)
        return;
    index_pack_abandon(pipeline->index, pack->number);
    pack_writer_abort(pack->writer);
    free(pack);
}

int frame_pack(struct pipeline *pipeline, struct frame *frame, struct firn_error **err)
{
    struct open_pack *pack = frame->pack;
    if (pack == NULL) {
        finish_all(pipeline);
        return 0;
    }
    if (frame->count == 0) {
        finish_queue_take(pipeline, steal(frame->pack));
        return 0;
    }
    if (pack_writer_append(pack->writer, frame->payload, frame->payload_length, frame->raw,
                           frame->compressed, frame->chunks, frame->count, err) < 0)
        return -1;
    atomic_store(&pack->stored, pack_writer_stored(pack->writer));
    return 0;
}

void frame_release(struct pipeline *pipeline, struct frame *frame)
{
    if (frame->buffer != NULL)
        pipeline_buffer_release(pipeline, steal(frame->buffer));
    frame->next = pipeline->free_frames;
    pipeline->free_frames = frame;
    pthread_cond_signal(&pipeline->released);
}
