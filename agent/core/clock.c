/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include "error.h"
#include "mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_sleep(int64_t milliseconds)
{
    if (milliseconds <= 0)
        return;
    struct timespec left = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

#define YEAR_ONE  (-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define YEAR_LAST 253402300799999   /* 9999-12-31T23:59:59.999Z */

void clock_format(int64_t time, char out[CLOCK_TEXT_LENGTH])
{
    if (time < YEAR_ONE)
        time = YEAR_ONE;
    if (time > YEAR_LAST)
        time = YEAR_LAST;
    int64_t fraction = (time % 1000 + 1000) % 1000;
    time_t seconds = (time - fraction) / 1000;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char text[80]; /* as many as the compiler thinks that seven integers may need */
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             (int)fraction);
    memcpy(out, text, CLOCK_TEXT_LENGTH);
}

/* Exactly `digits` digits, within [least, most]. */
static bool take_number(const char **text, int digits, int least, int most, int *out)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char digit = (*text)[i];
        if (digit < '0' || digit > '9')
            return false;
        value = value * 10 + (digit - '0');
    }
    *text += digits;
    *out = value;
    return value >= least && value <= most;
}

static bool take_char(const char **text, const char *set)
{
    if (**text == '\0' || strchr(set, **text) == NULL)
        return false;
    (*text)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool take_date_time(const char **text, struct tm *parts)
{
    *parts = (struct tm){0};
    if (!take_number(text, 4, 1, 9999, &parts->tm_year) || !take_char(text, "-") ||
        !take_number(text, 2, 1, 12, &parts->tm_mon) || !take_char(text, "-") ||
        !take_number(text, 2, 1, days_in_month(parts->tm_year, parts->tm_mon), &parts->tm_mday) ||
        !take_char(text, "Tt ") || !take_number(text, 2, 0, 23, &parts->tm_hour) ||
        !take_char(text, ":") || !take_number(text, 2, 0, 59, &parts->tm_min) ||
        !take_char(text, ":") || !take_number(text, 2, 0, 60, &parts->tm_sec))
        return false;
    parts->tm_year -= 1900;
    parts->tm_mon -= 1;
    return true;
}

/* An optional ".123456"; what is finer than a millisecond is cut off. */
static bool take_fraction(const char **text, int *milliseconds)
{
    *milliseconds = 0;
    if (!take_char(text, "."))
        return true;
    int weight = 100;
    const char *start = *text;
    for (; isdigit((unsigned char)**text); (*text)++) {
        *milliseconds += (**text - '0') * weight;
        weight /= 10;
    }
    return *text > start;
}

static bool take_offset(const char **text, int *minutes)
{
    *minutes = 0;
    if (take_char(text, "Zz"))
        return true;
    int sign = **text == '-' ? -1 : 1;
    int hours = 0;
    int rest = 0;
    if (!take_char(text, "+-") || !take_number(text, 2, 0, 23, &hours) || !take_char(text, ":") ||
        !take_number(text, 2, 0, 59, &rest))
        return false;
    *minutes = sign * (hours * 60 + rest);
    return true;
}

int clock_parse(const char *text, int64_t *out, struct firn_error **err)
{
    const char *rest = text;
    struct tm parts;
    int fraction = 0;
    int offset = 0;
    if (!take_date_time(&rest, &parts) || !take_fraction(&rest, &fraction) ||
        !take_offset(&rest, &offset) || *rest != '\0')
        return fail(err, FIRN_INVALID, "\"%.40s\" is no time like 2026-11-22T08:00:00Z", text);
    int64_t time = ((int64_t)timegm(&parts) - (int64_t)offset * 60) * 1000 + fraction;
    if (time < YEAR_ONE || time > YEAR_LAST) /* an offset leads out of what can be spelled in UTC */
        return fail(err, FIRN_INVALID, "\"%.40s\" is not between the years 1 and 9999", text);
    *out = time;
    return 0;
}

/* A decimal number; false if there is none, or it does not fit. */
static bool take_decimal(const char **text, uint64_t *out)
{
    const char *start = *text;
    uint64_t value = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++)
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
            return false;
    *out = value;
    return *text > start;
}

static const struct {
    const char *name;
    uint64_t milliseconds;
} duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
};

/* "30s" of "30s5m". A unit ends where the next number or the text does, so "m" is not taken for the start of "ms". */
static bool take_duration(const char **text, uint64_t *out)
{
    uint64_t number = 0;
    if (!take_decimal(text, &number))
        return false;
    size_t length = strcspn(*text, "0123456789");
    for (size_t i = 0; i < array_length(duration_units); i++) {
        const char *name = duration_units[i].name;
        if (strlen(name) != length || memcmp(name, *text, length) != 0)
            continue;
        *text += length;
        return !__builtin_mul_overflow(number, duration_units[i].milliseconds, out);
    }
    return false;
}

static bool parse_duration(const char *text, int64_t *milliseconds)
{
    uint64_t total = 0;
    const char *rest = text;
    if (take_decimal(&rest, &total) && *rest == '\0')
        return !__builtin_mul_overflow(total, (uint64_t)1000, milliseconds);
    total = 0;
    rest = text;
    do {
        uint64_t part = 0;
        if (!take_duration(&rest, &part) || __builtin_add_overflow(total, part, &total))
            return false;
    } while (*rest != '\0');
    return !__builtin_add_overflow(total, (uint64_t)0, milliseconds);
}

int duration_parse(const char *text, int64_t *milliseconds, struct firn_error **err)
{
    if (!parse_duration(text, milliseconds))
        return fail(err, FIRN_INVALID, "\"%.40s\" is no duration like 30s, 5m or 1h30m", text);
    return 0;
}

/* The power of 1024 that a suffix stands for, or -1. */
static int suffix_power(const char *suffix)
{
    static const char letters[] = "KMGT";
    int power = 0;
    if (*suffix != '\0') {
        const char *letter = strchr(letters, toupper((unsigned char)*suffix));
        if (letter != NULL) {
            power = (int)(letter - letters) + 1;
            suffix++;
        }
    }
    bool known = strcmp(suffix, "") == 0 || strcmp(suffix, "B") == 0 ||
                 (power > 0 && strcmp(suffix, "iB") == 0);
    return known ? power : -1;
}

int size_parse(const char *text, uint64_t *bytes, struct firn_error **err)
{
    const char *rest = text;
    uint64_t number = 0;
    int power = -1;
    if (take_decimal(&rest, &number))
        power = suffix_power(rest);
    if (power < 0 || __builtin_mul_overflow(number, (uint64_t)1 << (10 * power), bytes))
        return fail(err, FIRN_INVALID, "\"%.40s\" is no size like 4096, 64K or 2GiB", text);
    return 0;
}

void size_format(uint64_t bytes, char out[SIZE_TEXT_LENGTH])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1023.5 && unit + 1 < array_length(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, SIZE_TEXT_LENGTH, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
}

void duration_format(int64_t milliseconds, char out[DURATION_TEXT_LENGTH])
{
    long long ms = milliseconds < 0 ? 0 : milliseconds;
    long long seconds = (ms + 500) / 1000;
    long long minutes = (seconds + 30) / 60;
    if (ms < 1000)
        snprintf(out, DURATION_TEXT_LENGTH, "%lld ms", ms);
    else if (ms < 59950)
        snprintf(out, DURATION_TEXT_LENGTH, "%.1f s", (double)ms / 1000);
    else if (seconds < 3600)
        snprintf(out, DURATION_TEXT_LENGTH, "%lld min %lld s", seconds / 60, seconds % 60);
    else if (minutes < 48 * 60)
        snprintf(out, DURATION_TEXT_LENGTH, "%lld h %lld min", minutes / 60, minutes % 60);
    else
        snprintf(out, DURATION_TEXT_LENGTH, "%lld d %lld h", minutes / 1440, minutes % 1440 / 60);
}
