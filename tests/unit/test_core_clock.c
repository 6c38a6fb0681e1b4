/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "unit/unit.h"

static void test_format(void)
{
    static const struct {
        int64_t time;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795334400123, "2026-11-22T08:00:00.123Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0001-01-01T00:00:00.000Z"},
    };
    char text[CLOCK_TEXT_LENGTH];
    for (size_t i = 0; i < array_length(cases); i++) {
        clock_format(cases[i].time, text);
        expect_text(text, cases[i].text);
    }
}

static void test_parse(void)
{
    static const struct {
        const char *text;
        int64_t time;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T08:00:00.123Z", 1795334400123},
        {"2026-11-22t09:00:00.1239999+01:00", 1795334400123},
        {"2026-11-22 02:30:00-05:30", 1795334400000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"0001-01-01T00:00:00Z", -62135596800000},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        int64_t time = -1;
        expect_ok(clock_parse(cases[i].text, &time, err));
        CU_ASSERT_EQUAL(time, cases[i].time);
    }
    static const char *const wrong[] = {
        "",
        "now",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "2023-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T08:00:00.Z",
        "2026-11-22T08:00:00Zjunk",
        "2026-11-22T08:00:00+0100",
        "+026-11-22T08:00:00Z",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        int64_t time = 0;
        expect_error(FIRN_INVALID, clock_parse(wrong[i], &time, err));
    }
}

static void test_duration(void)
{
    static const struct {
        const char *text;
        int64_t milliseconds;
    } cases[] = {
        {"250ms", 250},     {"30s", 30000},    {"5m", 300000},     {"1h", 3600000},
        {"2d", 172800000},  {"1w", 604800000}, {"1h30m", 5400000}, {"90", 90000},
        {"1m500ms", 60500}, {"0", 0},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        int64_t milliseconds = -1;
        expect_ok(duration_parse(cases[i].text, &milliseconds, err));
        CU_ASSERT_EQUAL(milliseconds, cases[i].milliseconds);
    }
    static const char *const wrong[] = {"",
                                        "s",
                                        "1x",
                                        "1h30",
                                        "-1s",
                                        "1.5h",
                                        "1 h",
                                        "99999999999999999999",
                                        "18446744073709551615",
                                        "9223372036854775807s",
                                        "15250284452472w1w"};
    for (size_t i = 0; i < array_length(wrong); i++) {
        int64_t milliseconds = 0;
        expect_error(FIRN_INVALID, duration_parse(wrong[i], &milliseconds, err));
    }
}

static void test_size(void)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"17B", 17},
        {"64K", 65536},
        {"64KiB", 65536},
        {"64kB", 65536},
        {"1M", 1048576},
        {"2GiB", 2147483648},
        {"10T", 10ull << 40},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        uint64_t bytes = 1;
        expect_ok(size_parse(cases[i].text, &bytes, err));
        CU_ASSERT_EQUAL(bytes, cases[i].bytes);
    }
    static const char *const wrong[] = {
        "",         "K",   "1.5 GiB", "1.5G", "-1",
        "1X",       "1iB", "1 KiB",   "1Ki",  "18446744073709551616",
        "99999999T"};
    for (size_t i = 0; i < array_length(wrong); i++) {
        uint64_t bytes = 0;
        expect_error(FIRN_INVALID, size_parse(wrong[i], &bytes, err));
    }
}

static void test_show(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0 B"},           {17, "17 B"},           {1023, "1023 B"},
        {1024, "1.0 KiB"},    {319488, "312 KiB"},    {1503238553, "1.4 GiB"},
        {1048575, "1.0 MiB"}, {UINT64_MAX, "16 EiB"},
    };
    char text[DURATION_TEXT_LENGTH];
    for (size_t i = 0; i < array_length(sizes); i++) {
        size_format(sizes[i].bytes, text);
        expect_text(text, sizes[i].text);
    }
    static const struct {
        int64_t milliseconds;
        const char *text;
    } durations[] = {
        {-5, "0 ms"},           {350, "350 ms"},
        {2400, "2.4 s"},        {59960, "1 min 0 s"},
        {252000, "4 min 12 s"}, {3840000, "1 h 4 min"},
        {180000000, "2 d 2 h"}, {INT64_MAX / 2, "53375995583 d 15 h"},
    };
    for (size_t i = 0; i < array_length(durations); i++) {
        duration_format(durations[i].milliseconds, text);
        expect_text(text, durations[i].text);
    }
}

static void test_clocks(void)
{
    int64_t before = clock_monotonic();
    clock_sleep(30);
    int64_t after = clock_monotonic();
    CU_ASSERT_TRUE(after - before >= 30);
    CU_ASSERT_TRUE(clock_now() > 1700000000000);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"times are written", test_format},           {"times are read", test_parse},
        {"durations are read", test_duration},        {"sizes are read", test_size},
        {"sizes and durations are shown", test_show}, {"the clocks run", test_clocks},
    };
    return unit_run("core/clock", tests, array_length(tests));
}
