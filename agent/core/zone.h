/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones of the IANA database, several in one process: the C library knows one at a time, that of $TZ.
 *
 * Source: RFC 8536 (TZif), versions 1 to 4, and the rules of POSIX TZ strings (IEEE Std 1003.1, 8.3) that follow the last
 * transition. Leap seconds are not applied, as POSIX time has none.
 */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct zone;

/* What a wall clock shows. */
struct zone_time {
    int year;
    int month;   /* 1 … 12 */
    int day;     /* 1 … 31 */
    int hour;    /* 0 … 23 */
    int minute;  /* 0 … 59 */
    int second;  /* 0 … 59 */
    int weekday; /* 0 is Sunday; ignored where a time is given */
};

/* By name: "Europe/Berlin", looked for in $TZDIR or /usr/share/zoneinfo. "UTC" and "Etc/UTC" need no file. NOTFOUND: no such
 * zone (or no database); INVALID: not a name; CORRUPT: not a TZif file. */
int zone_open(const char *name, struct zone **out, struct firn_error **err);
/* The contents of a TZif file. */
int zone_read(const void *data, size_t length, struct zone **out, struct firn_error **err);
void zone_free(struct zone *zone); /* NULL is fine */
#define auto_zone __attribute__((cleanup(zone_free_pointer)))
void zone_free_pointer(struct zone **zone);

/* What the clocks of the zone show at `time` (ms since 1970-01-01 UTC). */
void zone_local(const struct zone *zone, int64_t time, struct zone_time *out);
/* The instants (ms) at which the clocks show that time, the earlier first: one as a rule; none if they leap over it; two if
 * they pass it twice. Returns how many. Of a time that is leapt over, out[0] is the instant of the leap. */
int zone_instants(const struct zone *zone, const struct zone_time *local, int64_t out[2]);

/* Days since 1970-01-01 of a day of the Gregorian calendar, and back; hour, minute and second of out become 0. */
int64_t zone_days(int year, int month, int day);
void zone_date(int64_t days, struct zone_time *out);

#endif
