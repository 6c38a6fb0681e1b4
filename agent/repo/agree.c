/* SPDX-License-Identifier: Apache-2.0 */
#include "agree.h"

#include "crypt.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#define SECRET_MOST 48u /* x of a point of P-384 */

int agree_generate(EVP_PKEY **out, struct firn_error **err)
{
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    if (pair == NULL)
        return crypt_failed("make a P-384 key pair", err);
    *out = pair;
    return 0;
}

const char *agree_curve(const EVP_PKEY *key)
{
    char name[32];
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1)
        return NULL;
    if (strcmp(name, "secp384r1") == 0 || strcmp(name, "P-384") == 0)
        return "P-384";
    if (strcmp(name, "prime256v1") == 0 || strcmp(name, "P-256") == 0)
        return "P-256";
    return NULL;
}

static size_t point_length(const char *curve)
{
    return strcmp(curve, "P-384") == 0 ? 97 : 65;
}

int agree_point_of(EVP_PKEY *key, struct agree_point *out, struct firn_error **err)
{
    const char *curve = agree_curve(key);
    unsigned char *encoded = NULL;
    size_t length = EVP_PKEY_get1_encoded_public_key(key, &encoded);
    if (curve == NULL || length != point_length(curve)) {
        OPENSSL_free(encoded);
        return crypt_failed("encode a public point", err);
    }
    memcpy(out->bytes, encoded, length);
    out->length = length;
    OPENSSL_free(encoded);
    return 0;
}

int agree_scalar_of(const EVP_PKEY *key, uint8_t out[AGREE_SCALAR_LENGTH], struct firn_error **err)
{
    BIGNUM *scalar = NULL;
    int ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
             BN_bn2binpad(scalar, out, AGREE_SCALAR_LENGTH) == (int)AGREE_SCALAR_LENGTH;
    BN_clear_free(scalar);
    return ok ? 0 : crypt_failed("encode a private key", err);
}

/* libcrypto takes numbers in the order of the machine. */
static int native_scalar(const uint8_t scalar[AGREE_SCALAR_LENGTH],
                         uint8_t out[AGREE_SCALAR_LENGTH])
{
    BIGNUM *number = BN_bin2bn(scalar, AGREE_SCALAR_LENGTH, NULL);
    int made = number == NULL ? -1 : BN_bn2nativepad(number, out, AGREE_SCALAR_LENGTH);
    BN_clear_free(number);
    return made < 0 ? -1 : 0;
}

static EVP_PKEY *from_parameters(OSSL_PARAM *parameters, int selection)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &key, selection, parameters);
    EVP_PKEY_CTX_free(context);
    return key;
}

int agree_import(const char *curve, const struct agree_point *point, const uint8_t *scalar,
                 EVP_PKEY **out, struct firn_error **err)
{
    /* Only what is written is accepted: uncompressed, of the right length. */
    if (point->length != point_length(curve) || point->bytes[0] != 4)
        return fail(err, FIRN_CORRUPT, "not a point of %s", curve);
    char name[8];
    strncpy(name, curve, sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct agree_point copy = *point;
    uint8_t native[AGREE_SCALAR_LENGTH];
    if (scalar != NULL && native_scalar(scalar, native) < 0)
        return crypt_failed("read a private key", err);
    OSSL_PARAM parameters[4] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.bytes, copy.length),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (scalar != NULL)
        parameters[2] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof(native));
    EVP_PKEY *key =
        from_parameters(parameters, scalar == NULL ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR);
    OPENSSL_cleanse(native, sizeof(native));
    if (key == NULL) {
        ERR_clear_error();
        return fail(err, FIRN_CORRUPT, "not a point of %s", curve);
    }
    *out = key;
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- agreeing */

static int shared_secret(EVP_PKEY *own, EVP_PKEY *other, uint8_t secret[SECRET_MOST],
                         size_t *length, struct firn_error **err)
{
    *length = SECRET_MOST;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    /* set_peer checks that the point is on the curve and in the group. */
    int ok = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
             EVP_PKEY_derive_set_peer(context, other) == 1 &&
             EVP_PKEY_derive(context, secret, length) == 1;
    EVP_PKEY_CTX_free(context);
    return ok ? 0 : crypt_failed("agree on a key (ECDH)", err);
}

static int derive(const struct agree_terms *terms, const struct agree_point *ephemeral,
                  const struct agree_point *recipient, const uint8_t *secret, size_t length,
                  uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    auto_buf struct buf info = buf_new(1024);
    buf_puts(&info, terms->label);
    buf_putc(&info, ' ');
    buf_hex(&info, terms->repository, FORMAT_ID_LENGTH);
    buf_putc(&info, ' ');
    buf_hex(&info, ephemeral->bytes, ephemeral->length);
    buf_putc(&info, ' ');
    buf_hex(&info, recipient->bytes, recipient->length);
    if (buf_check(&info, "the terms of an agreement", err) < 0)
        return -1;
    return crypt_derive_from(secret, length, terms->salt, buf_text(&info), key, err);
}

int agree_send(EVP_PKEY *recipient, const struct agree_terms *terms, struct agree_point *ephemeral,
               uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    const char *curve = agree_curve(recipient);
    EVP_PKEY *pair = curve == NULL ? NULL : EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
    if (pair == NULL)
        return crypt_failed("make an ephemeral key pair", err);
    struct agree_point other;
    uint8_t secret[SECRET_MOST];
    size_t length = 0;
    int result = agree_point_of(pair, ephemeral, err);
    if (result == 0)
        result = agree_point_of(recipient, &other, err);
    if (result == 0)
        result = shared_secret(pair, recipient, secret, &length, err);
    if (result == 0)
        result = derive(terms, ephemeral, &other, secret, length, key, err);
    OPENSSL_cleanse(secret, sizeof(secret));
    EVP_PKEY_free(pair);
    return result;
}

int agree_receive(EVP_PKEY *own, const struct agree_terms *terms,
                  const struct agree_point *ephemeral, uint8_t key[FORMAT_KEY_LENGTH],
                  struct firn_error **err)
{
    const char *curve = agree_curve(own);
    EVP_PKEY *other = NULL;
    if (curve == NULL)
        return fail(err, FIRN_INVALID, "not a key of P-384 or P-256");
    if (agree_import(curve, ephemeral, NULL, &other, err) < 0)
        return -1;
    struct agree_point point;
    uint8_t secret[SECRET_MOST];
    size_t length = 0;
    int result = agree_point_of(own, &point, err);
    if (result == 0)
        result = shared_secret(own, other, secret, &length, err);
    if (result == 0)
        result = derive(terms, ephemeral, &point, secret, length, key, err);
    OPENSSL_cleanse(secret, sizeof(secret));
    EVP_PKEY_free(other);
    return result;
}
