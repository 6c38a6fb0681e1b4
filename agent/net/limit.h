/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of how many bytes a second the process sends and receives by HTTP: one for each direction, over all connections. Bodies
 * count, headers do not. A bucket fills at the rate, holds a quarter of a second's worth, and may go into debt: who takes more than
 * is there waits until it is paid.
 */
#ifndef NET_LIMIT_H
#define NET_LIMIT_H

#include <stdint.h>

struct firn_error;

enum limit_way { LIMIT_SEND, LIMIT_RECEIVE };

/* rate: bytes a second; 0: as fast as it goes. To be set before there are transfers. */
void limit_set(enum limit_way way, uint64_t rate);
/* Most bytes to move at once, so that nobody waits for long: at least 1024; 0: there is no limit. */
uint64_t limit_piece(enum limit_way way);
/* Waits until so many bytes may move. -1: the process is to end. */
int limit_wait(enum limit_way way, uint64_t bytes);

/* ---- the bucket itself */
struct limit_bucket {
    uint64_t rate;
    int64_t level; /* bytes; below 0: a debt */
    int64_t at;    /* ms, when the level was right */
};
/* Takes bytes at the time `now` (ms, never running back): ms to wait before they move. */
int64_t limit_bucket_take(struct limit_bucket *bucket, uint64_t bytes, int64_t now);

#endif
