/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

#include "buf.h"
#include "mem.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define LENGTH_MOST (1024u * 1024u)

/* What passes through may be a key. */
static void wipe_free(void *memory, size_t length)
{
    OPENSSL_cleanse(memory, length);
    free(memory);
}

void base64_encode(struct buf *out, const void *data, size_t length)
{
    assert(length <= LENGTH_MOST);
    size_t capacity = (length + 2) / 3 * 4 + 1;
    char *text = mem_alloc(capacity);
    int made = EVP_EncodeBlock((unsigned char *)text, data, (int)length);
    buf_append(out, text, (size_t)made);
    wipe_free(text, capacity);
}

/* How many of the characters are padding; -1: not the form of Base64. EVP_DecodeBlock would take blanks at both ends. */
static int padding_of(const char *text, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int padding = 0;
    while (padding < 2 && length > 0 && text[length - 1] == '=') {
        padding++;
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0' || strchr(alphabet, text[i]) == NULL)
            return -1;
    }
    return padding;
}

bool base64_decode(const char *text, size_t length, uint8_t *out, size_t capacity, size_t *made)
{
    int padding = padding_of(text, length);
    if (length % 4 != 0 || length > LENGTH_MOST || padding < 0)
        return false;
    size_t size = length / 4 * 3;
    uint8_t *bytes = mem_alloc(size);
    bool ok = length == 0 ||
              EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length) == (int)size;
    size -= (size_t)padding;
    ok = ok && size <= capacity;
    if (ok) {
        memcpy(out, bytes, size);
        *made = size;
    }
    wipe_free(bytes, size);
    return ok;
}
