/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <string.h>
#include <strings.h>

/* FNV-1a, 64 bits: names hold random digits, so anything that mixes them will do. */
static uint64_t hash(const char *name)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++)
        value = (value ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return value;
}

int64_t lock_until(const struct lock_rule *rule, const char *name, int64_t now)
{
    int64_t generation = rule->generation / 1000;
    int64_t least = (now + rule->period + 999) / 1000;
    int64_t phase = (int64_t)(hash(name) % (uint64_t)generation);
    int64_t past = (least - phase) % generation; /* since the point of the grid before */
    return (past == 0 ? least : least + generation - past) * 1000;
}

int64_t lock_floor(const struct lock_rule *rule, const char *name, int64_t until)
{
    int64_t generation = rule->generation / 1000;
    int64_t most = until / 1000;
    int64_t phase = (int64_t)(hash(name) % (uint64_t)generation);
    int64_t past = ((most - phase) % generation + generation) % generation;
    return (most - past) * 1000;
}

const char *store_lock_mode_name(enum store_lock_mode mode)
{
    return mode == STORE_COMPLIANCE   ? "compliance"
           : mode == STORE_GOVERNANCE ? "governance"
                                      : "none";
}

enum store_lock_mode store_lock_mode_parse(const char *text)
{
    if (strcasecmp(text, "compliance") == 0)
        return STORE_COMPLIANCE;
    return strcasecmp(text, "governance") == 0 ? STORE_GOVERNANCE : STORE_UNLOCKED;
}
