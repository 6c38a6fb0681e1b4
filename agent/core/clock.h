/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: wall clock for what is recorded, a monotonic clock for what is measured, and their
 * spellings.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

struct firn_error;

int64_t clock_now(void);       /* ms since 1970-01-01 UTC */
int64_t clock_monotonic(void); /* ms since some start; for durations */
void clock_sleep(int64_t milliseconds);

#define CLOCK_TEXT_LENGTH 25 /* "2026-11-22T08:00:00.000Z" and a NUL */
/* RFC 3339 in UTC with milliseconds. */
void clock_format(int64_t time, char out[CLOCK_TEXT_LENGTH]);
/* RFC 3339, any offset, optional fraction. -1 with INVALID. */
int clock_parse(const char *text, int64_t *out, struct firn_error **err);

/* "250ms", "30s", "5m", "1h", "2d", "1w", and sums like "1h30m"; a bare number is seconds. -1 with INVALID. */
int duration_parse(const char *text, int64_t *milliseconds, struct firn_error **err);
/* Bytes: "64K", "1.5 GiB" is not taken; suffixes K M G T (powers of 1024), optional "iB" or "B". -1 with INVALID. */
int size_parse(const char *text, uint64_t *bytes, struct firn_error **err);
/* "1.4 GiB", "312 KiB", "17 B"; and "1 h 4 min", "2.4 s", "350 ms". */
#define SIZE_TEXT_LENGTH 16
void size_format(uint64_t bytes, char out[SIZE_TEXT_LENGTH]);
#define DURATION_TEXT_LENGTH 32
void duration_format(int64_t milliseconds, char out[DURATION_TEXT_LENGTH]);

#endif
