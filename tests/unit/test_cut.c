/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting by content: lengths, that cuts find each other again behind an insertion, that they depend on the key, and the
 * recognition of tar archives made by tar itself.
 */
#include "unit/unit.h"

#include "repo/cut.h"

#include <stdint.h>
#include <unistd.h>

static const uint8_t key[FORMAT_KEY_LENGTH] = "cut test";

static struct cutter *new_cutter(const uint8_t *with)
{
    struct cutter *cutter = NULL;
    expect_ok(cutter_new(with, &cutter, err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(cutter);
    return cutter;
}

static uint8_t *random_bytes(size_t length, uint64_t seed)
{
    uint8_t *data = mem_alloc(length);
    for (size_t i = 0; i < length; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        data[i] = (uint8_t)(seed >> 56);
    }
    return data;
}

/* Marks in a new array where data is cut: one byte a place. */
static uint8_t *cuts_of(const struct cutter *cutter, const uint8_t *data, size_t length,
                        size_t *count)
{
    uint8_t *cut = mem_zalloc(length + 1);
    *count = 0;
    for (size_t at = 0; at < length; ++*count) {
        size_t next = cutter_next(cutter, data + at, length - at, true);
        CU_ASSERT_FATAL(next > 0 && next <= CUT_MAX && next <= length - at);
        CU_ASSERT(next >= CUT_MIN || at + next == length);
        at += next;
        cut[at] = 1;
    }
    return cut;
}

static void lengths(void)
{
    struct cutter *cutter = new_cutter(key);
    size_t length = 32u << 20, count = 0;
    auto_free uint8_t *data = random_bytes(length, 1);
    free(cuts_of(cutter, data, length, &count));
    CU_ASSERT(length / count > CUT_AVERAGE * 3 / 4 && length / count < CUT_AVERAGE * 3 / 2);
    memset(data, 7, length);
    free(cuts_of(cutter, data, length, &count));
    CU_ASSERT(count >= length / CUT_MAX && count <= length / CUT_MIN);
    cutter_free(cutter);
}

static void asks_for_more(void)
{
    struct cutter *cutter = new_cutter(key);
    auto_free uint8_t *data = random_bytes(CUT_MAX, 2);
    CU_ASSERT_EQUAL(cutter_next(cutter, data, 0, true), 0);
    CU_ASSERT_EQUAL(cutter_next(cutter, data, 0, false), 0);
    CU_ASSERT_EQUAL(cutter_next(cutter, data, 1, true), 1);
    CU_ASSERT_EQUAL(cutter_next(cutter, data, CUT_MIN, true), CUT_MIN);
    CU_ASSERT_EQUAL(cutter_next(cutter, data, CUT_MAX - 1, false), 0);
    size_t whole = cutter_next(cutter, data, CUT_MAX, false);
    CU_ASSERT(whole > 0 && whole <= CUT_MAX);
    for (size_t length = whole; length <= CUT_MAX; length += 4096)
        CU_ASSERT_EQUAL(cutter_next(cutter, data, length, true), whole);
    cutter_free(cutter);
}

/* After bytes were inserted near the start, all cuts but a few are at the same bytes as before. */
static void insertion_realigns(void)
{
    struct cutter *cutter = new_cutter(key);
    size_t length = 16u << 20, count = 0, shifted_count = 0;
    auto_free uint8_t *data = random_bytes(length, 3);
    auto_free uint8_t *before = cuts_of(cutter, data, length, &count);
    static const size_t inserted[] = {1, 17, 512, 70000};
    for (size_t i = 0; i < array_length(inserted); i++) {
        size_t by = inserted[i], at = 200000, kept = 0;
        auto_free uint8_t *shifted = random_bytes(length + by, 4);
        memcpy(shifted, data, at);
        memcpy(shifted + at + by, data + at, length - at);
        auto_free uint8_t *after = cuts_of(cutter, shifted, length + by, &shifted_count);
        for (size_t place = at; place <= length; place++)
            kept += before[place] && after[place + by];
        CU_ASSERT(kept + 12 >= count);
    }
    cutter_free(cutter);
}

static void depends_on_key(void)
{
    static const uint8_t other_key[FORMAT_KEY_LENGTH] = "cut test 2";
    struct cutter *cutter = new_cutter(key), *same = new_cutter(key),
                  *other = new_cutter(other_key);
    size_t length = 4u << 20, count = 0, common = 0, cut_count = 0;
    auto_free uint8_t *data = random_bytes(length, 5);
    auto_free uint8_t *first = cuts_of(cutter, data, length, &cut_count);
    auto_free uint8_t *again = cuts_of(same, data, length, &count);
    CU_ASSERT_EQUAL(memcmp(first, again, length + 1), 0);
    auto_free uint8_t *foreign = cuts_of(other, data, length, &count);
    for (size_t place = 1; place < length; place++)
        common += first[place] && foreign[place];
    CU_ASSERT(common < 4 && cut_count > 30);
    cutter_free(cutter);
    cutter_free(same);
    cutter_free(other);
}

/* Archives in each format that tar writes, and things that are none. */
static void tar_is_recognised(void)
{
    static const char *const formats[] = {"v7", "oldgnu", "gnu", "ustar", "pax"};
    uint8_t header[4096];
    for (size_t i = 0; i < array_length(formats); i++) {
        auto_free char *command = mem_printf("tar --format=%s -cf - -C / etc/passwd", formats[i]);
        FILE *pipe = popen(command, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
        CU_ASSERT_FATAL(fread(header, 1, sizeof(header), pipe) == sizeof(header));
        while (getc(pipe) != EOF)
            continue;
        CU_ASSERT_EQUAL(pclose(pipe), 0);
        CU_ASSERT(cut_is_tar(header, sizeof(header)));
        CU_ASSERT(cut_is_tar(header, 512));
        CU_ASSERT(!cut_is_tar(header, 511));
        header[300] ^= 1;
        CU_ASSERT(!cut_is_tar(header, sizeof(header)));
    }
    memset(header, 0, sizeof(header));
    CU_ASSERT(!cut_is_tar(header, sizeof(header)));
    memset(header, '0', sizeof(header));
    CU_ASSERT(!cut_is_tar(header, sizeof(header)));
    memset(header, ' ', sizeof(header));
    CU_ASSERT(!cut_is_tar(header, sizeof(header)));
    memcpy(header, "\x1f\x8b\x08", 3);
    CU_ASSERT(!cut_is_tar(header, sizeof(header)));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"lengths", lengths},
        {"asks for more", asks_for_more},
        {"insertion realigns", insertion_realigns},
        {"depends on key", depends_on_key},
        {"tar is recognised", tar_is_recognised},
    };
    return unit_run("cut", tests, array_length(tests));
}
