/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backoff: how long to wait before a request is tried again, and the waiting. Pauses double from
 * 250 ms to 30 s; the upper half of each is random, so that clients do not come back all at once.
 */
#ifndef NET_BACKOFF_H
#define NET_BACKOFF_H

#include <stdint.h>

struct firn_error;
struct http_terms;

/* ms before try number `attempt` + 2; never less than the server asked for (0: it did not). */
int64_t backoff_pause(uint32_t attempt, int64_t asked);
/* Waits that long; -1 with CANCELLED as soon as the process or the terms (NULL: none) say so. */
int backoff_wait(int64_t pause, const struct http_terms *terms, struct firn_error **err);

#endif
