/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "core/zone.h"

#include <stdbool.h>

#define WINDOW_WAITS (8 * INT64_C(86400000)) /* longer than any wait for a window of a week */

static bool window_open(const struct schedule_window *window, const struct zone_time *local)
{
    int minute = local->hour * 60 + local->minute;
    unsigned days = window->weekdays != 0 ? window->weekdays : 0x7f;
    bool today = days >> local->weekday & 1;
    bool yesterday = days >> (local->weekday + 6) % 7 & 1;
    if (window->end > window->start)
        return today && minute >= window->start && minute < window->end;
    return (today && minute >= window->start) || (yesterday && minute < window->end);
}

static bool any_open(const struct schedule *schedule, int64_t time)
{
    struct zone_time local;
    zone_local(schedule->zone, time, &local);
    for (size_t i = 0; i < schedule->window_count; i++)
        if (window_open(&schedule->windows[i], &local))
            return true;
    return schedule->window_count == 0;
}

/* The first start of the window at or after `time`. */
static int64_t window_start(const struct schedule *schedule, const struct schedule_window *window,
                            int64_t time)
{
    struct zone_time local;
    zone_local(schedule->zone, time, &local);
    int64_t today = zone_days(local.year, local.month, local.day);
    for (int64_t day = today; day < today + 9; day++) {
        struct zone_time start;
        zone_date(day, &start);
        if (window->weekdays != 0 && (window->weekdays >> start.weekday & 1) == 0)
            continue;
        start.hour = window->start / 60;
        start.minute = window->start % 60;
        int64_t instants[2];
        zone_instants(schedule->zone, &start, instants);
        if (instants[0] >= time)
            return instants[0];
    }
    return CRON_NEVER;
}

/* When a run scheduled for `time` begins. */
static int64_t begins(const struct schedule *schedule, int64_t time)
{
    if (time == CRON_NEVER)
        return CRON_NEVER;
    time += schedule->delay;
    if (any_open(schedule, time))
        return time;
    int64_t best = CRON_NEVER;
    for (size_t i = 0; i < schedule->window_count; i++) {
        int64_t start = window_start(schedule, &schedule->windows[i], time);
        if (start < best)
            best = start;
    }
    return best;
}

void schedule_plan(const struct schedule *schedule, int64_t last, int64_t now,
                   struct schedule_plan *out)
{
    *out = (struct schedule_plan){0};
    /* What lies further back than this is too late in any case. */
    int64_t horizon = now - schedule->deadline - schedule->delay - 1 -
                      (schedule->window_count > 0 ? WINDOW_WAITS : 0);
    int64_t time = cron_next(&schedule->cron, schedule->zone, last > horizon ? last : horizon);
    while (time != CRON_NEVER && time <= now) {
        int64_t begin = begins(schedule, time);
        if (begin > now)
            break; /* it waits for its delay, or for a window */
        if (now - begin <= schedule->deadline && any_open(schedule, now))
            out->due = time;
        time = cron_next(&schedule->cron, schedule->zone, time);
    }
    out->next = begins(schedule, time);
}

int64_t schedule_delay(const char *key, int64_t jitter)
{
    if (jitter <= 0)
        return 0;
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t)*key) * UINT64_C(1099511628211);
    return (int64_t)(hash % (uint64_t)jitter);
}
