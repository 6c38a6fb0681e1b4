/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the character at the start of text takes, at most `left`; 0 if none starts there. A NUL is a character. */
size_t utf8_character(const void *text, size_t left);
/* Only well-formed characters, and no control characters (C0, DEL, C1). */
bool utf8_is_printable(const char *text);

#endif
