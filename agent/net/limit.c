/* SPDX-License-Identifier: Apache-2.0 */
#include "limit.h"

#include "core/cancel.h"
#include "core/clock.h"

#include <pthread.h>

#define PIECE_LEAST 1024u
#define BURST_PART  4 /* of a second */
#define SLICE       100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct limit_bucket buckets[2];

void limit_set(enum limit_way way, uint64_t rate)
{
    pthread_mutex_lock(&lock);
    if (rate > INT32_MAX) /* two gigabytes a second, and beyond, is no limit; and sums stay small */
        rate = 0;
    buckets[way] = (struct limit_bucket){.rate = rate, .at = clock_monotonic()};
    pthread_mutex_unlock(&lock);
}

uint64_t limit_piece(enum limit_way way)
{
    uint64_t rate = buckets[way].rate;
    if (rate == 0)
        return 0;
    return rate / BURST_PART < PIECE_LEAST ? PIECE_LEAST : rate / BURST_PART;
}

int64_t limit_bucket_take(struct limit_bucket *bucket, uint64_t bytes, int64_t now)
{
    int64_t rate = (int64_t)bucket->rate, most = rate / BURST_PART;
    int64_t passed = now - bucket->at;
    /* After so long the bucket is full, whatever it was: no product overflows. */
    int64_t full = (most - bucket->level) / rate * 1000 + 2000;
    int64_t gained = passed >= full ? most - bucket->level : passed * rate / 1000;
    if (gained > 0) { /* or the next time, when a millisecond is over */
        bucket->level = bucket->level + gained > most ? most : bucket->level + gained;
        bucket->at = now;
    }
    bucket->level -= (int64_t)bytes;
    return bucket->level >= 0 ? 0 : (-bucket->level * 1000 + rate - 1) / rate;
}

int limit_wait(enum limit_way way, uint64_t bytes)
{
    if (buckets[way].rate == 0 || bytes == 0)
        return 0;
    int64_t now = clock_monotonic();
    pthread_mutex_lock(&lock);
    int64_t until = now + limit_bucket_take(&buckets[way], bytes, now);
    pthread_mutex_unlock(&lock);
    for (int64_t left = until - now; left > 0; left = until - clock_monotonic()) {
        if (cancel_requested())
            return -1;
        clock_sleep(left < SLICE ? left : SLICE);
    }
    return 0;
}
