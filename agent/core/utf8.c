/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* What the first byte promises; 0 if no character begins with it. */
static size_t promised_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t utf8_character(const void *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *bytes = text;
    size_t length = left == 0 ? 0 : promised_length(bytes[0]);
    if (length <= 1 || length > left)
        return length == 1 ? 1 : 0;
    uint32_t value = bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = value >= 0xd800 && value < 0xe000;
    return value < least[length] || value > 0x10ffff || surrogate ? 0 : length;
}

bool utf8_is_printable(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = utf8_character(text, left);
        uint8_t first = (uint8_t)text[0];
        bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && (uint8_t)text[1] < 0xa0);
        if (length == 0 || control)
            return false;
        text += length;
        left -= length;
    }
    return true;
}
