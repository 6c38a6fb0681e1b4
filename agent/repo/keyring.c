/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include "agree.h"
#include "crypt.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

enum keying_kind { KEYING_DERIVED = 1, KEYING_AGREED = 2 };
#define KEYING_SALT  8u
#define KEYING_POINT (KEYING_SALT + FORMAT_SALT_LENGTH)
#define KEYING_REST  (KEYING_POINT + AGREE_POINT_LENGTH)

#define LABEL_AGREED "firn pack data agreed v1"

int keyring_generate(const uint8_t repository[FORMAT_ID_LENGTH], struct keyring *out,
                     struct firn_error **err)
{
    *out = (struct keyring){.can_read = true};
    memcpy(out->repository, repository, FORMAT_ID_LENGTH);
    if (agree_generate(&out->reader_private, err) < 0)
        return -1;
    struct agree_point point;
    if (agree_point_of(out->reader_private, &point, err) < 0 ||
        agree_import("P-384", &point, NULL, &out->reader_public, err) < 0) {
        keyring_wipe(out);
        return -1;
    }
    crypt_random_secret(out->index_key, sizeof(out->index_key));
    crypt_random_secret(out->data_key, sizeof(out->data_key));
    return 0;
}

void keyring_wipe(struct keyring *keyring)
{
    EVP_PKEY_free(keyring->reader_public);
    EVP_PKEY_free(keyring->reader_private);
    OPENSSL_cleanse(keyring, sizeof(*keyring));
}

/* --------------------------------------------------------------------------------------------------------- encoding */

enum { ENCODED_VERSION = 1, ENCODED_FULL = 1, ENCODED_WRITE_ONLY = 2 };

int keyring_encode(const struct keyring *keyring, bool full, uint8_t out[KEYRING_FULL_LENGTH],
                   size_t *length, struct firn_error **err)
{
    assert(!full || keyring->can_read);
    struct agree_point point;
    if (agree_point_of(keyring->reader_public, &point, err) < 0)
        return -1;
    uint8_t *at = out;
    *at++ = ENCODED_VERSION;
    *at++ = full ? ENCODED_FULL : ENCODED_WRITE_ONLY;
    *at++ = 0;
    *at++ = 0;
    at = mempcpy(at, keyring->repository, FORMAT_ID_LENGTH);
    at = mempcpy(at, keyring->index_key, FORMAT_KEY_LENGTH);
    at = mempcpy(at, point.bytes, AGREE_POINT_LENGTH);
    *length = (size_t)(at - out);
    if (!full)
        return 0;
    at = mempcpy(at, keyring->data_key, FORMAT_KEY_LENGTH);
    *length = KEYRING_FULL_LENGTH;
    return agree_scalar_of(keyring->reader_private, at, err);
}

static int decode_reader(const uint8_t *point_bytes, const uint8_t *scalar, struct keyring *out,
                         struct firn_error **err)
{
    struct agree_point point = {.length = AGREE_POINT_LENGTH};
    memcpy(point.bytes, point_bytes, AGREE_POINT_LENGTH);
    if (agree_import("P-384", &point, NULL, &out->reader_public, err) < 0)
        return -1;
    return scalar == NULL ? 0 : agree_import("P-384", &point, scalar, &out->reader_private, err);
}

int keyring_decode(const uint8_t *data, size_t length, const uint8_t repository[FORMAT_ID_LENGTH],
                   struct keyring *out, struct firn_error **err)
{
    struct cursor cursor = cursor_new(data, length);
    uint8_t version = cursor_u8(&cursor);
    uint8_t role = cursor_u8(&cursor);
    bool full = role == ENCODED_FULL;
    if (version != ENCODED_VERSION || cursor_le16(&cursor) != 0 ||
        (!full && role != ENCODED_WRITE_ONLY) ||
        length != (full ? KEYRING_FULL_LENGTH : KEYRING_WRITE_ONLY_LENGTH))
        return fail(err, FIRN_CORRUPT, "what the slot holds is not a keyring");
    if (memcmp(cursor_bytes(&cursor, FORMAT_ID_LENGTH), repository, FORMAT_ID_LENGTH) != 0)
        return fail(err, FIRN_CORRUPT, "the keyring is of another repository");
    *out = (struct keyring){.can_read = full};
    memcpy(out->repository, repository, FORMAT_ID_LENGTH);
    memcpy(out->index_key, cursor_bytes(&cursor, FORMAT_KEY_LENGTH), FORMAT_KEY_LENGTH);
    const uint8_t *point = cursor_bytes(&cursor, AGREE_POINT_LENGTH);
    const uint8_t *scalar = NULL;
    if (full) {
        memcpy(out->data_key, cursor_bytes(&cursor, FORMAT_KEY_LENGTH), FORMAT_KEY_LENGTH);
        scalar = cursor_bytes(&cursor, AGREE_SCALAR_LENGTH);
    }
    if (decode_reader(point, scalar, out, err) < 0) {
        keyring_wipe(out);
        return wrap(err, "the keyring's reader");
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ derivations */

static int derive(const struct keyring *keyring, const uint8_t *from, const uint8_t *salt,
                  const char *label, uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    char repository[FORMAT_ID_TEXT];
    hex_encode(keyring->repository, FORMAT_ID_LENGTH, repository);
    auto_free char *info = mem_printf("%s %s", label, repository);
    return crypt_derive(from, salt, info, key, err);
}

static int derive_for(const struct keyring *keyring, enum format_class class, const uint8_t *salt,
                      uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    if (class == FORMAT_META)
        return derive(keyring, keyring->index_key, salt, "firn pack meta v1", key, err);
    return derive(keyring, keyring->data_key, salt, "firn pack data v1", key, err);
}

static struct agree_terms terms_of(const struct keyring *keyring, const uint8_t *salt)
{
    return (struct agree_terms){
        .label = LABEL_AGREED, .repository = keyring->repository, .salt = salt};
}

int keyring_new_key(const struct keyring *keyring, enum format_class class,
                    uint8_t keying[FORMAT_KEYING_LENGTH], uint8_t key[FORMAT_KEY_LENGTH],
                    struct firn_error **err)
{
    uint8_t *salt = keying + KEYING_SALT;
    memset(keying, 0, FORMAT_KEYING_LENGTH);
    crypt_random(salt, FORMAT_SALT_LENGTH);
    if (class == FORMAT_META || keyring->can_read) {
        keying[0] = KEYING_DERIVED;
        return derive_for(keyring, class, salt, key, err);
    }
    keying[0] = KEYING_AGREED;
    struct agree_terms terms = terms_of(keyring, salt);
    struct agree_point ephemeral;
    if (agree_send(keyring->reader_public, &terms, &ephemeral, key, err) < 0)
        return -1;
    memcpy(keying + KEYING_POINT, ephemeral.bytes, AGREE_POINT_LENGTH);
    return 0;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
    uint8_t any = 0;
    for (size_t i = 0; i < length; i++)
        any |= bytes[i];
    return any == 0;
}

/* One spelling only: nothing may hide in the bytes that are not used. */
static int check_keying(enum format_class class, const uint8_t *keying, struct firn_error **err)
{
    bool agreed = keying[0] == KEYING_AGREED && class == FORMAT_DATA;
    size_t used = agreed ? KEYING_REST : KEYING_POINT;
    if ((keying[0] != KEYING_DERIVED && !agreed) || !all_zero(keying + 1, KEYING_SALT - 1) ||
        !all_zero(keying + used, FORMAT_KEYING_LENGTH - used))
        return fail(err, FIRN_CORRUPT, "what it says of its key makes no sense");
    return 0;
}

int keyring_key(const struct keyring *keyring, enum format_class class,
                const uint8_t keying[FORMAT_KEYING_LENGTH], uint8_t key[FORMAT_KEY_LENGTH],
                struct firn_error **err)
{
    const uint8_t *salt = keying + KEYING_SALT;
    if (check_keying(class, keying, err) < 0)
        return -1;
    if (class == FORMAT_DATA && !keyring->can_read)
        return fail(err, FIRN_DENIED,
                    "the key is write-only: reading contents needs a key with the role full");
    if (keying[0] == KEYING_DERIVED)
        return derive_for(keyring, class, salt, key, err);
    struct agree_terms terms = terms_of(keyring, salt);
    struct agree_point ephemeral = {.length = AGREE_POINT_LENGTH};
    memcpy(ephemeral.bytes, keying + KEYING_POINT, AGREE_POINT_LENGTH);
    return agree_receive(keyring->reader_private, &terms, &ephemeral, key, err);
}

int keyring_trailer_key(const struct keyring *keyring, const uint8_t keying[FORMAT_KEYING_LENGTH],
                        uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    return derive(keyring, keyring->index_key, keying + KEYING_SALT, "firn trailer v1", key, err);
}

int keyring_fingerprint_key(const struct keyring *keyring, uint8_t key[FORMAT_KEY_LENGTH],
                            struct firn_error **err)
{
    static const uint8_t no_salt[FORMAT_SALT_LENGTH];
    return derive(keyring, keyring->index_key, no_salt, "firn fingerprint v1", key, err);
}
