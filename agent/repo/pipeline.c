/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include "compress.h"
#include "core/cancel.h"
#include "core/mem.h"
#include "crypt.h"
#include "pipeline_stages.h"
#include "repo.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 8u
#define ZERO_JOBS   64u /* submissions without a buffer that may wait */

void pipeline_fail_take(struct pipeline *pipeline, struct firn_error *error)
{
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->error == NULL)
        pipeline->error = steal(error);
    pthread_cond_broadcast(&pipeline->returned);
    pthread_cond_broadcast(&pipeline->space);
    pthread_mutex_unlock(&pipeline->lock);
    error_clear(&error);
}

bool pipeline_failed(struct pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->lock);
    bool failed = pipeline->error != NULL;
    pthread_mutex_unlock(&pipeline->lock);
    return failed;
}

/* Says again, to another caller, what the pipeline failed with. */
static int fail_again(struct pipeline *pipeline, struct firn_error **err)
{
    return fail(err, pipeline->error->code, "%s", pipeline->error->message);
}

/* ------------------------------------------------------------------------------------------------ threads */

/* Does one piece of work; the lock is held on entry and on return. Returns false if there was none. */
static bool work_once(struct pipeline *pipeline, struct fingerprinter *fingerprinter,
                      struct compressor *compressor)
{
    struct firn_error *error = NULL;
    bool skip = pipeline->error != NULL;
    if (pipeline->next_to_compress != NULL) { /* first what makes room */
        struct frame *frame = pipeline->next_to_compress;
        pipeline->next_to_compress = frame->next;
        pthread_mutex_unlock(&pipeline->lock);
        if (!skip && frame_compress(compressor, frame, &error) < 0)
            pipeline_fail_take(pipeline, error);
        pthread_mutex_lock(&pipeline->lock);
        frame->ready = true;
        if (frame == pipeline->first_frame) /* else packing has nothing to do yet */
            pthread_cond_signal(&pipeline->packable);
        return true;
    }
    if (pipeline->next_to_hash != NULL) {
        struct job *job = pipeline->next_to_hash;
        pipeline->next_to_hash = job->next;
        pthread_mutex_unlock(&pipeline->lock);
        if (!skip && job->buffer != NULL && block_hash(fingerprinter, job, &error) < 0)
            pipeline_fail_take(pipeline, error);
        pthread_mutex_lock(&pipeline->lock);
        job->hashed = true;
        if (job == pipeline->first_job)
            pthread_cond_signal(&pipeline->hashed);
        return true;
    }
    return false;
}

static int worker_tools(struct pipeline *pipeline, struct fingerprinter **fingerprinter,
                        struct compressor **compressor, struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    int result = keyring_fingerprint_key(&pipeline->repo->keyring, key, err);
    if (result == 0)
        result = fingerprinter_new(key, fingerprinter, err);
    OPENSSL_cleanse(key, sizeof(key));
    return result < 0 ? -1 : compressor_new(pipeline->level, compressor, err);
}

static void *worker(void *argument)
{
    struct pipeline *pipeline = argument;
    struct fingerprinter *fingerprinter = NULL;
    struct compressor *compressor = NULL;
    struct firn_error *error = NULL;
    if (worker_tools(pipeline, &fingerprinter, &compressor, &error) < 0)
        pipeline_fail_take(pipeline, error);
    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->stopping) {
        if (!work_once(pipeline, fingerprinter, compressor))
            pthread_cond_wait(&pipeline->work, &pipeline->lock);
    }
    pthread_mutex_unlock(&pipeline->lock);
    fingerprinter_free(fingerprinter);
    compressor_free(compressor);
    return NULL;
}

static void job_done(struct pipeline *pipeline, struct job *job)
{
    if (job->buffer != NULL) {
        pipeline_buffer_release(pipeline, steal(job->buffer));
        pipeline->data_jobs--;
    }
    if (job->owner != NULL)
        job->owner->pending--;
    job->next = pipeline->free_jobs;
    pipeline->free_jobs = job;
    pthread_cond_broadcast(&pipeline->space);
}

static void *dedup_thread(void *argument)
{
    struct pipeline *pipeline = argument;
    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->stopping) {
        struct job *job = pipeline->first_job;
        if (job == NULL || !job->hashed) {
            pthread_cond_wait(&pipeline->hashed, &pipeline->lock);
            continue;
        }
        struct firn_error *error = NULL;
        bool skip = pipeline->error != NULL;
        pthread_mutex_unlock(&pipeline->lock);
        if (!skip && dedup_place(pipeline, job, &error) < 0)
            pipeline_fail_take(pipeline, error);
        pthread_mutex_lock(&pipeline->lock);
        pipeline->first_job = job->next;
        if (pipeline->first_job == NULL)
            pipeline->last_job = NULL;
        job_done(pipeline, job);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return NULL;
}

static void *packing_thread(void *argument)
{
    struct pipeline *pipeline = argument;
    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->stopping) {
        struct frame *frame = pipeline->first_frame;
        if (frame == NULL || !frame->ready) {
            pthread_cond_wait(&pipeline->packable, &pipeline->lock);
            continue;
        }
        struct firn_error *error = NULL;
        bool skip = pipeline->error != NULL;
        pthread_mutex_unlock(&pipeline->lock);
        if (!skip && frame_pack(pipeline, frame, &error) < 0)
            pipeline_fail_take(pipeline, error);
        pthread_mutex_lock(&pipeline->lock);
        /* A pack whose end was skipped is given up here, with its frames. */
        if (frame->count == 0)
            open_pack_abandon_take(pipeline, steal(frame->pack));
        pipeline->first_frame = frame->next;
        if (pipeline->first_frame == NULL)
            pipeline->last_frame = NULL;
        frame_release(pipeline, frame);
        if (pipeline->first_frame == NULL)
            pthread_cond_broadcast(&pipeline->space); /* who stops the threads waits for it */
    }
    pthread_mutex_unlock(&pipeline->lock);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ life */

static void make_pools(struct pipeline *pipeline, unsigned workers)
{
    pipeline->data_jobs_most = 4 * (size_t)workers;
    pipeline->buffer_count = pipeline->data_jobs_most + PIPELINE_LENT_MAX + PIPELINE_STAGES_MAX;
    pipeline->buffers = mem_array(pipeline->buffer_count, sizeof(*pipeline->buffers));
    pipeline->buffer_memory = mem_aligned(pipeline->buffer_count * (size_t)PIPELINE_BUFFER);
    for (size_t i = 0; i < pipeline->buffer_count; i++) {
        struct buffer *buffer = &pipeline->buffers[i];
        buffer->data = pipeline->buffer_memory + i * PIPELINE_BUFFER;
        buffer->next_free = pipeline->free_buffers;
        pipeline->free_buffers = buffer;
    }
    size_t jobs = pipeline->buffer_count + ZERO_JOBS;
    pipeline->jobs = mem_array(jobs, sizeof(*pipeline->jobs));
    for (size_t i = 0; i < jobs; i++) {
        pipeline->jobs[i].next = pipeline->free_jobs;
        pipeline->free_jobs = &pipeline->jobs[i];
    }
    pipeline->frame_count = 2 * workers + 4;
    pipeline->frames = mem_array(pipeline->frame_count, sizeof(*pipeline->frames));
    pipeline->frame_memory = mem_aligned(pipeline->frame_count * (size_t)(2 * FORMAT_CHUNK_MAX));
    for (size_t i = 0; i < pipeline->frame_count; i++) {
        struct frame *frame = &pipeline->frames[i];
        frame->gathered = pipeline->frame_memory + i * (size_t)(2 * FORMAT_CHUNK_MAX);
        frame->packed = frame->gathered + FORMAT_CHUNK_MAX;
        frame->next = pipeline->free_frames;
        pipeline->free_frames = frame;
    }
}

static int start_thread(struct pipeline *pipeline, void *(*run)(void *), struct firn_error **err)
{
    if (pthread_create(&pipeline->threads[pipeline->thread_count], NULL, run, pipeline) != 0)
        return fail(err, FIRN_INTERNAL, "cannot start a thread");
    pipeline->thread_count++;
    return 0;
}

static int start_threads(struct pipeline *pipeline, unsigned workers, struct firn_error **err)
{
    unsigned finishing = finish_threads(pipeline);
    pipeline->threads = mem_array(workers + finishing + 2, sizeof(*pipeline->threads));
    for (unsigned i = 0; i < workers; i++)
        if (start_thread(pipeline, worker, err) < 0)
            return -1;
    for (unsigned i = 0; i < finishing; i++)
        if (start_thread(pipeline, finish_thread, err) < 0)
            return -1;
    if (start_thread(pipeline, dedup_thread, err) < 0)
        return -1;
    return start_thread(pipeline, packing_thread, err);
}

int pipeline_new(struct repo *repo, struct index *index, int level, unsigned workers,
                 struct pipeline **out, struct firn_error **err)
{
    if (workers == 0)
        workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (workers > WORKERS_MAX)
        workers = WORKERS_MAX;
    struct pipeline *pipeline = mem_zalloc(sizeof(*pipeline));
    pipeline->repo = repo;
    pipeline->index = index;
    pipeline->level = level;
    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pipeline->work, NULL);
    pthread_cond_init(&pipeline->hashed, NULL);
    pthread_cond_init(&pipeline->packable, NULL);
    pthread_cond_init(&pipeline->full, NULL);
    pthread_cond_init(&pipeline->returned, &monotonic);
    pthread_cond_init(&pipeline->released, NULL);
    pthread_cond_init(&pipeline->space, &monotonic);
    pthread_condattr_destroy(&monotonic);
    make_pools(pipeline, workers);
    if (start_threads(pipeline, workers, err) < 0) {
        pipeline_free(pipeline);
        return -1;
    }
    *out = pipeline;
    return 0;
}

static void stop_threads(struct pipeline *pipeline)
{
    /* Dedup may wait for a frame that only packing gives back: with an error set, all of them come back. */
    pthread_mutex_lock(&pipeline->lock);
    if (pipeline->error == NULL && !pipeline->finished)
        error_set(&pipeline->error, FIRN_CANCELLED, "the backup was given up");
    while (pipeline->first_job != NULL || pipeline->first_frame != NULL || pipeline->finishing > 0)
        pthread_cond_wait(&pipeline->space, &pipeline->lock);
    pipeline->stopping = true;
    pthread_cond_broadcast(&pipeline->work);
    pthread_cond_broadcast(&pipeline->hashed);
    pthread_cond_broadcast(&pipeline->packable);
    pthread_cond_broadcast(&pipeline->full);
    pthread_mutex_unlock(&pipeline->lock);
    for (size_t i = 0; i < pipeline->thread_count; i++)
        pthread_join(pipeline->threads[i], NULL);
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    stop_threads(pipeline);
    open_pack_abandon_take(pipeline, pipeline->pack);
    free(pipeline->frames);
    free(pipeline->frame_memory);
    free(pipeline->jobs);
    free(pipeline->buffers);
    free(pipeline->buffer_memory);
    free(pipeline->threads);
    error_clear(&pipeline->error);
    pthread_cond_destroy(&pipeline->work);
    pthread_cond_destroy(&pipeline->hashed);
    pthread_cond_destroy(&pipeline->packable);
    pthread_cond_destroy(&pipeline->full);
    pthread_cond_destroy(&pipeline->returned);
    pthread_cond_destroy(&pipeline->released);
    pthread_cond_destroy(&pipeline->space);
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline);
}

/* ------------------------------------------------------------------------------------------------ buffers */

/* Waits for something to become free, but looks at cancellation twice a second. The lock is held. */
static int wait_for(struct pipeline *pipeline, pthread_cond_t *condition, struct firn_error **err)
{
    if (pipeline->error != NULL)
        return fail_again(pipeline, err);
    if (cancel_check(err) < 0)
        return -1;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 500000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(condition, &pipeline->lock, &until);
    return 0;
}

int pipeline_buffer_get(struct pipeline *pipeline, void **data, struct firn_error **err)
{
    int result = cancel_check(err);
    pthread_mutex_lock(&pipeline->lock);
    if (result == 0 && pipeline->error != NULL)
        result = fail_again(pipeline, err);
    while (result == 0 && pipeline->free_buffers == NULL)
        result = wait_for(pipeline, &pipeline->returned, err);
    if (result == 0) {
        struct buffer *buffer = pipeline->free_buffers;
        pipeline->free_buffers = buffer->next_free;
        buffer->holders = 1;
        buffer->lent = true;
        *data = buffer->data;
    }
    pthread_mutex_unlock(&pipeline->lock);
    return result;
}

/* The buffer that data is, if it is lent; the lock is held. */
static struct buffer *lent_buffer(struct pipeline *pipeline, const void *data)
{
    uintptr_t distance = (uintptr_t)data - (uintptr_t)pipeline->buffer_memory;
    size_t number = distance / PIPELINE_BUFFER;
    if (distance % PIPELINE_BUFFER != 0 || number >= pipeline->buffer_count ||
        !pipeline->buffers[number].lent)
        return NULL;
    return &pipeline->buffers[number];
}

int pipeline_buffer_check(struct pipeline *pipeline, const void *data, struct firn_error **err)
{
    pthread_mutex_lock(&pipeline->lock);
    bool lent = lent_buffer(pipeline, data) != NULL;
    pthread_mutex_unlock(&pipeline->lock);
    return lent ? 0 : fail(err, FIRN_INVALID, "a buffer was given back that was not borrowed");
}

void pipeline_buffer_release(struct pipeline *pipeline, struct buffer *buffer)
{
    assert(buffer->holders > 0);
    if (--buffer->holders > 0)
        return;
    buffer->lent = false;
    buffer->next_free = pipeline->free_buffers;
    pipeline->free_buffers = buffer;
    pthread_cond_signal(&pipeline->returned);
}

void pipeline_buffer_put(struct pipeline *pipeline, void *data)
{
    pthread_mutex_lock(&pipeline->lock);
    struct buffer *buffer = lent_buffer(pipeline, data);
    if (buffer != NULL)
        pipeline_buffer_release(pipeline, buffer);
    pthread_mutex_unlock(&pipeline->lock);
}

/* ------------------------------------------------------------------------------------------------ submission */

/* A free job, queued by queue_job(). The lock is held. */
static int get_job(struct pipeline *pipeline, struct job **out, struct firn_error **err)
{
    while (pipeline->free_jobs == NULL)
        if (wait_for(pipeline, &pipeline->space, err) < 0)
            return -1;
    if (pipeline->error != NULL)
        return fail_again(pipeline, err);
    struct job *job = pipeline->free_jobs;
    pipeline->free_jobs = job->next;
    job->next = NULL;
    job->owner = NULL;
    job->buffer = NULL;
    job->zero_units = 0;
    job->hashed = false;
    job->count = 0;
    *out = job;
    return 0;
}

static void queue_job(struct pipeline *pipeline, struct job *job)
{
    if (pipeline->last_job != NULL)
        pipeline->last_job->next = job;
    else
        pipeline->first_job = job;
    pipeline->last_job = job;
    if (pipeline->next_to_hash == NULL)
        pipeline->next_to_hash = job;
    if (job->owner != NULL)
        job->owner->pending++;
    pthread_cond_signal(&pipeline->work);
}

int pipeline_submit_take(struct pipeline *pipeline, struct pipeline_owner *owner,
                         enum format_chunk kind, uint64_t unit, void *data, const uint32_t *lengths,
                         size_t count, struct firn_error **err)
{
    assert(count > 0 && count <= PIPELINE_CHUNKS);
    struct job *job = NULL;
    pthread_mutex_lock(&pipeline->lock);
    struct buffer *buffer = lent_buffer(pipeline, data);
    assert(buffer != NULL);
    int result = 0;
    /* Buffers that nobody borrowed or fills are not for queueing: most of them are never touched. */
    while (result == 0 && pipeline->data_jobs >= pipeline->data_jobs_most)
        result = wait_for(pipeline, &pipeline->space, err);
    if (result == 0)
        result = get_job(pipeline, &job, err);
    if (result < 0) {
        pipeline_buffer_release(pipeline, buffer);
    } else {
        job->owner = owner;
        job->kind = kind;
        job->unit = unit;
        job->buffer = buffer;
        job->count = (uint32_t)count;
        memcpy(job->lengths, lengths, count * sizeof(*lengths));
        buffer->lent = false;
        pipeline->data_jobs++;
        queue_job(pipeline, job);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return result;
}

int pipeline_submit_zero(struct pipeline *pipeline, struct pipeline_owner *owner, uint64_t unit,
                         uint64_t count, struct firn_error **err)
{
    struct job *job = NULL;
    pthread_mutex_lock(&pipeline->lock);
    int result = get_job(pipeline, &job, err);
    if (result == 0) {
        job->owner = owner;
        job->unit = unit;
        job->zero_units = count;
        queue_job(pipeline, job);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return result;
}

int pipeline_wait(struct pipeline *pipeline, struct pipeline_owner *owner, struct firn_error **err)
{
    pthread_mutex_lock(&pipeline->lock);
    while (owner->pending > 0)
        pthread_cond_wait(&pipeline->space, &pipeline->lock);
    int result = pipeline->error == NULL ? 0 : fail_again(pipeline, err);
    pthread_mutex_unlock(&pipeline->lock);
    return result;
}

int pipeline_finish(struct pipeline *pipeline, struct firn_error **err)
{
    struct job *end = NULL;
    pthread_mutex_lock(&pipeline->lock);
    int result = get_job(pipeline, &end, err);
    if (result == 0) {
        queue_job(pipeline, end);
        while (!pipeline->finished && pipeline->error == NULL)
            pthread_cond_wait(&pipeline->space, &pipeline->lock);
        if (pipeline->error != NULL)
            result = fail_again(pipeline, err);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return result;
}

void pipeline_statistics(struct pipeline *pipeline, struct pipeline_statistics *out)
{
    pthread_mutex_lock(&pipeline->lock);
    *out = pipeline->statistics;
    pthread_mutex_unlock(&pipeline->lock);
}
