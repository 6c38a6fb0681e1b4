/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include "error.h"
#include "mem.h"

#include <stdio.h>

struct buf buf_new(size_t limit)
{
    return (struct buf){.limit = limit < SIZE_MAX / 2 ? limit : SIZE_MAX / 2};
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.limit = buf->limit};
}

void buf_reset(struct buf *buf)
{
    buf->length = 0;
    buf->overflowed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. What does not fit, or finds no memory, marks the buffer: sizes come from outside. */
static bool grow(struct buf *buf, size_t more)
{
    if (buf->overflowed || more > buf->limit - buf->length) {
        buf->overflowed = true;
        return false;
    }
    size_t needed = buf->length + more + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity < 32 ? 64 : buf->capacity * 2;
    if (capacity > buf->limit + 1)
        capacity = buf->limit + 1;
    if (capacity < needed)
        capacity = needed;
    char *data = realloc(buf->data, capacity);
    if (data == NULL) {
        buf->overflowed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void buf_append(struct buf *buf, const void *data, size_t length)
{
    if (!grow(buf, length))
        return;
    if (length > 0)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char byte)
{
    buf_append(buf, &byte, 1);
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        buf->overflowed = true;
        return;
    }
    if (!grow(buf, (size_t)length))
        return;
    vsnprintf(buf->data + buf->length, (size_t)length + 1, format, arguments);
    buf->length += (size_t)length;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(buf, format, arguments);
    va_end(arguments);
}

void buf_hex(struct buf *buf, const void *data, size_t length)
{
    if (length > buf->limit / 2 || !grow(buf, 2 * length)) {
        buf->overflowed = true;
        return;
    }
    hex_encode(data, length, buf->data + buf->length);
    buf->length += 2 * length;
}

void buf_le16(struct buf *buf, uint16_t value)
{
    value = htole16(value);
    buf_append(buf, &value, sizeof(value));
}

void buf_le32(struct buf *buf, uint32_t value)
{
    value = htole32(value);
    buf_append(buf, &value, sizeof(value));
}

void buf_le64(struct buf *buf, uint64_t value)
{
    value = htole64(value);
    buf_append(buf, &value, sizeof(value));
}

void buf_varint(struct buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (uint8_t)value;
    buf_append(buf, bytes, length);
}

int buf_check(const struct buf *buf, const char *what, struct firn_error **err)
{
    if (buf->overflowed)
        return fail(err, FIRN_INVALID, "%s: larger than the %zu bytes allowed", what, buf->limit);
    return 0;
}

char *buf_take(struct buf *buf)
{
    char *text = buf->data == NULL ? mem_strdup("") : buf->data;
    *buf = (struct buf){.limit = buf->limit};
    return text;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

uint64_t cursor_varint_long(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(cursor);
        if (cursor->failed)
            return 0;
        bool too_large = shift == 63 && byte > 1;
        bool too_long = byte == 0 && shift > 0;
        if (too_large || too_long)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    cursor->failed = true;
    cursor->length = 0;
    return 0;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, void *out, size_t length)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * length] == '\0';
}

void hex_encode(const void *data, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}
