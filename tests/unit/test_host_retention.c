/* SPDX-License-Identifier: Apache-2.0 */
/* Retention over made-up histories, in UTC and in a zone with summer time. */
#include "unit/unit.h"

#include "core/clock.h"
#include "host/retention.h"
#include "repo/snapshot.h"

#include <time.h>

#define MOST 512u

struct history {
    struct snapshot *snapshots[MOST];
    size_t count;
    unsigned verdicts[MOST];
};

static void add(struct history *history, const char *time, const char *tag)
{
    struct snapshot *snapshot = snapshot_new("image:/disk");
    expect_ok(clock_parse(time, &snapshot->committed, err));
    if (tag != NULL) {
        snapshot->tags = mem_array(1, sizeof(*snapshot->tags));
        snapshot->tags[0] = mem_strdup(tag);
        snapshot->tag_count = 1;
    }
    history->snapshots[history->count++] = snapshot;
}

static void apply(struct history *history, const struct retention_policy *policy)
{
    retention_apply(policy, history->snapshots, history->count, history->verdicts);
}

static size_t kept(const struct history *history, unsigned bit)
{
    size_t kept = 0;
    for (size_t i = 0; i < history->count; i++)
        kept += (history->verdicts[i] & bit) != 0;
    return kept;
}

static void clear(struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        snapshot_free(history->snapshots[i]);
    history->count = 0;
}

/* Every six hours from the 1st of January 2026, a Thursday. */
static void fill(struct history *history, size_t count)
{
    int64_t start;
    expect_ok(clock_parse("2026-01-01T01:00:00Z", &start, err));
    for (size_t i = 0; i < count; i++) {
        char text[CLOCK_TEXT_LENGTH];
        clock_format(start + (int64_t)i * 6 * 3600 * 1000, text);
        add(history, text, NULL);
    }
}

static void test_periods(void)
{
    struct history history = {.count = 0};
    fill(&history, 400); /* until the 10th of April, 19:00 */
    const struct retention_policy policy = {.keep = {[RETENTION_LAST] = 3,
                                                     [RETENTION_DAILY] = 7,
                                                     [RETENTION_WEEKLY] = 4,
                                                     [RETENTION_MONTHLY] = 12,
                                                     [RETENTION_YEARLY] = 2}};
    apply(&history, &policy);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_LAST), 3);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_DAILY), 7);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_WEEKLY), 4);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_MONTHLY), 4 + 1); /* and the oldest */
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_YEARLY), 1 + 1);
    CU_ASSERT(history.verdicts[399] & 1u << RETENTION_YEARLY);
    CU_ASSERT_EQUAL(history.verdicts[0], 1u << RETENTION_MONTHLY | 1u << RETENTION_YEARLY);
    /* The last of each day is the one of 19:00; the last of January is the fourth of its 31st day. */
    CU_ASSERT(history.verdicts[399 - 4] & 1u << RETENTION_DAILY);
    CU_ASSERT_FALSE(history.verdicts[399 - 5] & 1u << RETENTION_DAILY);
    CU_ASSERT(history.verdicts[31 * 4 - 1] & 1u << RETENTION_MONTHLY);
    /* Weeks end on Sundays: the 5th of April is day 94 (from 0). */
    CU_ASSERT(history.verdicts[94 * 4 + 3] & 1u << RETENTION_WEEKLY);
    clear(&history);
}

static void test_week_of_two_years(void)
{
    struct history history = {.count = 0};
    add(&history, "2025-12-28T12:00:00Z", NULL); /* Sunday: week 52 */
    add(&history, "2025-12-29T12:00:00Z", NULL); /* Monday: week 1 of 2026 */
    add(&history, "2026-01-04T12:00:00Z", NULL); /* Sunday of the same week */
    const struct retention_policy policy = {.keep = {[RETENTION_WEEKLY] = 9}};
    apply(&history, &policy);
    CU_ASSERT(history.verdicts[0] != 0);
    CU_ASSERT_EQUAL(history.verdicts[1], 0);
    CU_ASSERT(history.verdicts[2] != 0);
    clear(&history);
}

static void test_hours_and_gaps(void)
{
    struct history history = {.count = 0};
    add(&history, "2026-03-01T08:00:00Z", NULL);
    add(&history, "2026-03-20T08:00:00Z", NULL);
    add(&history, "2026-03-20T08:59:59.999Z", NULL);
    add(&history, "2026-03-20T09:00:00Z", NULL);
    const struct retention_policy policy = {.keep = {[RETENTION_HOURLY] = 3}};
    apply(&history, &policy);
    CU_ASSERT(history.verdicts[0] != 0); /* hours without a snapshot do not count */
    CU_ASSERT_EQUAL(history.verdicts[1], 0);
    CU_ASSERT(history.verdicts[2] != 0);
    CU_ASSERT(history.verdicts[3] != 0);
    clear(&history);
}

static void test_within_and_tags(void)
{
    struct history history = {.count = 0};
    const char *const tags[] = {"keep", "other"};
    add(&history, "2026-03-01T00:00:00Z", "keep");
    add(&history, "2026-03-02T00:00:00Z", "nothing");
    add(&history, "2026-03-09T00:00:00Z", NULL);
    add(&history, "2026-03-10T00:00:00Z", NULL);
    const struct retention_policy policy = {
        .within = INT64_C(24) * 3600 * 1000, .tags = tags, .tag_count = 2};
    apply(&history, &policy);
    CU_ASSERT_EQUAL(history.verdicts[0], RETENTION_TAG);
    CU_ASSERT_EQUAL(history.verdicts[1], 0);
    CU_ASSERT_EQUAL(history.verdicts[2], RETENTION_WITHIN);
    CU_ASSERT_EQUAL(history.verdicts[3], RETENTION_WITHIN);
    expect_text(retention_reason(RETENTION_TAG), "tag");
    expect_text(retention_reason(1u << RETENTION_MONTHLY), "monthly");
    clear(&history);
}

static void test_no_rule(void)
{
    const struct retention_policy none = {.within = 0};
    const struct retention_policy one = {.keep = {[RETENTION_YEARLY] = 1}};
    CU_ASSERT_FALSE(retention_has_rule(&none));
    CU_ASSERT(retention_has_rule(&one));
}

/* A day is one of the local zone: 23:30 and 00:30 UTC are the same day in Kiritimati (UTC+14). */
static void test_local_days(void)
{
    struct history history = {.count = 0};
    add(&history, "2026-02-01T12:00:00Z", NULL);
    add(&history, "2026-03-01T23:30:00Z", NULL);
    add(&history, "2026-03-02T00:30:00Z", NULL);
    const struct retention_policy policy = {.keep = {[RETENTION_DAILY] = 5}};
    apply(&history, &policy);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_DAILY), 3);
    setenv("TZ", "<+14>-14", 1);
    tzset();
    apply(&history, &policy);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_DAILY), 2);
    CU_ASSERT_EQUAL(history.verdicts[1], 0);
    setenv("TZ", "UTC", 1);
    tzset();
    clear(&history);
}

static void test_summer_time(void)
{
    struct history history = {.count = 0};
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    add(&history, "2026-10-01T00:00:00Z", NULL);
    add(&history, "2026-10-24T22:30:00Z", NULL); /* 00:30 CEST of the day that has 25 hours */
    add(&history, "2026-10-25T00:10:00Z", NULL); /* 02:10 CEST */
    add(&history, "2026-10-25T00:30:00Z", NULL); /* 02:30 CEST */
    add(&history, "2026-10-25T01:30:00Z", NULL); /* 02:30 CET, an hour later */
    add(&history, "2026-10-25T22:30:00Z", NULL); /* 23:30 CET, still the same day */
    const struct retention_policy hours = {.keep = {[RETENTION_HOURLY] = 4}};
    apply(&history, &hours);
    CU_ASSERT_EQUAL(history.verdicts[2], 0);
    CU_ASSERT(history.verdicts[3] != 0 && history.verdicts[4] != 0);
    const struct retention_policy days = {.keep = {[RETENTION_DAILY] = 2}};
    apply(&history, &days);
    CU_ASSERT_EQUAL(kept(&history, 1u << RETENTION_DAILY), 2);
    CU_ASSERT(history.verdicts[5] != 0 && history.verdicts[0] != 0);
    setenv("TZ", "UTC", 1);
    tzset();
    clear(&history);
}

/* A rule that is not used up keeps the oldest, too; one that is does not. */
static void test_oldest(void)
{
    struct history history = {.count = 0};
    add(&history, "2026-03-01T00:00:00Z", NULL);
    add(&history, "2026-03-02T00:00:00Z", NULL);
    add(&history, "2026-03-03T00:00:00Z", NULL);
    const struct retention_policy months = {.keep = {[RETENTION_MONTHLY] = 2}};
    apply(&history, &months);
    CU_ASSERT_EQUAL(history.verdicts[0], 1u << RETENTION_MONTHLY);
    CU_ASSERT_EQUAL(history.verdicts[1], 0);
    CU_ASSERT_EQUAL(history.verdicts[2], 1u << RETENTION_MONTHLY);
    const struct retention_policy month = {.keep = {[RETENTION_MONTHLY] = 1}};
    apply(&history, &month);
    CU_ASSERT_EQUAL(history.verdicts[0], 0);
    CU_ASSERT_EQUAL(history.verdicts[2], 1u << RETENTION_MONTHLY);
    retention_apply(&months, NULL, 0, NULL);
    clear(&history);
}

static const struct unit_test tests[] = {
    {"periods", test_periods},
    {"week of two years", test_week_of_two_years},
    {"hours and gaps", test_hours_and_gaps},
    {"within and tags", test_within_and_tags},
    {"no rule", test_no_rule},
    {"local days", test_local_days},
    {"summer time", test_summer_time},
    {"the oldest", test_oldest},
};

int main(void)
{
    setenv("TZ", "UTC", 1);
    return unit_run("retention", tests, array_length(tests));
}
