/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest names: what somebody probably meant who wrote a name that does not exist.
 */
#ifndef HOST_NEAREST_H
#define HOST_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *wanted;
    const char *best; /* borrowed from what was offered; NULL while nothing is near */
    size_t distance;
};

/* wanted is borrowed. */
struct nearest nearest_new(const char *wanted);
/* Offers a name that exists. It is near if at most a third of its letters (and at most three) differ. */
void nearest_offer(struct nearest *nearest, const char *name);

#endif
