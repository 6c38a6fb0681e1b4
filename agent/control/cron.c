/* SPDX-License-Identifier: Apache-2.0 */
#include "cron.h"

#include "core/error.h"
#include "core/mem.h"
#include "core/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SEARCH_YEARS 9 /* leap days are at most eight years apart */

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const day_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct field {
    const char *name;
    unsigned least, most;
    const char *const *words; /* of least, least + 1 … */
    size_t word_count;
};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct field fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL, 0},
    [HOUR] = {"hour", 0, 23, NULL, 0},
    [DAY] = {"day of the month", 1, 31, NULL, 0},
    [MONTH] = {"month", 1, 12, month_names, array_length(month_names)},
    [WEEKDAY] = {"day of the week", 0, 7, day_names, array_length(day_names)},
};

static const struct {
    const char *name, *text;
} macros[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

/* ------------------------------------------------------------------------------------------------------------- parsing */

/* A number or a word of the field; `text` moves behind it. */
static int take_value(const struct field *field, const char **text, unsigned *out,
                      struct firn_error **err)
{
    const char *begin = *text;
    while (isalnum((unsigned char)**text))
        (*text)++;
    size_t length = (size_t)(*text - begin);
    for (size_t i = 0; i < field->word_count; i++)
        if (length == strlen(field->words[i]) && strncasecmp(begin, field->words[i], length) == 0) {
            *out = field->least + (unsigned)i;
            return 0;
        }
    unsigned value = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)begin[i]) || length > 2)
            return fail(err, FIRN_INVALID, "%s: \"%.*s\" is not a number", field->name, (int)length,
                        begin);
        value = value * 10 + (unsigned)(begin[i] - '0');
    }
    if (length == 0)
        return fail(err, FIRN_INVALID, "%s: a number is missing at \"%.20s\"", field->name, begin);
    if (value < field->least || value > field->most)
        return fail(err, FIRN_INVALID, "%s: %u is not within %u and %u", field->name, value,
                    field->least, field->most);
    *out = value;
    return 0;
}

/* "*", "N", "N-M", each with an optional "/STEP". */
static int take_range(const struct field *field, const char **text, uint64_t *set,
                      struct firn_error **err)
{
    unsigned low = field->least, high = field->most, step = 1;
    bool single = false;
    if (**text == '*' || **text == '?') {
        (*text)++;
    } else {
        if (take_value(field, text, &low, err) < 0)
            return -1;
        high = low;
        single = **text != '-';
        if (!single) {
            (*text)++;
            if (take_value(field, text, &high, err) < 0)
                return -1;
        }
    }
    if (**text == '/') {
        const struct field steps = {field->name, 1, field->most, NULL, 0};
        (*text)++;
        if (take_value(&steps, text, &step, err) < 0)
            return -1;
        if (single)
            high = field->most;
    }
    if (high < low)
        return fail(err, FIRN_INVALID, "%s: %u-%u runs backwards", field->name, low, high);
    for (unsigned value = low; value <= high; value += step)
        *set |= UINT64_C(1) << value;
    return 0;
}

static int take_field(const struct field *field, const char **text, uint64_t *set,
                      struct firn_error **err)
{
    *set = 0;
    for (;;) {
        if (take_range(field, text, set, err) < 0)
            return -1;
        if (**text != ',')
            break;
        (*text)++;
    }
    if (**text != '\0' && !isblank((unsigned char)**text))
        return fail(err, FIRN_INVALID, "%s: \"%.20s\" cannot be understood", field->name, *text);
    return 0;
}

static void skip_blanks(const char **text)
{
    while (isblank((unsigned char)**text))
        (*text)++;
}

static int parse_fields(const char *text, struct cron *out, struct firn_error **err)
{
    uint64_t sets[FIELDS];
    bool any[FIELDS];
    for (size_t i = 0; i < FIELDS; i++) {
        skip_blanks(&text);
        if (*text == '\0')
            return fail(err, FIRN_INVALID, "the %s is missing: there are five fields",
                        fields[i].name);
        any[i] = *text == '*' || *text == '?';
        if (take_field(&fields[i], &text, &sets[i], err) < 0)
            return -1;
    }
    skip_blanks(&text);
    if (*text != '\0')
        return fail(err, FIRN_INVALID, "\"%.20s\" follows the five fields", text);
    *out = (struct cron){
        .minutes = sets[MINUTE],
        .hours = (uint32_t)sets[HOUR],
        .days = (uint32_t)sets[DAY],
        .months = (uint16_t)sets[MONTH],
        .weekdays = (uint8_t)((sets[WEEKDAY] | sets[WEEKDAY] >> 7) & 0x7f), /* 7 is Sunday, too */
        .every_hour = any[HOUR],
        .any_day = any[DAY],
        .any_weekday = any[WEEKDAY],
    };
    return 0;
}

int cron_parse(const char *text, struct cron *out, struct firn_error **err)
{
    const char *given = text;
    if (*text == '@') {
        size_t i = 0;
        while (i < array_length(macros) && strcmp(macros[i].name, text) != 0)
            i++;
        if (i == array_length(macros))
            return fail(err, FIRN_INVALID, "schedule \"%.40s\": there is no such word", given);
        text = macros[i].text;
    }
    if (parse_fields(text, out, err) < 0)
        return wrap(err, "schedule \"%.80s\"", given);
    return 0;
}

/* --------------------------------------------------------------------------------------------------------------- times */

static bool day_matches(const struct cron *cron, const struct zone_time *day)
{
    if ((cron->months >> day->month & 1) == 0)
        return false;
    bool date = cron->days >> day->day & 1;
    bool weekday = cron->weekdays >> day->weekday & 1;
    return cron->any_day || cron->any_weekday ? date && weekday : date || weekday;
}

/* The first instant after `after` at which it is due on that day. */
static int64_t first_of_day(const struct cron *cron, const struct zone *zone,
                            const struct zone_time *day, int64_t after)
{
    int64_t best = CRON_NEVER;
    struct zone_time at = *day;
    for (at.hour = 0; at.hour < 24; at.hour++) {
        if ((cron->hours >> at.hour & 1) == 0)
            continue;
        for (at.minute = 0; at.minute < 60; at.minute++) {
            if ((cron->minutes >> at.minute & 1) == 0)
                continue;
            int64_t instants[2];
            int count = zone_instants(zone, &at, instants);
            if (cron->every_hour ? count == 0 : count == 2)
                count = cron->every_hour ? 0 : 1;
            else if (count == 0)
                count = 1; /* right after the leap */
            for (int i = 0; i < count; i++)
                if (instants[i] > after && instants[i] < best)
                    best = instants[i];
        }
    }
    return best;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after)
{
    struct zone_time now;
    zone_local(zone, after, &now);
    int64_t today = zone_days(now.year, now.month, now.day);
    /* From yesterday: clocks that go back at midnight show a day twice. */
    for (int64_t day = today - 1; day < today + SEARCH_YEARS * 366; day++) {
        struct zone_time date;
        zone_date(day, &date);
        if (!day_matches(cron, &date))
            continue;
        int64_t due = first_of_day(cron, zone, &date, after);
        if (due != CRON_NEVER)
            return due;
    }
    return CRON_NEVER;
}
