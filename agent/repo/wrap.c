/* SPDX-License-Identifier: Apache-2.0 */
#include "wrap.h"

#include "agree.h"
#include "crypt.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#define PEM_MOST       65536u
#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST  8192

static const char *const kind_names[] = {
    [KEY_FILE] = "file",
    [KEY_PASSPHRASE] = "passphrase",
    [KEY_PUBLIC] = "public",
};

static const char *const exchange_names[] = {
    [WRAP_ECDH_P384] = "ecdh-p384",
    [WRAP_ECDH_P256] = "ecdh-p256",
    [WRAP_RSA_OAEP] = "rsa-oaep-sha256",
};

static int derive(const uint8_t *from, const uint8_t *repository, const uint8_t *salt,
                  const char *label, uint8_t *key, struct firn_error **err)
{
    char id[FORMAT_ID_TEXT];
    hex_encode(repository, FORMAT_ID_LENGTH, id);
    auto_free char *info = mem_printf("%s %s", label, id);
    return crypt_derive(from, salt, info, key, err);
}

/* ----------------------------------------------------------------------------------------- key file and passphrase */

static int file_key(const uint8_t *repository, const struct key_credential *credential,
                    const struct wrap *wrap, uint8_t *key, struct firn_error **err)
{
    uint8_t secret[FORMAT_KEY_LENGTH];
    int result = key_file_parse(credential->secret, credential->length, secret, err);
    if (result == 0)
        result = derive(secret, repository, wrap->salt, "firn slot file v1", key, err);
    OPENSSL_cleanse(secret, sizeof(secret));
    return result;
}

static int passphrase_key(const uint8_t *repository, const struct key_credential *credential,
                          const struct wrap *wrap, uint8_t *key, struct firn_error **err)
{
    if (credential->length == 0)
        return fail(err, FIRN_INVALID, "the passphrase is empty");
    uint8_t stretched[FORMAT_KEY_LENGTH];
    int result = crypt_stretch(credential->secret, credential->length, wrap->salt, wrap->rounds,
                               stretched, err);
    if (result == 0)
        result = derive(stretched, repository, wrap->salt, "firn slot passphrase v1", key, err);
    OPENSSL_cleanse(stretched, sizeof(stretched));
    return result;
}

/* ------------------------------------------------------------------------------------------------------- public keys */

/* An encrypted PEM must not make libcrypto ask at the terminal. */
static int refuse_passphrase(char *out, int capacity, int writing, void *context)
{
    (void)out;
    (void)capacity;
    (void)writing;
    (void)context;
    return -1;
}

typedef EVP_PKEY *pem_reader(BIO *bio, EVP_PKEY **out, pem_password_cb *callback, void *context);

static int read_pem(const struct key_credential *credential, pem_reader *reader, const char *what,
                    EVP_PKEY **out, struct firn_error **err)
{
    if (credential->length > PEM_MOST)
        return fail(err, FIRN_INVALID, "%s: more than %u bytes are no PEM", what, PEM_MOST);
    BIO *bio = BIO_new_mem_buf(credential->secret, (int)credential->length);
    EVP_PKEY *key = bio == NULL ? NULL : reader(bio, NULL, refuse_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL)
        return fail(err, FIRN_INVALID, "%s: not a PEM of one that is not encrypted", what);
    *out = key;
    return 0;
}

static enum wrap_exchange exchange_of(const EVP_PKEY *key)
{
    const char *curve = agree_curve(key);
    if (curve != NULL)
        return strcmp(curve, "P-384") == 0 ? WRAP_ECDH_P384 : WRAP_ECDH_P256;
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_LEAST && bits <= RSA_BITS_MOST)
        return WRAP_RSA_OAEP;
    return WRAP_NONE;
}

typedef int rsa_init(EVP_PKEY_CTX *context);
typedef int rsa_run(EVP_PKEY_CTX *context, unsigned char *out, size_t *length,
                    const unsigned char *in, size_t in_length);

/* RSA-OAEP with SHA-256 for both the label and the mask. False: it failed, which for a wrong key it must. */
static bool rsa_oaep(EVP_PKEY *key, rsa_init *init, rsa_run *run, const uint8_t *in,
                     size_t in_length, uint8_t *out, size_t *length)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool ok = context != NULL && init(context) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md_name(context, "SHA2-256", NULL) == 1 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, "SHA2-256", NULL) == 1 &&
              run(context, out, length, in, in_length) == 1;
    EVP_PKEY_CTX_free(context);
    return ok;
}

static int rsa_make(EVP_PKEY *key, const uint8_t *repository, struct wrap *wrap, uint8_t *out,
                    struct firn_error **err)
{
    uint8_t secret[FORMAT_KEY_LENGTH];
    crypt_random_secret(secret, sizeof(secret));
    wrap->wrapped_length = sizeof(wrap->wrapped);
    bool ok = rsa_oaep(key, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt, secret, sizeof(secret),
                       wrap->wrapped, &wrap->wrapped_length);
    int result = ok ? derive(secret, repository, wrap->salt, "firn slot rsa v1", out, err)
                    : crypt_failed("encrypt with the public key (RSA-OAEP)", err);
    OPENSSL_cleanse(secret, sizeof(secret));
    return result;
}

static int rsa_open(EVP_PKEY *key, const uint8_t *repository, const struct wrap *wrap, uint8_t *out,
                    struct firn_error **err)
{
    uint8_t secret[WRAP_MOST];
    size_t length = sizeof(secret);
    bool ok = rsa_oaep(key, EVP_PKEY_decrypt_init, EVP_PKEY_decrypt, wrap->wrapped,
                       wrap->wrapped_length, secret, &length);
    ERR_clear_error();
    int result = ok && length == FORMAT_KEY_LENGTH
                     ? derive(secret, repository, wrap->salt, "firn slot rsa v1", out, err)
                     : fail(err, FIRN_DENIED, "the slot is not for this private key");
    OPENSSL_cleanse(secret, sizeof(secret));
    return result;
}

static struct agree_terms terms_of(const uint8_t *repository, const struct wrap *wrap)
{
    return (struct agree_terms){
        .label = "firn slot agreed v1", .repository = repository, .salt = wrap->salt};
}

static int public_make(const uint8_t *repository, const struct key_credential *credential,
                       struct wrap *wrap, uint8_t *key, struct firn_error **err)
{
    EVP_PKEY *recipient = NULL;
    if (read_pem(credential, PEM_read_bio_PUBKEY, "the public key", &recipient, err) < 0)
        return -1;
    wrap->exchange = exchange_of(recipient);
    struct agree_terms terms = terms_of(repository, wrap);
    struct agree_point ephemeral = {.length = 0};
    int result;
    if (wrap->exchange == WRAP_NONE) {
        result = fail(err, FIRN_INVALID,
                      "the public key is not of EC P-384, EC P-256, or RSA with %d to %d bits",
                      RSA_BITS_LEAST, RSA_BITS_MOST);
    } else if (wrap->exchange == WRAP_RSA_OAEP) {
        result = rsa_make(recipient, repository, wrap, key, err);
    } else {
        result = agree_send(recipient, &terms, &ephemeral, key, err);
        memcpy(wrap->wrapped, ephemeral.bytes, ephemeral.length);
        wrap->wrapped_length = ephemeral.length;
    }
    EVP_PKEY_free(recipient);
    return result;
}

static int public_open(const uint8_t *repository, const struct key_credential *credential,
                       const struct wrap *wrap, uint8_t *key, struct firn_error **err)
{
    EVP_PKEY *own = NULL;
    if (read_pem(credential, PEM_read_bio_PrivateKey, "the private key", &own, err) < 0)
        return -1;
    struct agree_terms terms = terms_of(repository, wrap);
    struct agree_point ephemeral = {.length = wrap->wrapped_length};
    int result;
    if (exchange_of(own) != wrap->exchange) {
        result = fail(err, FIRN_DENIED, "the slot is not for this private key");
    } else if (wrap->exchange == WRAP_RSA_OAEP) {
        result = rsa_open(own, repository, wrap, key, err);
    } else {
        memcpy(ephemeral.bytes, wrap->wrapped, wrap->wrapped_length);
        result = agree_receive(own, &terms, &ephemeral, key, err);
    }
    EVP_PKEY_free(own);
    return result;
}

/* --------------------------------------------------------------------------------------------------------- all kinds */

int wrap_make(const uint8_t repository[FORMAT_ID_LENGTH], const struct key_credential *credential,
              struct wrap *out, uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    *out = (struct wrap){.kind = credential->kind};
    crypt_random(out->salt, sizeof(out->salt));
    switch (credential->kind) {
    case KEY_FILE:
        return file_key(repository, credential, out, key, err);
    case KEY_PASSPHRASE:
        out->rounds = WRAP_ROUNDS;
        return passphrase_key(repository, credential, out, key, err);
    case KEY_PUBLIC:
        return public_make(repository, credential, out, key, err);
    }
    return fail(err, FIRN_INVALID, "there is no such kind of key");
}

int wrap_open(const uint8_t repository[FORMAT_ID_LENGTH], const struct key_credential *credential,
              const struct wrap *wrap, uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    if (credential->kind != wrap->kind)
        return fail(err, FIRN_DENIED, "the slot is for another kind of key");
    switch (wrap->kind) {
    case KEY_FILE:
        return file_key(repository, credential, wrap, key, err);
    case KEY_PASSPHRASE:
        return passphrase_key(repository, credential, wrap, key, err);
    case KEY_PUBLIC:
        return public_open(repository, credential, wrap, key, err);
    }
    return fail(err, FIRN_INVALID, "there is no such kind of key");
}

/* -------------------------------------------------------------------------------------------------------------- JSON */

void wrap_to_json(const struct wrap *wrap, struct json_object *slot)
{
    char salt[2 * FORMAT_SALT_LENGTH + 1];
    hex_encode(wrap->salt, sizeof(wrap->salt), salt);
    json_set_string(slot, "kind", kind_names[wrap->kind]);
    json_set_string(slot, "salt", salt);
    if (wrap->kind == KEY_PASSPHRASE)
        json_set_uint(slot, "rounds", wrap->rounds);
    if (wrap->kind != KEY_PUBLIC)
        return;
    auto_buf struct buf wrapped = buf_new(2 * WRAP_MOST);
    base64_encode(&wrapped, wrap->wrapped, wrap->wrapped_length);
    json_set_string(slot, "exchange", exchange_names[wrap->exchange]);
    json_set_string(slot, "wrapped", buf_text(&wrapped));
}

static int lookup(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i], text) == 0)
            return (int)i;
    }
    return 0;
}

static int rounds_from_json(struct json_object *slot, struct wrap *out, struct firn_error **err)
{
    uint64_t rounds = 0;
    if (json_get_uint(slot, "rounds", &rounds, NULL) < 0 || rounds < WRAP_ROUNDS_LEAST ||
        rounds > WRAP_ROUNDS_MOST)
        return fail(err, FIRN_CORRUPT, "its rounds are not between %u and %u", WRAP_ROUNDS_LEAST,
                    WRAP_ROUNDS_MOST);
    out->rounds = (uint32_t)rounds;
    return 0;
}

static int exchange_from_json(struct json_object *slot, struct wrap *out, struct firn_error **err)
{
    const char *name = json_string_or(slot, "exchange", "");
    const char *wrapped = json_string_or(slot, "wrapped", "");
    out->exchange = (enum wrap_exchange)lookup(exchange_names, array_length(exchange_names), name);
    if (out->exchange == WRAP_NONE)
        return fail(err, FIRN_CORRUPT, "its exchange is none that this version knows");
    size_t most = out->exchange == WRAP_RSA_OAEP ? WRAP_MOST : AGREE_POINT_LENGTH;
    if (!base64_decode(wrapped, strlen(wrapped), out->wrapped, most, &out->wrapped_length))
        return fail(err, FIRN_CORRUPT, "what it wraps is not Base64, or too long");
    return 0;
}

int wrap_from_json(struct json_object *slot, struct wrap *out, struct firn_error **err)
{
    *out = (struct wrap){.rounds = 0};
    out->kind = (enum key_kind)lookup(kind_names, array_length(kind_names),
                                      json_string_or(slot, "kind", ""));
    if (out->kind == 0)
        return fail(err, FIRN_CORRUPT, "its kind is none that this version knows");
    if (!hex_decode(json_string_or(slot, "salt", ""), out->salt, sizeof(out->salt)))
        return fail(err, FIRN_CORRUPT, "its salt is none");
    if (out->kind == KEY_PASSPHRASE)
        return rounds_from_json(slot, out, err);
    return out->kind == KEY_PUBLIC ? exchange_from_json(slot, out, err) : 0;
}
