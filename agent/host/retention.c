/* SPDX-License-Identifier: Apache-2.0 */
#include "retention.h"

#include "repo/snapshot.h"

#include <string.h>
#include <time.h>

bool retention_has_rule(const struct retention_policy *policy)
{
    for (size_t i = 0; i < RETENTION_PERIODS; i++)
        if (policy->keep[i] > 0)
            return true;
    return policy->within > 0 || policy->tag_count > 0;
}

const char *retention_reason(unsigned bit)
{
    static const char *const names[] = {"last",   "hourly", "daily", "weekly", "monthly",
                                        "yearly", "within", "tag",   "locked", "held"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (bit == 1u << i)
            return names[i];
    return "";
}

/* ISO 8601: a week belongs to the year of its Thursday. */
static int64_t week_of(struct tm parts)
{
    parts.tm_mday += 3 - (parts.tm_wday + 6) % 7;
    parts.tm_hour = 12;
    mktime(&parts);
    return (int64_t)parts.tm_year * 60 + parts.tm_yday / 7;
}

/* A number that is the same for all moments of the same hour, day, …; "last" gives each snapshot a period of its own. */
static int64_t period_of(enum retention_period period, int64_t time, size_t number)
{
    time_t seconds = (time_t)(time / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    int64_t day = (int64_t)parts.tm_year * 366 + parts.tm_yday;
    switch (period) {
    case RETENTION_HOURLY: /* when clocks go back, the same hour comes twice */
        return (day * 24 + parts.tm_hour) * 128 + parts.tm_gmtoff / 900;
    case RETENTION_DAILY:
        return day;
    case RETENTION_WEEKLY:
        return week_of(parts);
    case RETENTION_MONTHLY:
        return (int64_t)parts.tm_year * 12 + parts.tm_mon;
    case RETENTION_YEARLY:
        return parts.tm_year;
    case RETENTION_LAST:
    case RETENTION_PERIODS:
        break;
    }
    return (int64_t)number;
}

static void apply_period(const struct retention_policy *policy, enum retention_period period,
                         struct snapshot *const *snapshots, size_t count, unsigned *verdicts)
{
    int64_t last = INT64_MIN;
    unsigned left = policy->keep[period];
    for (size_t i = count; i-- > 0 && left > 0;) {
        int64_t now = period_of(period, snapshots[i]->committed, i);
        if (now == last)
            continue;
        last = now;
        verdicts[i] |= 1u << period;
        left--;
    }
    if (left > 0 && count > 0)
        verdicts[0] |= 1u << period;
}

static bool has_tag(const struct retention_policy *policy, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < policy->tag_count; i++)
        if (snapshot_has_tag(snapshot, policy->tags[i]))
            return true;
    return false;
}

void retention_apply(const struct retention_policy *policy, struct snapshot *const *snapshots,
                     size_t count, unsigned *verdicts)
{
    if (count > 0)
        memset(verdicts, 0, count * sizeof(*verdicts));
    for (size_t period = 0; period < RETENTION_PERIODS; period++)
        apply_period(policy, (enum retention_period)period, snapshots, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        int64_t age = snapshots[count - 1]->committed - snapshots[i]->committed;
        if (policy->within > 0 && age <= policy->within)
            verdicts[i] |= RETENTION_WITHIN;
        if (has_tag(policy, snapshots[i]))
            verdicts[i] |= RETENTION_TAG;
    }
}
