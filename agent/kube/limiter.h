/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket: so many requests a second in the long run, so many at once. Requests that find it
 * empty wait their turn. Any thread.
 */
#ifndef KUBE_LIMITER_H
#define KUBE_LIMITER_H

#include <stdint.h>

struct limiter;

struct limiter *limiter_new(double per_second, unsigned burst); /* per_second 0: no limit */
void limiter_free(struct limiter *limiter);                     /* NULL is fine */
/* Takes a token and returns how many ms to wait before using it: 0 if it was there. */
int64_t limiter_take(struct limiter *limiter);

#endif
