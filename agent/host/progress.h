/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress: how far an operation is. Whoever works adds to it, whoever shows it looks now and then. Thread-safe.
 */
#ifndef HOST_PROGRESS_H
#define HOST_PROGRESS_H

#include <stdint.h>

struct progress;

#define PROGRESS_STEP_LENGTH 64

struct progress_view {
    uint64_t total; /* bytes that will be looked at; grows as more becomes known */
    uint64_t done;
    char step[PROGRESS_STEP_LENGTH]; /* what is being done, "" if nothing was said */
};

struct progress *progress_new(void);
void progress_free(struct progress *progress); /* NULL is fine */
/* NULL: nothing. Longer texts are cut. */
void progress_step(struct progress *progress, const char *what);
void progress_add(struct progress *progress, uint64_t total_add, uint64_t done_add);
/* Both counters to these values, for work that counts by itself. */
void progress_set(struct progress *progress, uint64_t total, uint64_t done);
struct progress_view progress_look(struct progress *progress);

#endif
