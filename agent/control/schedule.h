/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules: when a policy's next run begins. A pure function of the policy, of what ran last, and of the time.
 */
#ifndef CONTROL_SCHEDULE_H
#define CONTROL_SCHEDULE_H

#include "cron.h"

#include <stddef.h>
#include <stdint.h>

struct zone;

/* A time of each day, or of some days, at which runs may begin. */
struct schedule_window {
    int start, end;   /* minutes of the day; end <= start: on the next day */
    uint8_t weekdays; /* on which it starts; bit 0 is Sunday; 0: all */
};

struct schedule {
    struct cron cron;
    const struct zone *zone; /* borrowed */
    int64_t
        delay; /* ms that each run begins later than its time: the policy's share of the jitter */
    int64_t deadline; /* ms that a missed run may begin late */
    const struct schedule_window *windows;
    size_t window_count; /* 0: at any time */
};

struct schedule_plan {
    int64_t due;  /* the scheduled time of a run that is to begin now; 0: none */
    int64_t next; /* when to look again: the next run begins then; CRON_NEVER: never */
};

/* last: the scheduled time that was acted on last, or when the policy was made. Several missed runs are one: the latest. */
void schedule_plan(const struct schedule *schedule, int64_t last, int64_t now,
                   struct schedule_plan *out);

/* A share of `jitter` (ms) in [0, jitter) that is fixed for `key`, for example a policy's uid. */
int64_t schedule_delay(const char *key, int64_t jitter);

#endif
