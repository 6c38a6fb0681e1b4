/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue of the controller: keys of objects that are to be reconciled. A key that is added many times is handed out
 * once; one that is added while it is being worked on is handed out again afterwards, never to two workers at a time. Failed
 * keys come back later and later. The same semantics as client-go's util/workqueue.
 *
 * Thread-safe.
 */
#ifndef CONTROL_QUEUE_H
#define CONTROL_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue_limits {
    int64_t
        retry_least; /* ms before the first retry of a key; each further one waits twice as long … */
    int64_t retry_most; /* … up to this */
};

struct queue *queue_new(const struct queue_limits *limits);
void queue_free(struct queue *queue); /* nobody waits in it any more; NULL is fine */

void queue_add(struct queue *queue, const char *key);
/* After so many ms, or earlier if it is added otherwise. Of two such calls the earlier time counts. */
void queue_add_after(struct queue *queue, const char *key, int64_t milliseconds);
/* Again, after a wait that doubles with each call since queue_forget(). */
void queue_retry(struct queue *queue, const char *key);
/* The key is well: its next retry waits the least again. */
void queue_forget(struct queue *queue, const char *key);

/* Waits for a key; free() it. NULL: the queue was closed. queue_done() must follow. */
char *queue_take(struct queue *queue);
void queue_done(struct queue *queue, const char *key);
/* Everyone in queue_take() returns. */
void queue_close(struct queue *queue);

/* Keys that wait for a worker, without those that wait for their time. */
size_t queue_depth(struct queue *queue);

#endif
