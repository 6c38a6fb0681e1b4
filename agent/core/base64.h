/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648, the standard alphabet, padded), by libcrypto.
 */
#ifndef CORE_BASE64_H
#define CORE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

void base64_encode(struct buf *out, const void *data, size_t length); /* appends; at most 1 MiB */
/* `length` characters of text into at most `capacity` bytes; *made: how many. False if it is not Base64, or too much. */
bool base64_decode(const char *text, size_t length, uint8_t *out, size_t capacity, size_t *made);

#endif
