/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel.h"

#include "core/error.h"
#include "core/mem.h"

#include <pthread.h>
#include <stdbool.h>

struct parallel {
    parallel_work *work;
    void *context;
    size_t count;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t mutex;
    struct firn_error *error; /* under the mutex: of the first that failed */
};

static void keep_first(struct parallel *parallel, struct firn_error **error)
{
    pthread_mutex_lock(&parallel->mutex);
    if (!atomic_exchange(&parallel->stop, true))
        parallel->error = steal(*error);
    pthread_mutex_unlock(&parallel->mutex);
    error_clear(error);
}

static void *worker(void *argument)
{
    struct parallel *parallel = argument;
    while (!atomic_load(&parallel->stop)) {
        size_t index = atomic_fetch_add(&parallel->next, 1);
        struct firn_error *error = NULL;
        if (index >= parallel->count)
            break;
        if (parallel->work(parallel->context, index, &parallel->stop, &error) < 0)
            keep_first(parallel, &error);
    }
    return NULL;
}

int parallel_run(size_t count, size_t threads, parallel_work *work, void *context,
                 struct firn_error **err)
{
    struct parallel parallel = {.work = work, .context = context, .count = count};
    size_t wanted = threads < count ? threads : count;
    auto_free pthread_t *started = mem_array(wanted, sizeof(*started));
    size_t running = 0;
    pthread_mutex_init(&parallel.mutex, NULL);
    while (running + 1 < wanted && pthread_create(&started[running], NULL, worker, &parallel) == 0)
        running++;
    worker(&parallel);
    for (size_t i = 0; i < running; i++)
        pthread_join(started[i], NULL);
    pthread_mutex_destroy(&parallel.mutex);
    if (!atomic_load(&parallel.stop))
        return 0;
    if (err != NULL)
        *err = parallel.error;
    else
        error_clear(&parallel.error);
    return -1;
}
