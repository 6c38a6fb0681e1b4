/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers: growing byte strings with a cap that is always stated. A buffer that would grow past its
 * cap keeps its contents and remembers that it overflowed; buf_check() turns that into an error, so
 * that a chain of appends is checked once.
 */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include <endian.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct firn_error;

struct buf {
    char *data;    /* NUL-terminated once anything was appended; NULL before */
    size_t length; /* without the NUL */
    size_t capacity;
    size_t limit; /* most bytes that it may hold */
    bool overflowed;
};

#define auto_buf __attribute__((cleanup(buf_free)))

/* An empty buffer that may grow to `limit` bytes. No memory is taken yet. */
struct buf buf_new(size_t limit);
void buf_free(struct buf *buf);
void buf_reset(struct buf *buf); /* empty again, memory kept, overflow forgotten */

void buf_append(struct buf *buf, const void *data, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char byte);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
void buf_hex(struct buf *buf, const void *data, size_t length); /* lower case */
void buf_le16(struct buf *buf, uint16_t value);
void buf_le32(struct buf *buf, uint32_t value);
void buf_le64(struct buf *buf, uint64_t value);
void buf_varint(struct buf *buf, uint64_t value); /* LEB128, at most 10 bytes */

/* -1 with INVALID if the buffer overflowed; `what` names its content. */
int buf_check(const struct buf *buf, const char *what, struct firn_error **err);
/* Hands the bytes over as a C string (never NULL); the buffer is empty afterwards. */
char *buf_take(struct buf *buf);
/* The text so far, "" if nothing. Borrowed. */
const char *buf_text(const struct buf *buf);

/* ---- reading: a cursor over borrowed bytes. Every read checks what is left; a read of more fails, and so do all that
 * follow it: `failed` is looked at once, after the last. Inline, because maps of gigabytes are read
 * through it. */
struct cursor {
    const uint8_t *data;
    size_t length; /* left; 0 once failed */
    bool failed;
};

static inline struct cursor cursor_new(const void *data, size_t length)
{
    return (struct cursor){.data = data == NULL ? (const uint8_t *)"" : data, .length = length};
}

/* The next `length` bytes, or NULL (and failed) if there are fewer. Borrowed. */
static inline const uint8_t *cursor_bytes(struct cursor *cursor, size_t length)
{
    if (length > cursor->length || cursor->failed) {
        cursor->failed = true;
        cursor->length = 0;
        return NULL;
    }
    const uint8_t *bytes = cursor->data;
    cursor->data += length;
    cursor->length -= length;
    return bytes;
}

/* 0 once failed, like the following. */
static inline uint8_t cursor_u8(struct cursor *cursor)
{
    const uint8_t *bytes = cursor_bytes(cursor, 1);
    return bytes == NULL ? 0 : bytes[0];
}

static inline uint16_t cursor_le16(struct cursor *cursor)
{
    uint16_t value = 0;
    const uint8_t *bytes = cursor_bytes(cursor, sizeof(value));
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof(value));
    return le16toh(value);
}

static inline uint32_t cursor_le32(struct cursor *cursor)
{
    uint32_t value = 0;
    const uint8_t *bytes = cursor_bytes(cursor, sizeof(value));
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof(value));
    return le32toh(value);
}

static inline uint64_t cursor_le64(struct cursor *cursor)
{
    uint64_t value = 0;
    const uint8_t *bytes = cursor_bytes(cursor, sizeof(value));
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof(value));
    return le64toh(value);
}

uint64_t cursor_varint_long(struct cursor *cursor); /* cursor_varint() of more than one byte */

/* LEB128 as buf_varint() writes it; fails on more than 64 bits, and on a longer spelling than needed. */
static inline uint64_t cursor_varint(struct cursor *cursor)
{
    if (cursor->length > 0 && cursor->data[0] < 0x80) {
        cursor->length--;
        return *cursor->data++;
    }
    return cursor_varint_long(cursor);
}

/* Hex text of exactly 2 × length digits into bytes; false if it is not. */
bool hex_decode(const char *text, void *out, size_t length);
void hex_encode(const void *data, size_t length, char *out); /* out: 2 × length + 1 bytes */

#endif
