/* SPDX-License-Identifier: Apache-2.0 */
/* Optimal string alignment distance: insertions, deletions, substitutions and swapped neighbours count one each. */
#include "nearest.h"

#include <string.h>

#define LONGEST 48u

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length >= LONGEST || b_length >= LONGEST)
        return LONGEST;
    size_t rows[3][LONGEST] = {{0}};
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_length];
}

struct nearest nearest_new(const char *wanted)
{
    return (struct nearest){.wanted = wanted, .distance = LONGEST};
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    size_t length = strlen(name);
    size_t limit = least(3, length < 3 ? 1 : (length + 2) / 3);
    size_t found = distance(nearest->wanted, name);
    if (found <= limit && found < nearest->distance) {
        nearest->best = name;
        nearest->distance = found;
    }
}
