/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cron expressions: minute, hour, day of the month, month, day of the week, as crontab(5) has them: lists, ranges, steps,
 * names of months and days, "?" for "*", and @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually. If both days
 * are restricted, either will do.
 *
 * Where the clocks of the zone change: an expression with given hours runs once at a time that the clocks pass twice, and
 * right after the leap for a time that they leap over. One for every hour ("*") goes by what the clocks show, in both passes.
 */
#ifndef CONTROL_CRON_H
#define CONTROL_CRON_H

#include <stdbool.h>
#include <stdint.h>

struct firn_error;
struct zone;

/* Sets of numbers, one bit each. */
struct cron {
    uint64_t minutes;
    uint32_t hours;
    uint32_t days;    /* of the month */
    uint16_t months;  /* bits 1 … 12 */
    uint8_t weekdays; /* bit 0 is Sunday */
    bool every_hour;  /* hours is "*" or steps of it */
    bool any_day;     /* days begins with "*" */
    bool any_weekday; /* weekdays begins with "*" */
};

/* INVALID says which field is wrong, and how. */
int cron_parse(const char *text, struct cron *out, struct firn_error **err);

#define CRON_NEVER INT64_MAX
/* The first time (ms since 1970-01-01 UTC) after `after` at which it is due. CRON_NEVER: not within nine years, for example on
 * the 30th of February. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after);

#endif
