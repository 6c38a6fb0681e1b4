/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include "core/clock.h"
#include "core/mem.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NEVER INT64_MAX

struct entry {
    char *key;
    struct entry *next; /* in the line of those that are ready */
    int64_t due;        /* by the monotonic clock; NEVER: waits for no time */
    unsigned failures;
    bool ready;   /* in the line, or to be put there when work on it ends */
    bool working; /* a worker has it */
};

struct queue {
    struct queue_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct lh_table *entries; /* key → struct entry, which owns the key */
    struct entry *first, **last;
    size_t depth;
    bool closed;
};

struct queue *queue_new(const struct queue_limits *limits)
{
    struct queue *queue = mem_zalloc(sizeof(*queue));
    queue->limits = *limits;
    queue->last = &queue->first;
    queue->entries = lh_kchar_table_new(64, NULL);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

static void entry_free(struct entry *entry)
{
    free(entry->key);
    free(entry);
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    struct lh_entry *slot;
    lh_foreach(queue->entries, slot) entry_free((struct entry *)lh_entry_v(slot));
    lh_table_free(queue->entries);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static struct entry *find(struct queue *queue, const char *key)
{
    void *found = NULL;
    return lh_table_lookup_ex(queue->entries, key, &found) ? found : NULL;
}

static struct entry *find_or_add(struct queue *queue, const char *key)
{
    struct entry *entry = find(queue, key);
    if (entry == NULL) {
        entry = mem_zalloc(sizeof(*entry));
        entry->key = mem_strdup(key);
        entry->due = NEVER;
        lh_table_insert(queue->entries, entry->key, entry);
    }
    return entry;
}

/* An entry of which nothing is remembered goes. */
static void drop_if_idle(struct queue *queue, struct entry *entry)
{
    if (entry->ready || entry->working || entry->due != NEVER || entry->failures > 0)
        return;
    lh_table_delete(queue->entries, entry->key);
    entry_free(entry);
}

static void line_up(struct queue *queue, struct entry *entry)
{
    entry->next = NULL;
    *queue->last = entry;
    queue->last = &entry->next;
    queue->depth++;
}

static void make_ready(struct queue *queue, struct entry *entry)
{
    entry->due = NEVER;
    if (entry->ready)
        return;
    entry->ready = true;
    if (!entry->working)
        line_up(queue, entry);
}

static void wait_until(struct entry *entry, int64_t due)
{
    if (!entry->ready && due < entry->due)
        entry->due = due;
}

void queue_add(struct queue *queue, const char *key)
{
    queue_add_after(queue, key, 0);
}

void queue_add_after(struct queue *queue, const char *key, int64_t milliseconds)
{
    pthread_mutex_lock(&queue->lock);
    struct entry *entry = find_or_add(queue, key);
    if (milliseconds <= 0)
        make_ready(queue, entry);
    else
        wait_until(entry, clock_monotonic() + milliseconds);
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void queue_retry(struct queue *queue, const char *key)
{
    pthread_mutex_lock(&queue->lock);
    struct entry *entry = find_or_add(queue, key);
    int64_t pause = queue->limits.retry_least;
    for (unsigned i = 0; i < entry->failures && pause < queue->limits.retry_most; i++)
        pause *= 2;
    if (pause > queue->limits.retry_most)
        pause = queue->limits.retry_most;
    entry->failures++;
    wait_until(entry, clock_monotonic() + pause);
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void queue_forget(struct queue *queue, const char *key)
{
    pthread_mutex_lock(&queue->lock);
    struct entry *entry = find(queue, key);
    if (entry != NULL) {
        entry->failures = 0;
        drop_if_idle(queue, entry);
    }
    pthread_mutex_unlock(&queue->lock);
}

/* Moves what is due into the line; returns when the next one is. */
static int64_t promote(struct queue *queue)
{
    int64_t now = clock_monotonic(), next = NEVER;
    struct lh_entry *slot;
    lh_foreach(queue->entries, slot)
    {
        struct entry *entry = (struct entry *)lh_entry_v(slot);
        if (entry->due <= now)
            make_ready(queue, entry);
        else if (entry->due < next)
            next = entry->due;
    }
    return next;
}

char *queue_take(struct queue *queue)
{
    char *key = NULL;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed) {
        int64_t next = promote(queue);
        struct entry *entry = queue->first;
        if (entry != NULL) {
            queue->first = entry->next;
            if (queue->first == NULL)
                queue->last = &queue->first;
            queue->depth--;
            entry->ready = false;
            entry->working = true;
            key = mem_strdup(entry->key);
            break;
        }
        if (next == NEVER) {
            pthread_cond_wait(&queue->changed, &queue->lock);
            continue;
        }
        const struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
        pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
    }
    if (queue->first != NULL || queue->closed)
        pthread_cond_signal(&queue->changed); /* there is more: wake the next worker */
    pthread_mutex_unlock(&queue->lock);
    return key;
}

void queue_done(struct queue *queue, const char *key)
{
    pthread_mutex_lock(&queue->lock);
    struct entry *entry = find(queue, key);
    entry->working = false;
    if (entry->ready) {
        line_up(queue, entry);
        pthread_cond_signal(&queue->changed);
    } else {
        drop_if_idle(queue, entry);
    }
    pthread_mutex_unlock(&queue->lock);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_depth(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t depth = queue->depth;
    pthread_mutex_unlock(&queue->lock);
    return depth;
}
