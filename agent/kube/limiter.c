/* SPDX-License-Identifier: Apache-2.0 */
#include "limiter.h"

#include "core/clock.h"
#include "core/mem.h"

#include <pthread.h>

struct limiter {
    pthread_mutex_t lock;
    double per_ms;
    double burst;
    double tokens; /* below zero: requests that wait have taken them in advance */
    int64_t filled;
};

struct limiter *limiter_new(double per_second, unsigned burst)
{
    struct limiter *limiter = mem_zalloc(sizeof(*limiter));
    pthread_mutex_init(&limiter->lock, NULL);
    limiter->per_ms = per_second / 1000;
    limiter->burst = burst < 1 ? 1 : burst;
    limiter->tokens = limiter->burst;
    limiter->filled = clock_monotonic();
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter == NULL)
        return;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

int64_t limiter_take(struct limiter *limiter)
{
    if (limiter->per_ms <= 0)
        return 0;
    pthread_mutex_lock(&limiter->lock);
    int64_t now = clock_monotonic();
    limiter->tokens += (double)(now - limiter->filled) * limiter->per_ms;
    if (limiter->tokens > limiter->burst)
        limiter->tokens = limiter->burst;
    limiter->filled = now;
    limiter->tokens -= 1;
    double lacking = -limiter->tokens;
    pthread_mutex_unlock(&limiter->lock);
    return lacking <= 0 ? 0 : (int64_t)(lacking / limiter->per_ms) + 1;
}
