/* SPDX-License-Identifier: Apache-2.0 */
#include "crypt.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"

#include <isa-l/crc.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* The fixed field of a nonce; libcrypto counts in the other eight bytes. */
#define FIXED_LENGTH 4

struct sealer {
    EVP_CIPHER_CTX *context;
};

struct unsealer {
    EVP_CIPHER_CTX *context;
};

struct fingerprinter {
    EVP_MAC_CTX *context;
};

struct digester {
    EVP_MD_CTX *context;
    const char *algorithm;
};

/* Fetching takes locks and searches the providers, so it is done once; the process keeps the algorithms. */
static struct {
    EVP_CIPHER *aes;
    EVP_KDF *hkdf;
    EVP_KDF *pbkdf2;
    EVP_MAC *hmac;
    EVP_MD *sha256;
    EVP_MD *sha512;
} algorithms;

static void fetch_algorithms(void)
{
    algorithms.aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    algorithms.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    algorithms.pbkdf2 = EVP_KDF_fetch(NULL, "PBKDF2", NULL);
    algorithms.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    algorithms.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    algorithms.sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
}

int crypt_failed(const char *what, struct firn_error **err)
{
    char reason[256] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return fail(err, FIRN_INTERNAL, "%s: libcrypto: %s", what, reason);
}

static int need_algorithms(struct firn_error **err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_algorithms);
    if (algorithms.aes == NULL || algorithms.hkdf == NULL || algorithms.pbkdf2 == NULL ||
        algorithms.hmac == NULL || algorithms.sha256 == NULL || algorithms.sha512 == NULL)
        return crypt_failed(
            "fetch AES-256-GCM, HKDF, PBKDF2, HMAC and SHA-2 from the providers of this system",
            err);
    return 0;
}

void crypt_random(void *out, size_t length)
{
    if (length > INT_MAX || RAND_bytes(out, (int)length) != 1) {
        fputs("firn: the system has no random bytes\n", stderr);
        abort();
    }
}

void crypt_random_secret(void *out, size_t length)
{
    if (length > INT_MAX || RAND_priv_bytes(out, (int)length) != 1) {
        fputs("firn: the system has no random bytes\n", stderr);
        abort();
    }
}

/* ------------------------------------------------------------------------------------------------------ derivations */

static int run_kdf(EVP_KDF *kdf, const OSSL_PARAM *parameters, const char *what,
                   uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    int ok = context != NULL && EVP_KDF_derive(context, out, FORMAT_KEY_LENGTH, parameters) == 1;
    EVP_KDF_CTX_free(context);
    return ok ? 0 : crypt_failed(what, err);
}

/* The parameters of libcrypto are not const, but it only reads them. */
static OSSL_PARAM octets(const char *name, const void *data, size_t length)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)data, length);
}

static OSSL_PARAM digest_parameter(void)
{
    static char name[] = "SHA2-256";
    return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0);
}

int crypt_derive_from(const void *secret, size_t length, const uint8_t salt[FORMAT_SALT_LENGTH],
                      const char *info, uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    if (need_algorithms(err) < 0)
        return -1;
    OSSL_PARAM parameters[] = {
        digest_parameter(),
        octets(OSSL_KDF_PARAM_KEY, secret, length),
        octets(OSSL_KDF_PARAM_SALT, salt, FORMAT_SALT_LENGTH),
        octets(OSSL_KDF_PARAM_INFO, info, strlen(info)),
        OSSL_PARAM_END,
    };
    return run_kdf(algorithms.hkdf, parameters, "derive a key (HKDF-SHA-256)", out, err);
}

int crypt_derive(const uint8_t key[FORMAT_KEY_LENGTH], const uint8_t salt[FORMAT_SALT_LENGTH],
                 const char *info, uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    return crypt_derive_from(key, FORMAT_KEY_LENGTH, salt, info, out, err);
}

int crypt_stretch(const void *passphrase, size_t length, const uint8_t salt[FORMAT_SALT_LENGTH],
                  uint32_t rounds, uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    if (need_algorithms(err) < 0)
        return -1;
    uint64_t iterations = rounds;
    OSSL_PARAM parameters[] = {
        digest_parameter(),
        octets(OSSL_KDF_PARAM_PASSWORD, passphrase, length),
        octets(OSSL_KDF_PARAM_SALT, salt, FORMAT_SALT_LENGTH),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
        OSSL_PARAM_END,
    };
    return run_kdf(algorithms.pbkdf2, parameters, "stretch a passphrase (PBKDF2-HMAC-SHA-256)", out,
                   err);
}

/* ---------------------------------------------------------------------------------------------------------- sealing */

static int check_lengths(size_t aad_length, size_t length, struct firn_error **err)
{
    if (aad_length > INT_MAX || length > INT_MAX - CRYPT_OVERHEAD)
        return fail(err, FIRN_INVALID, "a message of %zu bytes is too long to seal", length);
    return 0;
}

int sealer_new(const uint8_t key[FORMAT_KEY_LENGTH], struct sealer **out, struct firn_error **err)
{
    if (need_algorithms(err) < 0)
        return -1;
    struct sealer *sealer = mem_zalloc(sizeof(*sealer));
    sealer->context = EVP_CIPHER_CTX_new();
    uint8_t fixed[FIXED_LENGTH];
    crypt_random(fixed, sizeof(fixed));
    if (sealer->context == NULL ||
        EVP_EncryptInit_ex2(sealer->context, algorithms.aes, key, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(sealer->context, EVP_CTRL_AEAD_SET_IV_FIXED, FIXED_LENGTH, fixed) !=
            1) {
        sealer_free(sealer);
        return crypt_failed("prepare sealing (AES-256-GCM)", err);
    }
    *out = sealer;
    return 0;
}

void sealer_free(struct sealer *sealer)
{
    if (sealer == NULL)
        return;
    EVP_CIPHER_CTX_free(sealer->context); /* wipes its key */
    free(sealer);
}

int sealer_seal(struct sealer *sealer, const void *aad, size_t aad_length, const void *plain,
                size_t length, uint8_t *out, struct firn_error **err)
{
    if (check_lengths(aad_length, length, err) < 0)
        return -1;
    EVP_CIPHER_CTX *context = sealer->context;
    uint8_t *text = out + CRYPT_NONCE_LENGTH;
    int done = 0;
    /* IV_GEN puts the next nonce into the context and into out; it never gives the same one twice. */
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_IV_GEN, CRYPT_NONCE_LENGTH, out) != 1 ||
        (aad_length > 0 && EVP_EncryptUpdate(context, NULL, &done, aad, (int)aad_length) != 1) ||
        (length > 0 && EVP_EncryptUpdate(context, text, &done, plain, (int)length) != 1) ||
        EVP_EncryptFinal_ex(context, text + length, &done) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CRYPT_TAG_LENGTH, text + length) != 1)
        return crypt_failed("seal (AES-256-GCM)", err);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- opening */

int unsealer_new(const uint8_t key[FORMAT_KEY_LENGTH], struct unsealer **out,
                 struct firn_error **err)
{
    if (need_algorithms(err) < 0)
        return -1;
    struct unsealer *unsealer = mem_zalloc(sizeof(*unsealer));
    unsealer->context = EVP_CIPHER_CTX_new();
    if (unsealer->context == NULL ||
        EVP_DecryptInit_ex2(unsealer->context, algorithms.aes, key, NULL, NULL) != 1) {
        unsealer_free(unsealer);
        return crypt_failed("prepare opening (AES-256-GCM)", err);
    }
    *out = unsealer;
    return 0;
}

void unsealer_free(struct unsealer *unsealer)
{
    if (unsealer == NULL)
        return;
    EVP_CIPHER_CTX_free(unsealer->context);
    free(unsealer);
}

int unsealer_open(struct unsealer *unsealer, const void *aad, size_t aad_length, const void *sealed,
                  size_t sealed_length, void *out, struct firn_error **err)
{
    if (sealed_length < CRYPT_OVERHEAD)
        return fail(err, FIRN_CORRUPT, "a sealed message has at least %u bytes, not %zu",
                    CRYPT_OVERHEAD, sealed_length);
    size_t length = sealed_length - CRYPT_OVERHEAD;
    if (check_lengths(aad_length, length, err) < 0)
        return -1;
    const uint8_t *nonce = sealed;
    const uint8_t *text = nonce + CRYPT_NONCE_LENGTH;
    uint8_t tag[CRYPT_TAG_LENGTH];
    memcpy(tag, text + length, sizeof(tag));
    EVP_CIPHER_CTX *context = unsealer->context;
    int done = 0;
    if (EVP_DecryptInit_ex2(context, NULL, NULL, nonce, NULL) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1 ||
        (aad_length > 0 && EVP_DecryptUpdate(context, NULL, &done, aad, (int)aad_length) != 1) ||
        (length > 0 && EVP_DecryptUpdate(context, out, &done, text, (int)length) != 1)) {
        OPENSSL_cleanse(out, length);
        return crypt_failed("open a sealed message (AES-256-GCM)", err);
    }
    uint8_t rest[CRYPT_TAG_LENGTH]; /* GCM leaves nothing for the end */
    if (EVP_DecryptFinal_ex(context, rest, &done) != 1) {
        ERR_clear_error();
        OPENSSL_cleanse(out, length);
        return fail(
            err, FIRN_CORRUPT,
            "the authentication tag does not fit: damaged, moved, or sealed under another key");
    }
    return 0;
}

/* ----------------------------------------------------------------------------------------------------- fingerprints */

int fingerprinter_new(const uint8_t key[FORMAT_KEY_LENGTH], struct fingerprinter **out,
                      struct firn_error **err)
{
    if (need_algorithms(err) < 0)
        return -1;
    struct fingerprinter *fingerprinter = mem_zalloc(sizeof(*fingerprinter));
    fingerprinter->context = EVP_MAC_CTX_new(algorithms.hmac);
    OSSL_PARAM parameters[] = {digest_parameter(), OSSL_PARAM_END};
    if (fingerprinter->context == NULL ||
        EVP_MAC_init(fingerprinter->context, key, FORMAT_KEY_LENGTH, parameters) != 1) {
        fingerprinter_free(fingerprinter);
        return crypt_failed("prepare fingerprints (HMAC-SHA-256)", err);
    }
    *out = fingerprinter;
    return 0;
}

void fingerprinter_free(struct fingerprinter *fingerprinter)
{
    if (fingerprinter == NULL)
        return;
    EVP_MAC_CTX_free(fingerprinter->context);
    free(fingerprinter);
}

int fingerprinter_make(struct fingerprinter *fingerprinter, enum format_chunk kind,
                       const void *data, size_t length, uint8_t out[FORMAT_FINGERPRINT_LENGTH],
                       struct firn_error **err)
{
    EVP_MAC_CTX *context = fingerprinter->context;
    const uint8_t label = (uint8_t)kind;
    size_t made = 0;
    /* Without a key, init only starts over: the hashed key is kept. */
    if (EVP_MAC_init(context, NULL, 0, NULL) != 1 || EVP_MAC_update(context, &label, 1) != 1 ||
        EVP_MAC_update(context, data, length) != 1 ||
        EVP_MAC_final(context, out, &made, FORMAT_FINGERPRINT_LENGTH) != 1 ||
        made != FORMAT_FINGERPRINT_LENGTH)
        return crypt_failed("make a fingerprint (HMAC-SHA-256)", err);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- digests */

static int choose_digest(const char *algorithm, const EVP_MD **md, const char **name,
                         struct firn_error **err)
{
    if (strcmp(algorithm, "sha256") == 0) {
        *md = algorithms.sha256;
        *name = "sha256";
    } else if (strcmp(algorithm, "sha512") == 0) {
        *md = algorithms.sha512;
        *name = "sha512";
    } else {
        return fail(err, FIRN_INVALID,
                    "digest algorithm \"%.32s\": only sha256 and sha512 are known", algorithm);
    }
    return 0;
}

int digester_new(const char *algorithm, struct digester **out, struct firn_error **err)
{
    const EVP_MD *md = NULL;
    const char *name = NULL;
    if (need_algorithms(err) < 0 || choose_digest(algorithm, &md, &name, err) < 0)
        return -1;
    struct digester *digester = mem_zalloc(sizeof(*digester));
    digester->algorithm = name;
    digester->context = EVP_MD_CTX_new();
    if (digester->context == NULL || EVP_DigestInit_ex2(digester->context, md, NULL) != 1) {
        digester_free(digester);
        return crypt_failed("prepare a digest", err);
    }
    *out = digester;
    return 0;
}

int digester_new_for(const char *digest, struct digester **out, struct firn_error **err)
{
    const char *colon = strchr(digest, ':');
    if (colon == NULL)
        return fail(err, FIRN_INVALID, "%s is no digest", digest);
    auto_free char *algorithm = mem_printf("%.*s", (int)(colon - digest), digest);
    return digester_new(algorithm, out, err);
}

void digester_free(struct digester *digester)
{
    if (digester == NULL)
        return;
    EVP_MD_CTX_free(digester->context);
    free(digester);
}

int digester_update(struct digester *digester, const void *data, size_t length,
                    struct firn_error **err)
{
    if (EVP_DigestUpdate(digester->context, data, length) != 1)
        return crypt_failed("compute a digest", err);
    return 0;
}

int digester_finish(struct digester *digester, char **out, struct firn_error **err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(digester->context, digest, &length) != 1)
        return crypt_failed("compute a digest", err);
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    hex_encode(digest, length, hex);
    *out = mem_printf("%s:%s", digester->algorithm, hex);
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- checksums */

uint32_t crypt_crc32c(uint32_t crc, const void *data, size_t length)
{
    /* ISA-L only reads what it takes without const, counts in int, and leaves the two complements to the caller. */
    unsigned char *next = (unsigned char *)(uintptr_t)data;
    uint32_t state = ~crc;
    while (length > 0) {
        int piece = length > INT_MAX / 2 ? INT_MAX / 2 : (int)length;
        state = crc32_iscsi(next, piece, state);
        next += piece;
        length -= (size_t)piece;
    }
    return ~state;
}
