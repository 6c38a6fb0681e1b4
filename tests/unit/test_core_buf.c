/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "unit/unit.h"

static void test_append(void)
{
    auto_buf struct buf buf = buf_new(1000);
    expect_text(buf_text(&buf), "");
    buf_puts(&buf, "one ");
    buf_append(&buf, "two!", 3);
    buf_putc(&buf, ' ');
    buf_printf(&buf, "%d %s", 3, "four");
    expect_text(buf_text(&buf), "one two 3 four");
    CU_ASSERT_EQUAL(buf.length, 14);
    buf_reset(&buf);
    expect_text(buf_text(&buf), "");
    buf_hex(&buf, "\x00\xff\x1a", 3);
    expect_text(buf_text(&buf), "00ff1a");
    auto_free char *taken = buf_take(&buf);
    expect_text(taken, "00ff1a");
    CU_ASSERT_EQUAL(buf.length, 0);
    auto_free char *nothing = buf_take(&buf);
    expect_text(nothing, "");
}

static void test_limit(void)
{
    auto_buf struct buf buf = buf_new(10);
    buf_puts(&buf, "0123456789");
    expect_ok(buf_check(&buf, "text", err));
    buf_putc(&buf, 'x');
    expect_error(FIRN_INVALID, buf_check(&buf, "text", err));
    expect_text(buf_text(&buf), "0123456789");
    buf_reset(&buf);
    expect_ok(buf_check(&buf, "text", err));
    buf_puts(&buf, "12345");
    buf_printf(&buf, "%s", "678901"); /* one too many */
    buf_puts(&buf, "x");              /* would fit, but the text has a hole */
    CU_ASSERT_TRUE(buf.overflowed);
    expect_text(buf_text(&buf), "12345");
    buf_reset(&buf);
    buf_hex(&buf, "abcdef", 6);
    CU_ASSERT_TRUE(buf.overflowed);
}

static void test_no_limit(void)
{
    auto_buf struct buf buf = buf_new(SIZE_MAX);
    for (int i = 0; i < 100000; i++)
        buf_le32(&buf, (uint32_t)i);
    CU_ASSERT_EQUAL(buf.length, 400000);
    expect_ok(buf_check(&buf, "numbers", err));
    struct cursor cursor = cursor_new(buf.data, buf.length);
    int wrong = 0;
    for (int i = 0; i < 100000; i++)
        wrong += cursor_le32(&cursor) != (uint32_t)i;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_FALSE(cursor.failed);
    CU_ASSERT_EQUAL(cursor.length, 0);
}

static void test_integers(void)
{
    auto_buf struct buf buf = buf_new(100);
    buf_le16(&buf, 0x0102);
    buf_le32(&buf, 0x03040506);
    buf_le64(&buf, 0x0708090a0b0c0d0eu);
    CU_ASSERT_EQUAL(
        memcmp(buf.data, "\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07", 14), 0);
    struct cursor cursor = cursor_new(buf.data, buf.length);
    CU_ASSERT_EQUAL(cursor_le16(&cursor), 0x0102);
    CU_ASSERT_EQUAL(cursor_le32(&cursor), 0x03040506);
    CU_ASSERT_EQUAL(cursor_le64(&cursor), 0x0708090a0b0c0d0eu);
    CU_ASSERT_FALSE(cursor.failed);
}

static void test_cursor_end(void)
{
    struct cursor cursor = cursor_new("abc", 3);
    CU_ASSERT_EQUAL(cursor_u8(&cursor), 'a');
    CU_ASSERT_EQUAL(cursor_le32(&cursor), 0);
    CU_ASSERT_TRUE(cursor.failed);
    CU_ASSERT_EQUAL(cursor_u8(&cursor), 0); /* nothing is read behind a failure */
    CU_ASSERT_PTR_NULL(cursor_bytes(&cursor, 0));
    CU_ASSERT_EQUAL(cursor_varint(&cursor), 0);
    struct cursor empty = cursor_new(NULL, 0);
    CU_ASSERT_PTR_NOT_NULL(cursor_bytes(&empty, 0));
    CU_ASSERT_FALSE(empty.failed);
    CU_ASSERT_EQUAL(cursor_le64(&empty), 0);
    CU_ASSERT_TRUE(empty.failed);
}

static void test_varint(void)
{
    static const uint64_t values[] = {0,         1,          127,        128,        16383,
                                      16384,     UINT32_MAX, 1ull << 62, 1ull << 63, UINT64_MAX - 1,
                                      UINT64_MAX};
    auto_buf struct buf buf = buf_new(1000);
    for (size_t i = 0; i < array_length(values); i++)
        buf_varint(&buf, values[i]);
    struct cursor cursor = cursor_new(buf.data, buf.length);
    for (size_t i = 0; i < array_length(values); i++)
        CU_ASSERT_EQUAL(cursor_varint(&cursor), values[i]);
    CU_ASSERT_FALSE(cursor.failed);
    CU_ASSERT_EQUAL(cursor.length, 0);
}

static void test_varint_refused(void)
{
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"", 0},
        {"\x80", 1},                                          /* ends in the middle */
        {"\x80\x00", 2},                                      /* a longer spelling of 0 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},     /* 65 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11}, /* eleven bytes */
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct cursor cursor = cursor_new(wrong[i].bytes, wrong[i].length);
        CU_ASSERT_EQUAL(cursor_varint(&cursor), 0);
        CU_ASSERT_TRUE(cursor.failed);
    }
}

static void test_hex(void)
{
    unsigned char bytes[3] = {0};
    CU_ASSERT_TRUE(hex_decode("00fFa1", bytes, 3));
    CU_ASSERT_EQUAL(memcmp(bytes, "\x00\xff\xa1", 3), 0);
    CU_ASSERT_FALSE(hex_decode("00ffa", bytes, 3));
    CU_ASSERT_FALSE(hex_decode("00ffa1a", bytes, 3));
    CU_ASSERT_FALSE(hex_decode("00ffg1", bytes, 3));
    CU_ASSERT_TRUE(hex_decode("", bytes, 0));
    char text[7];
    hex_encode(bytes, 3, text);
    expect_text(text, "00ffa1");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"text is appended, taken and reset", test_append},
        {"what does not fit leaves the text alone", test_limit},
        {"a buffer grows", test_no_limit},
        {"integers are little-endian", test_integers},
        {"nothing is read behind the end", test_cursor_end},
        {"varints come back", test_varint},
        {"wrong varints are refused", test_varint_refused},
        {"hex", test_hex},
    };
    return unit_run("core/buf", tests, array_length(tests));
}
