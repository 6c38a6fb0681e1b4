/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel.h"

#include "cancel.h"
#include "error.h"
#include "mem.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS_MOST 64u

struct crew {
    atomic_size_t next;
    size_t count;
    parallel_work *work;
    void *context;
    pthread_mutex_t lock;
    struct firn_error *error; /* the first */
};

static void *work(void *argument)
{
    struct crew *crew = argument;
    struct firn_error *error = NULL;
    size_t part = 0;
    while (error == NULL && (part = atomic_fetch_add(&crew->next, 1)) < crew->count)
        if (cancel_check(&error) == 0)
            crew->work(crew->context, part, &error);
    if (error == NULL)
        return NULL;
    atomic_store(&crew->next, crew->count); /* the others stop, too */
    pthread_mutex_lock(&crew->lock);
    if (crew->error == NULL)
        crew->error = steal(error);
    pthread_mutex_unlock(&crew->lock);
    error_clear(&error);
    return NULL;
}

int parallel_run(size_t count, unsigned threads, parallel_work *part, void *context,
                 struct firn_error **err)
{
    struct crew crew = {.count = count, .work = part, .context = context};
    pthread_t others[THREADS_MOST];
    unsigned started = 0;
    pthread_mutex_init(&crew.lock, NULL);
    while (started + 1 < threads && started < THREADS_MOST && started + 1 < count &&
           pthread_create(&others[started], NULL, work, &crew) == 0)
        started++;
    work(&crew);
    while (started > 0)
        pthread_join(others[--started], NULL);
    pthread_mutex_destroy(&crew.lock);
    if (crew.error == NULL)
        return 0;
    error_set(err, error_code(crew.error), "%s", error_message(crew.error));
    error_clear(&crew.error);
    return -1;
}
