/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full packs on their way into the store: made durable by threads of their own, as many at once as
 * the store has use for, while the next pack is filled. The packing thread waits when all of them
 * have one, so that memory stays bounded.
 */
#include "core/mem.h"
#include "index.h"
#include "pipeline_stages.h"
#include "repo.h"
#include "store/store.h"

unsigned finish_threads(const struct pipeline *pipeline)
{
    return store_manner(pipeline->repo->store)->writers;
}

void finish_queue_take(struct pipeline *pipeline, struct open_pack *pack)
{
    pthread_mutex_lock(&pipeline->lock);
    while (pipeline->finishing >= finish_threads(pipeline) && pipeline->error == NULL)
        pthread_cond_wait(&pipeline->space, &pipeline->lock);
    bool failed = pipeline->error != NULL;
    if (!failed) {
        pack->next = NULL;
        if (pipeline->last_full != NULL)
            pipeline->last_full->next = pack;
        else
            pipeline->first_full = pack;
        pipeline->last_full = pack;
        pipeline->finishing++;
        pthread_cond_signal(&pipeline->full);
    }
    pthread_mutex_unlock(&pipeline->lock);
    if (failed)
        open_pack_abandon_take(pipeline, pack);
}

static int finish_take(struct pipeline *pipeline, struct open_pack *pack, struct firn_error **err)
{
    uint64_t stored = pack_writer_stored(pack->writer);
    int result = pack_writer_finish(steal(pack->writer), NULL, 0, err);
    if (result == 0) {
        pack_table_set_present(pipeline->repo->packs, pack->number);
        index_pack_end(pipeline->index, pack->number);
        pthread_mutex_lock(&pipeline->lock);
        pipeline->statistics.packs++;
        pipeline->statistics.bytes_stored += stored;
        pthread_mutex_unlock(&pipeline->lock);
    } else {
        index_pack_abandon(pipeline->index, pack->number);
    }
    free(pack);
    return result;
}

/* The first full pack; the lock is held. */
static struct open_pack *next_full(struct pipeline *pipeline)
{
    struct open_pack *pack = pipeline->first_full;
    pipeline->first_full = pack->next;
    if (pipeline->first_full == NULL)
        pipeline->last_full = NULL;
    return pack;
}

void *finish_thread(void *argument)
{
    struct pipeline *pipeline = argument;
    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->stopping) {
        if (pipeline->first_full == NULL) {
            pthread_cond_wait(&pipeline->full, &pipeline->lock);
            continue;
        }
        struct open_pack *pack = next_full(pipeline);
        struct firn_error *error = NULL;
        bool skip = pipeline->error != NULL;
        pthread_mutex_unlock(&pipeline->lock);
        if (skip)
            open_pack_abandon_take(pipeline, pack);
        else if (finish_take(pipeline, pack, &error) < 0)
            pipeline_fail_take(pipeline, error);
        pthread_mutex_lock(&pipeline->lock);
        pipeline->finishing--;
        pthread_cond_broadcast(&pipeline->space);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return NULL;
}

void finish_all(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->lock);
    while (pipeline->finishing > 0)
        pthread_cond_wait(&pipeline->space, &pipeline->lock);
    pipeline->finished = pipeline->error == NULL;
    pthread_cond_broadcast(&pipeline->space);
    pthread_mutex_unlock(&pipeline->lock);
}
