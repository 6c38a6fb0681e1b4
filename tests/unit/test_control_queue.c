/* SPDX-License-Identifier: Apache-2.0 */
/* The work queue: each key once, never to two workers, later after failures. */
#include "unit/unit.h"

#include "control/queue.h"
#include "core/clock.h"

#include <pthread.h>
#include <stdatomic.h>

static const struct queue_limits limits = {.retry_least = 20, .retry_most = 100};

static void expect_take(struct queue *queue, const char *key)
{
    auto_free char *taken = queue_take(queue);
    CU_ASSERT_PTR_NOT_NULL_FATAL(taken);
    expect_text(taken, key);
}

static void test_once(void)
{
    struct queue *queue = queue_new(&limits);
    queue_add(queue, "a");
    queue_add(queue, "b");
    queue_add(queue, "a");
    CU_ASSERT_EQUAL(queue_depth(queue), 2);
    expect_take(queue, "a");
    queue_add(queue, "a"); /* while it is worked on: again, afterwards */
    queue_add(queue, "a");
    CU_ASSERT_EQUAL(queue_depth(queue), 1);
    expect_take(queue, "b");
    queue_done(queue, "b");
    CU_ASSERT_EQUAL(queue_depth(queue), 0);
    queue_done(queue, "a");
    expect_take(queue, "a");
    queue_done(queue, "a");
    CU_ASSERT_EQUAL(queue_depth(queue), 0);
    queue_free(queue);
}

static void test_later(void)
{
    struct queue *queue = queue_new(&limits);
    int64_t begun = clock_monotonic();
    queue_add_after(queue, "late", 60);
    queue_add_after(queue, "late", 3600000); /* the earlier time counts */
    queue_add_after(queue, "later", 90);
    queue_add_after(queue, "now", 3600000);
    queue_add(queue, "now");
    expect_take(queue, "now");
    expect_take(queue, "late");
    CU_ASSERT_TRUE(clock_monotonic() - begun >= 60);
    expect_take(queue, "later");
    CU_ASSERT_TRUE(clock_monotonic() - begun >= 90);
    queue_free(queue);
}

/* Waits of 20, 40, 80, 100, 100 ms; of 20 again once it is forgotten. */
static void test_retries(void)
{
    static const int64_t waits[] = {20, 40, 80, 100, 100};
    struct queue *queue = queue_new(&limits);
    queue_add(queue, "bad");
    expect_take(queue, "bad");
    for (size_t i = 0; i < array_length(waits); i++) {
        int64_t begun = clock_monotonic();
        queue_retry(queue, "bad");
        queue_done(queue, "bad");
        expect_take(queue, "bad");
        CU_ASSERT_TRUE(clock_monotonic() - begun >= waits[i]);
    }
    queue_forget(queue, "bad");
    queue_retry(queue, "bad");
    queue_add(queue, "bad"); /* need not wait */
    queue_done(queue, "bad");
    CU_ASSERT_EQUAL(queue_depth(queue), 1);
    expect_take(queue, "bad");
    queue_done(queue, "bad");
    queue_free(queue);
}

#define KEYS    16
#define ROUNDS  2000
#define WORKERS 4

struct crowd {
    struct queue *queue;
    atomic_int at_work[KEYS];
    atomic_int handled[KEYS];
    atomic_int clashes;
};

static void *work(void *context)
{
    struct crowd *crowd = context;
    for (;;) {
        auto_free char *key = queue_take(crowd->queue);
        if (key == NULL)
            return NULL;
        int number = atoi(key);
        if (atomic_fetch_add(&crowd->at_work[number], 1) != 0)
            atomic_fetch_add(&crowd->clashes, 1);
        atomic_fetch_add(&crowd->handled[number], 1);
        atomic_fetch_sub(&crowd->at_work[number], 1);
        queue_done(crowd->queue, key);
    }
}

static void test_workers(void)
{
    struct crowd crowd = {.queue = queue_new(&limits)};
    pthread_t workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i], NULL, work, &crowd), 0);
    char key[16];
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(key, sizeof(key), "%d", round % KEYS);
        if (round % 3 == 0)
            queue_add_after(crowd.queue, key, 1 + round % 5);
        else
            queue_add(crowd.queue, key);
    }
    /* Whatever was added before is handled after it. */
    int before[KEYS];
    for (int i = 0; i < KEYS; i++) {
        before[i] = atomic_load(&crowd.handled[i]);
        snprintf(key, sizeof(key), "%d", i);
        queue_add(crowd.queue, key);
    }
    for (int i = 0; i < KEYS; i++)
        while (atomic_load(&crowd.handled[i]) == before[i])
            clock_sleep(1);
    queue_close(crowd.queue);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    CU_ASSERT_EQUAL(atomic_load(&crowd.clashes), 0);
    CU_ASSERT_PTR_NULL(queue_take(crowd.queue));
    queue_free(crowd.queue);
}

static const struct unit_test tests[] = {
    {"each key once", test_once},
    {"keys that wait for their time", test_later},
    {"retries", test_retries},
    {"workers", test_workers},
};

int main(void)
{
    return unit_run("queue", tests, array_length(tests));
}
