/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few threads take extents and write them. An extent's frontier says what was handed out before it; what is really written
 * ends at the first extent that some thread still holds:
 *
 *     offset 0 ──────────────written──────────────▶│ held by A │  written  │ held by B │   frontier
 *                                                  └── all below is safe once it is durable
 */
#include "volume.h"

#include "output.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define WRITERS          6u
#define PAGE             4096u
#define CHECKPOINT_EVERY 3 /* seconds */

struct writing {
    const struct volume_job *job;
    struct firn_reader *reader;
    pthread_mutex_t lock;   /* what follows */
    uint64_t held[WRITERS]; /* offset of the extent in each thread's hands; UINT64_MAX: none */
    uint64_t frontier;
    time_t last_checkpoint;
    bool failed;
};

struct writer {
    struct writing *writing;
    size_t number;
};

static time_t seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static uint64_t safe_end(const struct writing *writing)
{
    uint64_t end = writing->frontier;
    for (size_t i = 0; i < WRITERS; i++)
        end = writing->held[i] < end ? writing->held[i] : end;
    return end;
}

/* The end is taken before the sync: what is written meanwhile does not count. */
static int make_checkpoint(struct writing *writing)
{
    const struct volume_job *job = writing->job;
    bool due = false;
    pthread_mutex_lock(&writing->lock);
    uint64_t end = safe_end(writing);
    if (job->checkpoint != NULL && seconds() - writing->last_checkpoint >= CHECKPOINT_EVERY) {
        writing->last_checkpoint = seconds();
        due = true;
    }
    pthread_mutex_unlock(&writing->lock);
    if (!due)
        return 0;
    if (job->output->operations->sync(job->output) < 0)
        return -1;
    return job->checkpoint(job->context, end);
}

/* 1: an extent, noted as held; 0: the end; -1. Taking and noting must be one step: the frontier that another thread sees in
 * between would cover an extent that nobody seems to hold. */
static int take(struct writing *writing, size_t number, struct firn_extent *extent)
{
    const struct volume_job *job = writing->job;
    *extent = (struct firn_extent){.size = sizeof(*extent)};
    if (image_check_cancelled(job->image) < 0)
        return -1;
    pthread_mutex_lock(&writing->lock);
    int more = writing->failed ? -1 : job->source->next_extent(writing->reader, extent);
    if (more == 1) {
        writing->held[number] = extent->offset;
        writing->frontier =
            extent->frontier > writing->frontier ? extent->frontier : writing->frontier;
    }
    pthread_mutex_unlock(&writing->lock);
    return more;
}

static bool is_zero(const char *page, uint64_t length)
{
    return page[0] == 0 && memcmp(page, page + 1, (size_t)length - 1) == 0;
}

static uint64_t page_at(const struct firn_extent *extent, uint64_t at)
{
    return extent->length - at < PAGE ? extent->length - at : PAGE;
}

/* The repository knows zeros by whole blocks; holes are finer. What is restored must not take more room than the source did,
 * so pages of zeros inside data become holes again. */
static int write_data(struct output *output, const struct firn_extent *extent)
{
    const char *data = extent->data;
    for (uint64_t begin = 0, end; begin < extent->length; begin = end) {
        bool zero = is_zero(data + begin, page_at(extent, begin));
        end = begin + page_at(extent, begin);
        while (end < extent->length && is_zero(data + end, page_at(extent, end)) == zero)
            end += page_at(extent, end);
        int result = zero ? output->operations->zero(output, end - begin, extent->offset + begin)
                          : output->operations->write(output, data + begin, end - begin,
                                                      extent->offset + begin);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int write_extent(struct writing *writing, size_t number, struct firn_extent *extent)
{
    const struct volume_job *job = writing->job;
    const struct output_operations *operations = job->output->operations;
    int result = extent->data != NULL
                     ? write_data(job->output, extent)
                     : operations->zero(job->output, extent->length, extent->offset);
    uint64_t length = extent->length;
    job->source->release(writing->reader, extent);
    if (result < 0)
        return -1;
    pthread_mutex_lock(&writing->lock);
    writing->held[number] = UINT64_MAX;
    pthread_mutex_unlock(&writing->lock);
    job->image->host->progress(job->image->host, 0, length);
    return make_checkpoint(writing);
}

static void *write_all(void *argument)
{
    struct writer *writer = argument;
    struct writing *writing = writer->writing;
    struct firn_extent extent;
    int more;
    while ((more = take(writing, writer->number, &extent)) == 1)
        if (write_extent(writing, writer->number, &extent) < 0) {
            more = -1;
            break;
        }
    if (more < 0) {
        pthread_mutex_lock(&writing->lock);
        writing->failed = true;
        pthread_mutex_unlock(&writing->lock);
    }
    return NULL;
}

static int run_writers(struct writing *writing)
{
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    size_t started = 0;
    for (size_t i = 0; i < WRITERS; i++)
        writers[i] = (struct writer){writing, i};
    while (started + 1 < WRITERS &&
           pthread_create(&threads[started], NULL, write_all, &writers[started]) == 0)
        started++;
    write_all(&writers[WRITERS - 1]);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return writing->failed ? -1 : 0;
}

int volume_write(const struct volume_job *job)
{
    struct writing writing = {.job = job, .frontier = job->start, .last_checkpoint = seconds()};
    for (size_t i = 0; i < WRITERS; i++)
        writing.held[i] = UINT64_MAX;
    if (job->source->open(job->source, job->name, job->start, &writing.reader) < 0)
        return -1;
    pthread_mutex_init(&writing.lock, NULL);
    int result = run_writers(&writing);
    pthread_mutex_destroy(&writing.lock);
    job->source->close(writing.reader);
    if (job->output->operations->sync(job->output) < 0)
        return -1;
    if (result < 0 && job->checkpoint != NULL)
        job->checkpoint(job->context, safe_end(&writing));
    return result;
}
