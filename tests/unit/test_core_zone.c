/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones, compared with the C library's, which knows one at a time. */
#include "unit/unit.h"

#include "core/zone.h"

#include <time.h>

static const char *const names[] = {
    "Europe/Berlin",       "America/New_York", "America/Sao_Paulo",
    "Australia/Lord_Howe", "Asia/Kathmandu",   "Africa/Casablanca",
    "Pacific/Apia",        "Pacific/Chatham",  "America/Argentina/Ushuaia",
    "Asia/Tehran",         "Europe/Dublin",    "Antarctica/Troll",
    "America/Nuuk",        "Etc/GMT+12",       "UTC",
};

static uint64_t random_state = 88172645463325252u;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static struct zone *open_zone(const char *name)
{
    struct zone *zone = NULL;
    expect_ok(zone_open(name, &zone, err));
    return zone;
}

static void test_calendar(void)
{
    CU_ASSERT_EQUAL(zone_days(1970, 1, 1), 0);
    CU_ASSERT_EQUAL(zone_days(2000, 3, 1), 11017);
    for (int64_t day = -200000; day < 200000; day++) {
        struct zone_time date;
        zone_date(day, &date);
        time_t seconds = (time_t)day * 86400;
        struct tm parts;
        gmtime_r(&seconds, &parts);
        if (zone_days(date.year, date.month, date.day) != day || date.weekday != parts.tm_wday ||
            date.year != parts.tm_year + 1900 || date.month != parts.tm_mon + 1 ||
            date.day != parts.tm_mday)
            CU_FAIL_FATAL("a day differs");
    }
}

/* Shown times agree, in the past, the present, and behind the last transition of the file. */
static void test_local(void)
{
    for (size_t i = 0; i < array_length(names); i++) {
        auto_zone struct zone *zone = open_zone(names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(zone);
        setenv("TZ", names[i], 1);
        tzset();
        for (int round = 0; round < 20000; round++) {
            time_t seconds = (time_t)(random_next() % 6000000000u) - 1500000000; /* 1922 … 2112 */
            struct tm parts;
            localtime_r(&seconds, &parts);
            struct zone_time shown;
            zone_local(zone, (int64_t)seconds * 1000 + 999, &shown);
            if (shown.year != parts.tm_year + 1900 || shown.month != parts.tm_mon + 1 ||
                shown.day != parts.tm_mday || shown.hour != parts.tm_hour ||
                shown.minute != parts.tm_min || shown.second != parts.tm_sec ||
                shown.weekday != parts.tm_wday) {
                printf("\n    %s: %lld", names[i], (long long)seconds);
                CU_FAIL("a time differs");
                break;
            }
            int64_t instants[2];
            int count = zone_instants(zone, &shown, instants);
            int64_t wanted = (int64_t)seconds * 1000;
            if (count < 1 || (instants[0] != wanted && (count < 2 || instants[1] != wanted))) {
                printf("\n    %s: %lld", names[i], (long long)seconds);
                CU_FAIL("an instant is not found again");
                break;
            }
        }
    }
    unsetenv("TZ");
    tzset();
}

/* Central Europe, 2026: 29 March 02:00 leaps to 03:00, 25 October 03:00 goes back to 02:00. */
static void test_changes(void)
{
    auto_zone struct zone *zone = open_zone("Europe/Berlin");
    int64_t instants[2];
    struct zone_time gap = {.year = 2026, .month = 3, .day = 29, .hour = 2, .minute = 30};
    CU_ASSERT_EQUAL(zone_instants(zone, &gap, instants), 0);
    CU_ASSERT_EQUAL(instants[0], INT64_C(1774746000000)); /* 01:00 UTC */
    struct zone_time twice = {.year = 2026, .month = 10, .day = 25, .hour = 2, .minute = 30};
    CU_ASSERT_EQUAL(zone_instants(zone, &twice, instants), 2);
    CU_ASSERT_EQUAL(instants[0], INT64_C(1792888200000)); /* 00:30 UTC */
    CU_ASSERT_EQUAL(instants[1], INT64_C(1792891800000));
    /* By the rule, long after the file's last transition. */
    struct zone_time far = {.year = 2077, .month = 3, .day = 28, .hour = 2, .minute = 1};
    CU_ASSERT_EQUAL(zone_instants(zone, &far, instants), 0);
}

static void test_names(void)
{
    struct zone *zone = NULL;
    expect_error(FIRN_NOTFOUND, zone_open("Europe/Atlantis", &zone, err));
    static const char *const bad[] = {"", "/etc/localtime", "../zoneinfo/UTC", "a b", "Europe/\n"};
    for (size_t i = 0; i < array_length(bad); i++)
        expect_error(FIRN_INVALID, zone_open(bad[i], &zone, err));
    CU_ASSERT_PTR_NULL(zone);
}

/* Damaged files are refused or read, and nothing else. */
static void test_damage(void)
{
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    uint8_t good[8192];
    size_t length = fread(good, 1, sizeof(good), file);
    fclose(file);
    for (size_t cut = 0; cut < length; cut++) {
        struct zone *zone = NULL;
        auto_free uint8_t *copy = mem_dup(good, cut);
        expect_error(FIRN_CORRUPT, zone_read(copy, cut, &zone, err));
    }
    for (int round = 0; round < 20000; round++) {
        auto_free uint8_t *copy = mem_dup(good, length);
        copy[random_next() % length] = (uint8_t)random_next();
        copy[random_next() % 100] = (uint8_t)random_next();
        auto_zone struct zone *zone = NULL;
        if (zone_read(copy, length, &zone, NULL) == 0) {
            struct zone_time shown;
            zone_local(zone, (int64_t)(random_next() % 4000000000000), &shown);
            CU_ASSERT_TRUE(shown.month >= 1 && shown.month <= 12);
        }
    }
}

static const struct unit_test tests[] = {
    {"the calendar", test_calendar},
    {"what clocks show", test_local},
    {"summer time begins and ends", test_changes},
    {"names", test_names},
    {"damaged files", test_damage},
};

int main(void)
{
    return unit_run("zone", tests, array_length(tests));
}
