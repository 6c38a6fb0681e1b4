/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "core/mem.h"

#include <pthread.h>
#include <stdio.h>

struct progress {
    pthread_mutex_t lock;
    struct progress_view view;
};

struct progress *progress_new(void)
{
    struct progress *progress = mem_zalloc(sizeof(*progress));
    pthread_mutex_init(&progress->lock, NULL);
    return progress;
}

void progress_free(struct progress *progress)
{
    if (progress == NULL)
        return;
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

void progress_step(struct progress *progress, const char *what)
{
    pthread_mutex_lock(&progress->lock);
    snprintf(progress->view.step, sizeof(progress->view.step), "%s", what != NULL ? what : "");
    pthread_mutex_unlock(&progress->lock);
}

/* A plugin may add anything: a counter stops at its end instead of starting again at zero. */
static uint64_t add(uint64_t counter, uint64_t more)
{
    return counter > UINT64_MAX - more ? UINT64_MAX : counter + more;
}

void progress_add(struct progress *progress, uint64_t total_add, uint64_t done_add)
{
    pthread_mutex_lock(&progress->lock);
    progress->view.total = add(progress->view.total, total_add);
    progress->view.done = add(progress->view.done, done_add);
    pthread_mutex_unlock(&progress->lock);
}

void progress_set(struct progress *progress, uint64_t total, uint64_t done)
{
    pthread_mutex_lock(&progress->lock);
    progress->view.total = total;
    progress->view.done = done;
    pthread_mutex_unlock(&progress->lock);
}

struct progress_view progress_look(struct progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    struct progress_view view = progress->view;
    pthread_mutex_unlock(&progress->lock);
    return view;
}
