/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions and schedules: changes of the clocks, missed runs, windows, delays. */
#include "unit/unit.h"

#include "control/schedule.h"
#include "core/clock.h"
#include "core/zone.h"

#define HOUR_MS INT64_C(3600000)

static int64_t at(const char *text)
{
    int64_t time = 0;
    expect_ok(clock_parse(text, &time, err));
    return time;
}

static struct cron parse(const char *text)
{
    struct cron cron = {0};
    expect_ok(cron_parse(text, &cron, err));
    return cron;
}

/* The runs after `after` are at these times, in order; the list ends with NULL. */
static void expect_runs(const char *expression, const char *zone_name, const char *after,
                        const char *const *times)
{
    auto_zone struct zone *zone = NULL;
    expect_ok(zone_open(zone_name, &zone, err));
    struct cron cron = parse(expression);
    int64_t time = at(after);
    for (; *times != NULL; times++) {
        time = cron_next(&cron, zone, time);
        char text[CLOCK_TEXT_LENGTH] = "never";
        if (time != CRON_NEVER)
            clock_format(time, text);
        char wanted[CLOCK_TEXT_LENGTH];
        clock_format(at(*times), wanted);
        expect_text(text, wanted);
    }
}
#define runs(expression, zone, after, ...)                                                         \
    expect_runs(expression, zone, after, (const char *const[]){__VA_ARGS__, NULL})

static void test_expressions(void)
{
    runs("*/20 8-9 * * *", "UTC", "2026-11-22T08:10:00Z", "2026-11-22T08:20:00Z",
         "2026-11-22T08:40:00Z", "2026-11-22T09:00:00Z", "2026-11-22T09:20:00Z",
         "2026-11-22T09:40:00Z", "2026-11-23T08:00:00Z");
    runs("0 0 29 FEB *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
         "2032-02-29T00:00:00Z");
    runs("0 0 29 2 ?", "UTC", "2097-01-01T00:00:00Z",
         "2104-02-29T00:00:00Z"); /* 2100 is no leap year */
    runs("30 4 1,15 * 5", "UTC", "2026-11-01T04:30:00Z", "2026-11-06T04:30:00Z",
         "2026-11-13T04:30:00Z", "2026-11-15T04:30:00Z"); /* either day will do */
    runs("0 12 */2 * mon", "UTC", "2026-11-01T00:00:00Z",
         "2026-11-09T12:00:00Z"); /* both must match */
    runs("5/25 * * * *", "UTC", "2026-11-22T00:00:00Z", "2026-11-22T00:05:00Z",
         "2026-11-22T00:30:00Z", "2026-11-22T00:55:00Z", "2026-11-22T01:05:00Z");
    runs("0 0 * * 7", "UTC", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z");
    runs("0 0 * * fri-7", "UTC", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z",
         "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-04T00:00:00Z");
    runs("@weekly", "UTC", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z");
    auto_zone struct zone *utc = NULL;
    expect_ok(zone_open("UTC", &utc, err));
    struct cron never = parse("0 0 30 2 *");
    CU_ASSERT_EQUAL(cron_next(&never, utc, at("2026-01-01T00:00:00Z")), CRON_NEVER);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",           "* * * *",      "* * * * * *", "60 * * * *",  "* 24 * * *",   "* * 0 * *",
        "* * * 13 *", "* * * * 8",    "*/0 * * * *", "5-3 * * * *", "1,,2 * * * *", "a * * * *",
        "@reboot",    "* * * JANU *", "-1 * * * *",  "1- * * * *",  "*/ * * * *",   "099 * * * *",
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        struct cron cron;
        expect_error(FIRN_INVALID, cron_parse(bad[i], &cron, err));
    }
}

static void test_summer_time(void)
{
    /* 02:30 is leapt over on 29 March, and passed twice on 25 October. */
    runs("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z",
         "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
    runs("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-24T00:30:00Z",
         "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    /* Every hour is every hour. */
    runs("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T00:00:00Z",
         "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z");
    runs("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z",
         "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z");
    /* A day that begins at 01:00. */
    runs("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z",
         "2018-11-05T02:00:00Z");
}

static void test_missed(void)
{
    auto_zone struct zone *zone = NULL;
    expect_ok(zone_open("UTC", &zone, err));
    struct schedule schedule = {.cron = parse("0 * * * *"), .zone = zone, .deadline = 12 * HOUR_MS};
    struct schedule_plan plan;
    schedule_plan(&schedule, at("2026-11-22T08:00:00Z"), at("2026-11-22T08:59:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, 0);
    CU_ASSERT_EQUAL(plan.next, at("2026-11-22T09:00:00Z"));
    schedule_plan(&schedule, at("2026-11-22T08:00:00Z"), at("2026-11-22T09:00:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, at("2026-11-22T09:00:00Z"));
    CU_ASSERT_EQUAL(plan.next, at("2026-11-22T10:00:00Z"));
    /* Five are missed: the last of them runs. */
    schedule_plan(&schedule, at("2026-11-22T08:00:00Z"), at("2026-11-22T13:10:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, at("2026-11-22T13:00:00Z"));
    /* A year is missed of a daily one, and it is too late for today's. */
    schedule.cron = parse("0 1 * * *");
    schedule.deadline = HOUR_MS;
    schedule_plan(&schedule, at("2025-11-22T01:00:00Z"), at("2026-11-22T02:01:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, 0);
    CU_ASSERT_EQUAL(plan.next, at("2026-11-23T01:00:00Z"));
    schedule_plan(&schedule, at("2025-11-22T01:00:00Z"), at("2026-11-22T02:00:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, at("2026-11-22T01:00:00Z"));
    /* A clock that went back runs nothing again. */
    schedule_plan(&schedule, at("2026-11-22T01:00:00Z"), at("2026-11-21T02:00:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, 0);
}

static void test_delay(void)
{
    auto_zone struct zone *zone = NULL;
    expect_ok(zone_open("UTC", &zone, err));
    struct schedule schedule = {
        .cron = parse("0 * * * *"), .zone = zone, .deadline = HOUR_MS, .delay = 600000};
    struct schedule_plan plan;
    schedule_plan(&schedule, at("2026-11-22T08:00:00Z"), at("2026-11-22T09:09:59Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, 0);
    CU_ASSERT_EQUAL(plan.next, at("2026-11-22T09:10:00Z"));
    schedule_plan(&schedule, at("2026-11-22T08:00:00Z"), at("2026-11-22T09:10:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, at("2026-11-22T09:00:00Z"));
    CU_ASSERT_EQUAL(plan.next, at("2026-11-22T10:10:00Z"));
    unsigned halves[2] = {0, 0};
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "uid-%d", i);
        int64_t delay = schedule_delay(key, HOUR_MS);
        CU_ASSERT_TRUE(delay >= 0 && delay < HOUR_MS);
        CU_ASSERT_EQUAL(delay, schedule_delay(key, HOUR_MS));
        halves[delay >= HOUR_MS / 2]++;
    }
    CU_ASSERT_TRUE(halves[0] > 400 && halves[1] > 400);
    CU_ASSERT_EQUAL(schedule_delay("uid", 0), 0);
}

static void test_windows(void)
{
    auto_zone struct zone *zone = NULL;
    expect_ok(zone_open("Europe/Berlin", &zone, err));
    /* 22:00 to 06:00, beginning on Monday to Friday. */
    const struct schedule_window nights = {.start = 22 * 60, .end = 6 * 60, .weekdays = 0x3e};
    struct schedule schedule = {.cron = parse("0 12 * * *"),
                                .zone = zone,
                                .deadline = HOUR_MS,
                                .windows = &nights,
                                .window_count = 1};
    struct schedule_plan plan;
    /* Sunday's waits for Monday night, as does Monday's; then one of them runs. */
    schedule_plan(&schedule, at("2026-11-21T11:00:00Z"), at("2026-11-22T11:00:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, 0);
    CU_ASSERT_EQUAL(plan.next, at("2026-11-23T21:00:00Z"));
    schedule_plan(&schedule, at("2026-11-21T11:00:00Z"), at("2026-11-23T21:00:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, at("2026-11-23T11:00:00Z"));
    CU_ASSERT_EQUAL(plan.next, at("2026-11-24T21:00:00Z"));
    /* Saturday 03:00 belongs to Friday's window, Sunday 03:00 to none. */
    schedule.cron = parse("0 3 * * *");
    schedule_plan(&schedule, at("2026-11-20T12:00:00Z"), at("2026-11-21T02:00:00Z"), &plan);
    CU_ASSERT_EQUAL(plan.due, at("2026-11-21T02:00:00Z"));
    CU_ASSERT_EQUAL(plan.next, at("2026-11-23T21:00:00Z"));
}

static const struct unit_test tests[] = {
    {"expressions", test_expressions},
    {"what is refused", test_refused},
    {"summer time", test_summer_time},
    {"missed runs", test_missed},
    {"delays", test_delay},
    {"windows", test_windows},
};

int main(void)
{
    return unit_run("schedule", tests, array_length(tests));
}
