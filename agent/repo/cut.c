/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FastCDC. A rolling "gear" hash, h = 2h + gear[byte], depends on the last 64 bytes alone. A chunk
 * ends where the top bits of h are zero: 18 of them before the average length, 14 behind it, which
 * draws the lengths towards the average.
 *
 *     |-------- CUT_MIN --------|--- 18 bits ---|AVERAGE|--- 14 bits ---|CUT_MAX
 *      never looked at: no cut
 */
#include "cut.h"

#include "crypt.h"

#include "core/error.h"
#include "core/mem.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define WINDOW      64u
#define BITS_BEFORE 18u
#define BITS_BEHIND 14u

struct cutter {
    uint64_t gear[256];
};

int cutter_new(const uint8_t key[FORMAT_KEY_LENGTH], struct cutter **out, struct firn_error **err)
{
    static const uint8_t salt[FORMAT_SALT_LENGTH];
    struct cutter *cutter = mem_alloc(sizeof(*cutter));
    size_t step = FORMAT_KEY_LENGTH / sizeof(cutter->gear[0]);
    for (size_t i = 0; i < array_length(cutter->gear); i += step) {
        char label[32];
        uint8_t random[FORMAT_KEY_LENGTH];
        snprintf(label, sizeof(label), "firn cut gear %zu", i / step);
        if (crypt_derive(key, salt, label, random, err) < 0) {
            cutter_free(cutter);
            return wrap(err, "gear table");
        }
        memcpy(&cutter->gear[i], random, sizeof(random));
    }
    for (size_t i = 0; i < array_length(cutter->gear); i++)
        cutter->gear[i] = le64toh(cutter->gear[i]);
    *out = cutter;
    return 0;
}

void cutter_free(struct cutter *cutter)
{
    free(cutter);
}

/* The first place in [at, end) behind which the top bits of the hash are zero, or end. */
static inline size_t search(const uint64_t *gear, const uint8_t *data, size_t at, size_t end,
                            unsigned bits, uint64_t *hash)
{
    uint64_t h = *hash;
    for (; at < end; at++) {
        h = (h << 1) + gear[data[at]];
        if (h >> (64 - bits) == 0)
            break;
    }
    *hash = h;
    return at;
}

size_t cutter_next(const struct cutter *cutter, const uint8_t *data, size_t length, bool last)
{
    if (length < CUT_MAX && !last)
        return 0;
    if (length <= CUT_MIN)
        return length;
    size_t end = length < CUT_MAX ? length : CUT_MAX;
    size_t average = end < CUT_AVERAGE ? end : CUT_AVERAGE;
    uint64_t hash = 0;
    for (size_t i = CUT_MIN - WINDOW; i < CUT_MIN; i++)
        hash = (hash << 1) + cutter->gear[data[i]];
    size_t at = search(cutter->gear, data, CUT_MIN, average, BITS_BEFORE, &hash);
    if (at == average)
        at = search(cutter->gear, data, average, end, BITS_BEHIND, &hash);
    return at < end ? at + 1 : end;
}

/* ------------------------------------------------------------------------------------------------ tar */

#define TAR_HEADER 512u
#define TAR_SUM                                                                                    \
    148u /* where the sum of the header's bytes stands, in octal, with its own eight taken as blanks */
#define TAR_SUM_LENGTH 8u

static bool parse_octal(const uint8_t *text, size_t length, uint32_t *out)
{
    size_t i = 0;
    while (i < length && text[i] == ' ')
        i++;
    size_t first = i;
    for (*out = 0; i < length && text[i] >= '0' && text[i] <= '7'; i++)
        *out = *out * 8 + (uint32_t)(text[i] - '0');
    return i > first && (i == length || text[i] == ' ' || text[i] == '\0');
}

bool cut_is_tar(const uint8_t *data, size_t length)
{
    uint32_t expected = 0;
    if (length < TAR_HEADER || data[0] == '\0' ||
        !parse_octal(data + TAR_SUM, TAR_SUM_LENGTH, &expected))
        return false;
    uint32_t sum = TAR_SUM_LENGTH * ' ';
    for (size_t i = 0; i < TAR_HEADER; i++) {
        if (i < TAR_SUM || i >= TAR_SUM + TAR_SUM_LENGTH)
            sum += data[i];
    }
    return sum == expected;
}
