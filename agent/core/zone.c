/* SPDX-License-Identifier: Apache-2.0 */
#include "zone.h"

#include "buf.h"
#include "error.h"
#include "file.h"
#include "mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   (256u * 1024u) /* the largest of the database has 4 KiB */
#define DAY        86400
#define OFFSET_MAX (26 * 3600)

/* When a rule changes the clocks each year. */
struct change {
    enum { CHANGE_MONTH, CHANGE_JULIAN, CHANGE_DAY } kind; /* Mm.w.d, Jn, n */
    int month, week, day;
    int32_t second; /* of the local day, may lie outside of it */
};

/* What goes on after the last transition. */
struct rule {
    bool given;
    int32_t standard, summer; /* seconds east of Greenwich */
    bool has_summer;
    struct change begins, ends; /* of summer time */
};

struct zone {
    size_t count;
    int64_t *times;   /* of the transitions, s since 1970 */
    int32_t *offsets; /* from each of them on, s east of Greenwich */
    int32_t first;    /* before all of them */
    struct rule rule;
};

/* ------------------------------------------------------------------------------------------------------------- calendar */

int64_t zone_days(int year, int month, int day)
{
    /* Days of years that begin in March, so that the leap day is a year's last. */
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date(int64_t days, struct zone_time *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *out = (struct zone_time){
        .day = (int)(of_year - (153 * month + 2) / 5 + 1),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .weekday = (int)(((days % 7) + 11) % 7), /* 1970-01-01 was a Thursday */
    };
    out->year = (int)(year + era * 400 + (out->month <= 2));
}

/* ---------------------------------------------------------------------------------------------------------------- rules */

/* Seconds since 1970, as if the zone were UTC, at which `change` happens in `year`. */
static int64_t change_at(const struct change *change, int year)
{
    int64_t day;
    if (change->kind == CHANGE_MONTH) {
        struct zone_time first;
        int64_t month_begins = zone_days(year, change->month, 1);
        zone_date(month_begins, &first);
        day = month_begins + (change->day - first.weekday + 7) % 7 + 7 * (change->week - 1);
        int64_t month_ends =
            change->month == 12 ? zone_days(year + 1, 1, 1) : zone_days(year, change->month + 1, 1);
        while (day >= month_ends) /* week 5 is the last */
            day -= 7;
    } else {
        int64_t year_begins = zone_days(year, 1, 1);
        bool leap = zone_days(year + 1, 1, 1) - year_begins == 366;
        day = year_begins + change->day;
        if (change->kind == CHANGE_JULIAN) /* counts from 1, and never the leap day */
            day += (leap && change->day >= 60 ? 1 : 0) - 1;
    }
    return day * DAY + change->second;
}

static int32_t rule_offset(const struct rule *rule, int64_t seconds)
{
    if (!rule->has_summer)
        return rule->standard;
    struct zone_time local;
    int64_t shifted = seconds + rule->standard;
    zone_date((shifted - ((shifted % DAY) + DAY) % DAY) / DAY, &local);
    int64_t begins = change_at(&rule->begins, local.year) - rule->standard;
    int64_t ends = change_at(&rule->ends, local.year) - rule->summer;
    bool summer =
        begins < ends ? seconds >= begins && seconds < ends : seconds >= begins || seconds < ends;
    return summer ? rule->summer : rule->standard;
}

/* A number of at most three digits within [least, most]. */
static bool take_number(const char **text, int least, int most, int *out)
{
    int value = 0, digits = 0;
    while (isdigit((unsigned char)**text) && digits < 3) {
        value = value * 10 + (*(*text)++ - '0');
        digits++;
    }
    *out = value;
    return digits > 0 && value >= least && value <= most;
}

/* [+-]hh[:mm[:ss]] */
static bool take_offset(const char **text, int most_hours, int32_t *out)
{
    int sign = 1, hours, minutes = 0, seconds = 0;
    if (**text == '+' || **text == '-')
        sign = *(*text)++ == '-' ? -1 : 1;
    if (!take_number(text, 0, most_hours, &hours))
        return false;
    if (**text == ':') {
        (*text)++;
        if (!take_number(text, 0, 59, &minutes))
            return false;
    }
    if (**text == ':') {
        (*text)++;
        if (!take_number(text, 0, 59, &seconds))
            return false;
    }
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* A designation: three letters or more, or anything in <>. */
static bool take_name(const char **text)
{
    const char *begin = *text;
    if (**text == '<') {
        const char *end = strchr(*text, '>');
        *text = end != NULL ? end + 1 : *text;
        return end != NULL;
    }
    while (isalpha((unsigned char)**text))
        (*text)++;
    return *text - begin >= 3;
}

/* ,Mm.w.d[/time] or ,Jn[/time] or ,n[/time] */
static bool take_change(const char **text, struct change *out)
{
    *out = (struct change){.second = 2 * 3600};
    if (*(*text)++ != ',')
        return false;
    bool good;
    if (**text == 'M') {
        (*text)++;
        out->kind = CHANGE_MONTH;
        good = take_number(text, 1, 12, &out->month) && *(*text)++ == '.' &&
               take_number(text, 1, 5, &out->week) && *(*text)++ == '.' &&
               take_number(text, 0, 6, &out->day);
    } else if (**text == 'J') {
        (*text)++;
        out->kind = CHANGE_JULIAN;
        good = take_number(text, 1, 365, &out->day);
    } else {
        out->kind = CHANGE_DAY;
        good = take_number(text, 0, 365, &out->day);
    }
    if (good && **text == '/') {
        (*text)++;
        good = take_offset(text, 167, &out->second);
    }
    return good;
}

static bool rule_parse(const char *text, struct rule *out)
{
    *out = (struct rule){0};
    if (*text == '\0')
        return true;
    if (!take_name(&text) || !take_offset(&text, 24, &out->standard))
        return false;
    out->given = true;
    out->standard = -out->standard; /* POSIX counts west of Greenwich */
    if (*text == '\0')
        return true;
    out->has_summer = true;
    out->summer = out->standard + 3600;
    if (!take_name(&text))
        return false;
    if (*text != ',') {
        if (!take_offset(&text, 24, &out->summer))
            return false;
        out->summer = -out->summer;
    }
    return take_change(&text, &out->begins) && take_change(&text, &out->ends) && *text == '\0';
}

/* ----------------------------------------------------------------------------------------------------------------- TZif */

struct header {
    uint32_t utc_flags, standard_flags, leaps, times, types, chars;
};

#define HEADER_LENGTH 44u

static uint64_t big_endian(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | data[i];
    return value;
}

static bool header_read(const uint8_t *data, size_t length, struct header *out)
{
    if (length < HEADER_LENGTH || memcmp(data, "TZif", 4) != 0)
        return false;
    uint32_t *members[] = {&out->utc_flags, &out->standard_flags, &out->leaps,
                           &out->times,     &out->types,          &out->chars};
    for (size_t i = 0; i < array_length(members); i++) {
        *members[i] = (uint32_t)big_endian(data + 20 + 4 * i, 4);
        if (*members[i] > FILE_MAX)
            return false;
    }
    return out->types > 0;
}

/* Length of the data block behind a header, whose times take `width` bytes each. */
static size_t block_length(const struct header *header, size_t width)
{
    return header->times * width + header->times + header->types * 6 + header->chars +
           header->leaps * (width + 4) + header->standard_flags + header->utc_flags;
}

static bool block_read(struct zone *zone, const struct header *header, const uint8_t *data,
                       size_t width)
{
    const uint8_t *kinds = data + header->times * width;
    const uint8_t *types = kinds + header->times;
    for (uint32_t i = 0; i < header->types; i++) {
        int32_t offset = (int32_t)big_endian(types + (size_t)i * 6, 4);
        if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
            return false;
    }
    zone->first = (int32_t)big_endian(types, 4);
    zone->count = header->times;
    zone->times = mem_array(header->times, sizeof(*zone->times));
    zone->offsets = mem_array(header->times, sizeof(*zone->offsets));
    for (uint32_t i = 0; i < header->times; i++) {
        uint64_t raw = big_endian(data + i * width, width);
        zone->times[i] = width == 4 ? (int32_t)raw : (int64_t)raw;
        if (kinds[i] >= header->types || (i > 0 && zone->times[i] <= zone->times[i - 1]))
            return false;
        zone->offsets[i] = (int32_t)big_endian(types + (size_t)kinds[i] * 6, 4);
    }
    return true;
}

/* The footer: a TZ string between two line feeds. */
static bool footer_read(struct zone *zone, const uint8_t *data, size_t length)
{
    const uint8_t *end = length > 1 && data[0] == '\n' ? memchr(data + 1, '\n', length - 1) : NULL;
    if (end == NULL)
        return false;
    auto_free char *text = mem_dup(data + 1, (size_t)(end - data) - 1);
    return rule_parse(text, &zone->rule);
}

static bool parse(struct zone *zone, const uint8_t *data, size_t length)
{
    struct header header;
    if (length > FILE_MAX || !header_read(data, length, &header))
        return false;
    size_t block = block_length(&header, 4);
    if (data[4] == 0) /* version 1 has times of 32 bits, and no more */
        return block <= length - HEADER_LENGTH &&
               block_read(zone, &header, data + HEADER_LENGTH, 4);
    if (block > length - HEADER_LENGTH)
        return false;
    data += HEADER_LENGTH + block;
    length -= HEADER_LENGTH + block;
    if (!header_read(data, length, &header))
        return false;
    block = block_length(&header, 8);
    return block <= length - HEADER_LENGTH && block_read(zone, &header, data + HEADER_LENGTH, 8) &&
           footer_read(zone, data + HEADER_LENGTH + block, length - HEADER_LENGTH - block);
}

int zone_read(const void *data, size_t length, struct zone **out, struct firn_error **err)
{
    auto_zone struct zone *zone = mem_zalloc(sizeof(*zone));
    if (!parse(zone, data, length))
        return fail(err, FIRN_CORRUPT, "not a TZif file");
    *out = steal(zone);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------------- names */

static bool name_valid(const char *name)
{
    if (*name == '\0' || *name == '/' || strlen(name) > 64 || strstr(name, "..") != NULL)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("/_+-", *c) == NULL)
            return false;
    return true;
}

int zone_open(const char *name, struct zone **out, struct firn_error **err)
{
    if (!name_valid(name))
        return fail(err, FIRN_INVALID,
                    "\"%s\" is not the name of a time zone: \"Europe/Berlin\" is", name);
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
        *out = mem_zalloc(sizeof(**out));
        return 0;
    }
    const char *directory = getenv("TZDIR");
    auto_free char *path = file_join(directory != NULL ? directory : "/usr/share/zoneinfo", name);
    auto_buf struct buf data = buf_new(FILE_MAX);
    if (file_read(path, FILE_MAX, &data, err) < 0)
        return wrap(err, "time zone %s", name);
    if (zone_read(data.data, data.length, out, err) < 0)
        return wrap(err, "time zone %s: %s", name, path);
    return 0;
}

void zone_free(struct zone *zone)
{
    if (zone == NULL)
        return;
    free(zone->times);
    free(zone->offsets);
    free(zone);
}

void zone_free_pointer(struct zone **zone)
{
    zone_free(*zone);
}

/* ------------------------------------------------------------------------------------------------------------ conversion */

static int32_t offset_at(const struct zone *zone, int64_t seconds)
{
    if (zone->count == 0 || seconds >= zone->times[zone->count - 1]) {
        if (zone->rule.given)
            return rule_offset(&zone->rule, seconds);
        return zone->count == 0 ? zone->first : zone->offsets[zone->count - 1];
    }
    if (seconds < zone->times[0])
        return zone->first;
    size_t low = 0, high = zone->count - 1; /* times[low] <= seconds < times[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= seconds)
            low = middle;
        else
            high = middle;
    }
    return zone->offsets[low];
}

static int64_t floor_division(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

void zone_local(const struct zone *zone, int64_t time, struct zone_time *out)
{
    int64_t seconds = floor_division(time, 1000);
    seconds += offset_at(zone, seconds);
    int64_t day = floor_division(seconds, DAY);
    int rest = (int)(seconds - day * DAY);
    zone_date(day, out);
    out->hour = rest / 3600;
    out->minute = rest / 60 % 60;
    out->second = rest % 60;
}

/* The instant between `low` and `high` at which the offset leaves that of `low`. */
static int64_t leap_between(const struct zone *zone, int64_t low, int64_t high)
{
    int32_t before = offset_at(zone, low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(zone, middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

int zone_instants(const struct zone *zone, const struct zone_time *local, int64_t out[2])
{
    int64_t shown = zone_days(local->year, local->month, local->day) * DAY + local->hour * 3600 +
                    local->minute * 60 + local->second;
    /* Clocks change at most once within two days: what counts is the offset before, and after. */
    int64_t earlier = shown - DAY, later = shown + DAY;
    int32_t before = offset_at(zone, earlier), after = offset_at(zone, later);
    int64_t first = shown - before, second = shown - after;
    int count = 0;
    if (offset_at(zone, first) == before)
        out[count++] = first * 1000;
    if (before != after && offset_at(zone, second) == after)
        out[count++] = second * 1000;
    if (count == 2 && out[0] > out[1]) {
        int64_t swap = out[0];
        out[0] = out[1];
        out[1] = swap;
    }
    if (count == 0)
        out[0] = leap_between(zone, earlier, later) * 1000;
    return count;
}
