/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: which snapshots of one item a policy keeps, and why. Each rule walks from the newest to the oldest: hourly keeps
 * the last snapshot of each of the newest N hours that have one, and so on. Hours, days … are those of the local time zone.
 * A rule that has fewer periods to keep than it may also keeps the oldest snapshot: so a history that is younger than the rules
 * does not lose its beginning. A snapshot is kept if any rule keeps it.
 */
#ifndef HOST_RETENTION_H
#define HOST_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;

enum retention_period {
    RETENTION_LAST,
    RETENTION_HOURLY,
    RETENTION_DAILY,
    RETENTION_WEEKLY, /* ISO 8601 weeks */
    RETENTION_MONTHLY,
    RETENTION_YEARLY,
    RETENTION_PERIODS,
};

struct retention_policy {
    unsigned keep[RETENTION_PERIODS];
    int64_t within;          /* ms before the newest snapshot of the item; 0: no such rule */
    const char *const *tags; /* a snapshot with one of these is kept */
    size_t tag_count;
};

/* What a verdict holds: bit RETENTION_x for each period that keeps it, and: */
#define RETENTION_WITHIN (1u << RETENTION_PERIODS)
#define RETENTION_TAG    (1u << (RETENTION_PERIODS + 1))
/* What stands against removing it, whatever the rules say (repo/hold.h); not set by retention_apply(): */
#define RETENTION_LOCKED (1u << (RETENTION_PERIODS + 2))
#define RETENTION_HELD   (1u << (RETENTION_PERIODS + 3))

/* True if the policy has a rule at all: one without would keep nothing. */
bool retention_has_rule(const struct retention_policy *policy);
/* snapshots: of one item, oldest first. verdicts[i] gets what keeps snapshots[i]; 0: nothing does. */
void retention_apply(const struct retention_policy *policy, struct snapshot *const *snapshots,
                     size_t count, unsigned *verdicts);
/* "last", "daily", "within" …, for one bit. */
const char *retention_reason(unsigned bit);

#endif
