/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule by which objects are locked: in which mode, and until when.
 *
 * Whatever is put or relied on at some moment is to be locked for `period` from then on. So that the lock of an object
 * in use need not be moved with every backup, locks end on a grid: for each object the moments phase + k × generation,
 * where the phase is drawn from its name. The lock ends at the first of them that is not before now + period. Then
 * - an object in use is extended once a generation, whoever uses it how often;
 * - of the objects that were written at the same moment, as many are due on each day as on the other days;
 * - nothing is locked for longer than period + generation.
 *
 *     now                 now + period      lock_until()
 *      |--------------------------|------------x--------------------------x   one generation apart
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "store.h"

#include <stdint.h>

struct lock_rule {
    enum store_lock_mode mode; /* STORE_UNLOCKED: nothing is locked */
    int64_t period;            /* ms, whole seconds, at least one */
    int64_t generation;        /* the same */
};

/* Until when an object of this name that is put or relied on at `now` is locked: ms since 1970, a whole second. */
int64_t lock_until(const struct lock_rule *rule, const char *name, int64_t now);
/* The last point of the grid that is not after `until`. */
int64_t lock_floor(const struct lock_rule *rule, const char *name, int64_t until);

#endif
