/* SPDX-License-Identifier: Apache-2.0 */
#include "net/limit.h"
#include "unit/unit.h"

static void test_steady(void)
{
    struct limit_bucket bucket = {.rate = 1000, .at = 0};
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 1000, 0), 1000); /* it begins empty */
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 500, 0), 1500);  /* behind the first */
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 1, 1500), 1);
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 99, 1600), 0);
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 0, 1600), 0);
}

static void test_burst(void)
{
    struct limit_bucket bucket = {.rate = 1000, .at = 0};
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 250, INT64_C(1) << 50),
                    0); /* a quarter of a second's worth, after ages */
    CU_ASSERT_EQUAL(limit_bucket_take(&bucket, 1, INT64_C(1) << 50), 1);
}

/* Many small pieces within a millisecond each: nothing is lost to rounding. */
static void test_small_pieces(void)
{
    struct limit_bucket bucket = {.rate = 3001, .at = 0};
    int64_t now = 0, moved = 0;
    for (; moved < 300100; moved += 7) {
        int64_t wait = limit_bucket_take(&bucket, 7, now);
        CU_ASSERT_FATAL(wait >= 0 && wait < 10);
        now += wait;
    }
    CU_ASSERT(now >= 99500 && now <= 101500);
    struct limit_bucket fast = {.rate = 2000000000, .at = 0};
    for (now = 0; now < 1000; now++)
        CU_ASSERT_FATAL(limit_bucket_take(&fast, 2000000, now) <= 1);
    CU_ASSERT(limit_bucket_take(&fast, UINT32_MAX, now) >= 2000);
}

static void test_settings(void)
{
    CU_ASSERT_EQUAL(limit_piece(LIMIT_SEND), 0);
    CU_ASSERT_EQUAL(limit_wait(LIMIT_SEND, UINT64_C(1) << 40), 0);
    limit_set(LIMIT_SEND, 100);
    CU_ASSERT_EQUAL(limit_piece(LIMIT_SEND), 1024);
    limit_set(LIMIT_SEND, 1 << 20);
    CU_ASSERT_EQUAL(limit_piece(LIMIT_SEND), 1 << 18);
    CU_ASSERT_EQUAL(limit_piece(LIMIT_RECEIVE), 0);
    CU_ASSERT_EQUAL(limit_wait(LIMIT_SEND, 1), 0);
    limit_set(LIMIT_SEND, UINT64_MAX);
    CU_ASSERT_EQUAL(limit_piece(LIMIT_SEND), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a steady rate, with debts", test_steady},
        {"a burst is bounded", test_burst},
        {"small pieces", test_small_pieces},
        {"what is set", test_settings},
    };
    return unit_run("net/limit", tests, array_length(tests));
}
