/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cryptography: published vectors, what a seal must refuse, and that nonces never repeat.
 */
#include "unit/unit.h"

#include "core/base64.h"
#include "core/buf.h"
#include "repo/crypt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

static const uint8_t zeros[32];

/* Bytes from hex; the length is the caller's to know. */
static void unhex(const char *hex, void *out)
{
    CU_ASSERT_FATAL(hex_decode(hex, out, strlen(hex) / 2));
}

static void expect_bytes(const void *got, const char *hex)
{
    char text[257];
    hex_encode(got, strlen(hex) / 2, text);
    expect_text(text, hex);
}

/* ---------------------------------------------------------------------------------------------- vectors */

struct gcm_vector {
    const char *key, *nonce, *aad, *plain, *text, *tag;
};

/* Test cases 13, 14 and 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), which NIST validates with. */
static const struct gcm_vector gcm_vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void gcm(void)
{
    for (size_t i = 0; i < array_length(gcm_vectors); i++) {
        const struct gcm_vector *vector = &gcm_vectors[i];
        uint8_t key[32], aad[32], sealed[128], plain[64];
        size_t length = strlen(vector->text) / 2;
        unhex(vector->key, key);
        unhex(vector->aad, aad);
        unhex(vector->nonce, sealed);
        unhex(vector->text, sealed + CRYPT_NONCE_LENGTH);
        unhex(vector->tag, sealed + CRYPT_NONCE_LENGTH + length);
        struct unsealer *unsealer = NULL;
        expect_ok(unsealer_new(key, &unsealer, err));
        expect_ok(unsealer_open(unsealer, aad, strlen(vector->aad) / 2, sealed,
                                length + CRYPT_OVERHEAD, plain, err));
        expect_bytes(plain, vector->plain);
        unsealer_free(unsealer);
    }
}

/* RFC 5869, A.1 and A.3: HMAC pads a short salt with zeros, and none is 32 zeros. */
static void hkdf(void)
{
    uint8_t secret[22], salt[32] = {0}, key[32];
    memset(secret, 0x0b, sizeof(secret));
    expect_ok(crypt_derive_from(secret, sizeof(secret), zeros, "", key, err));
    expect_bytes(key, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    for (uint8_t i = 0; i <= 12; i++)
        salt[i] = i;
    expect_ok(crypt_derive_from(secret, sizeof(secret), salt,
                                "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", key, err));
    expect_bytes(key, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
}

static void hkdf_separates(void)
{
    uint8_t one[32], other[32];
    expect_ok(crypt_derive(zeros, zeros, "label a", one, err));
    expect_ok(crypt_derive(zeros, zeros, "label b", other, err));
    CU_ASSERT(memcmp(one, other, 32) != 0);
    uint8_t salt[32] = {1};
    expect_ok(crypt_derive(zeros, salt, "label a", other, err));
    CU_ASSERT(memcmp(one, other, 32) != 0);
    expect_ok(crypt_derive(zeros, zeros, "label a", other, err));
    CU_ASSERT(memcmp(one, other, 32) == 0);
}

/* RFC 8018, 5.2, written out: the first block, by HMAC alone. */
static void pbkdf2_by_hand(const char *passphrase, const uint8_t salt[32], unsigned rounds,
                           uint8_t out[32])
{
    uint8_t block[36], u[32];
    unsigned made = 0;
    memcpy(block, salt, 32);
    memcpy(block + 32, "\0\0\0\1", 4);
    HMAC(EVP_sha256(), passphrase, (int)strlen(passphrase), block, sizeof(block), u, &made);
    memcpy(out, u, 32);
    for (unsigned round = 1; round < rounds; round++) {
        HMAC(EVP_sha256(), passphrase, (int)strlen(passphrase), u, sizeof(u), u, &made);
        for (size_t i = 0; i < sizeof(u); i++)
            out[i] ^= u[i];
    }
}

static void pbkdf2(void)
{
    uint8_t salt[32], expected[32], key[32];
    for (uint8_t i = 0; i < 32; i++)
        salt[i] = (uint8_t)(200 - i);
    static const unsigned rounds[] = {1, 2, 1000, 4096};
    for (size_t i = 0; i < array_length(rounds); i++) {
        pbkdf2_by_hand("correct horse", salt, rounds[i], expected);
        expect_ok(crypt_stretch("correct horse", 13, salt, rounds[i], key, err));
        CU_ASSERT(memcmp(key, expected, sizeof(key)) == 0);
    }
}

/* RFC 4231, 4.2 and 4.3: a shorter key is padded with zeros; the kind is the first byte of what is hashed. */
static void fingerprints(void)
{
    uint8_t key[32] = {0}, got[32];
    struct fingerprinter *fingerprinter = NULL;
    memset(key, 0x0b, 20);
    expect_ok(fingerprinter_new(key, &fingerprinter, err));
    for (int i = 0; i < 3; i++) {
        expect_ok(
            fingerprinter_make(fingerprinter, (enum format_chunk)'H', "i There", 7, got, err));
        expect_bytes(got, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }
    fingerprinter_free(fingerprinter);
    memset(key, 0, sizeof(key));
    memcpy(key, "Jefe", 4);
    expect_ok(fingerprinter_new(key, &fingerprinter, err));
    expect_ok(fingerprinter_make(fingerprinter, (enum format_chunk)'w',
                                 "hat do ya want for nothing?", 27, got, err));
    expect_bytes(got, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    fingerprinter_free(fingerprinter);
}

static void fingerprints_of_kinds_differ(void)
{
    uint8_t block[32], stream[32];
    struct fingerprinter *fingerprinter = NULL;
    expect_ok(fingerprinter_new(zeros, &fingerprinter, err));
    expect_ok(fingerprinter_make(fingerprinter, FORMAT_CHUNK_BLOCK, "x", 1, block, err));
    expect_ok(fingerprinter_make(fingerprinter, FORMAT_CHUNK_STREAM, "x", 1, stream, err));
    CU_ASSERT(memcmp(block, stream, sizeof(block)) != 0);
    fingerprinter_free(fingerprinter);
}

static void expect_digest(const char *algorithm, const char *expected)
{
    struct digester *digester = NULL;
    char *text = NULL;
    expect_ok(digester_new(algorithm, &digester, err));
    expect_ok(digester_update(digester, "a", 1, err));
    expect_ok(digester_update(digester, "bc", 2, err));
    expect_ok(digester_finish(digester, &text, err));
    expect_text(text, expected);
    free(text);
    digester_free(digester);
}

static void digests(void)
{
    expect_digest("sha256",
                  "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_digest("sha512",
                  "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    struct digester *digester = NULL;
    expect_error(FIRN_INVALID, digester_new("md5", &digester, err));
    digester_free(NULL);
}

/* RFC 3720, B.4, and the check value of the catalogues. */
static void crc32c(void)
{
    uint8_t bytes[32];
    CU_ASSERT_EQUAL(crypt_crc32c(0, "123456789", 9), 0xe3069283);
    CU_ASSERT_EQUAL(crypt_crc32c(crypt_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    CU_ASSERT_EQUAL(crypt_crc32c(0, "", 0), 0);
    CU_ASSERT_EQUAL(crypt_crc32c(0, zeros, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    CU_ASSERT_EQUAL(crypt_crc32c(0, bytes, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    CU_ASSERT_EQUAL(crypt_crc32c(0, bytes, 32), 0x46dd794e);
    for (size_t cut = 0; cut <= 32; cut++)
        CU_ASSERT_EQUAL(crypt_crc32c(crypt_crc32c(0, bytes, cut), bytes + cut, 32 - cut),
                        0x46dd794e);
}

/* RFC 4648, 10. */
static void base64(void)
{
    static const char *const encoded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                          "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    uint8_t bytes[8];
    size_t made = 0;
    for (size_t length = 0; length <= 6; length++) {
        auto_buf struct buf text = buf_new(64);
        base64_encode(&text, "foobar", length);
        expect_text(buf_text(&text), encoded[length]);
        CU_ASSERT(base64_decode(encoded[length], strlen(encoded[length]), bytes, length, &made));
        CU_ASSERT(made == length && memcmp(bytes, "foobar", length) == 0);
        CU_ASSERT(length == 0 || !base64_decode(encoded[length], strlen(encoded[length]), bytes,
                                                length - 1, &made));
    }
    static const char *const wrong[] = {"Zg=",  "Zg",       "Z",     "=",     "====",
                                        "Z===", "Zg==Zg==", " Zm9v", "Zm9v ", "Zm9v\n",
                                        "Zm-v", "Zm_v",     "Zm=v",  "Zg==\n"};
    for (size_t i = 0; i < array_length(wrong); i++)
        CU_ASSERT(!base64_decode(wrong[i], strlen(wrong[i]), bytes, sizeof(bytes), &made));
}

/* ---------------------------------------------------------------------------------------------- sealing */

static void seal_and_open(void)
{
    static const size_t lengths[] = {0, 1, 15, 16, 17, 4095, 65536, 1048576};
    uint8_t *plain = mem_alloc(1048576), *sealed = mem_alloc(1048576 + CRYPT_OVERHEAD),
            *again = mem_alloc(1048576);
    struct sealer *sealer = NULL;
    struct unsealer *unsealer = NULL;
    crypt_random(plain, 1048576);
    expect_ok(sealer_new(zeros, &sealer, err));
    expect_ok(unsealer_new(zeros, &unsealer, err));
    for (size_t i = 0; i < array_length(lengths); i++) {
        size_t length = lengths[i];
        memset(again, 0, length);
        expect_ok(sealer_seal(sealer, "aad", i % 4, plain, length, sealed, err));
        expect_ok(
            unsealer_open(unsealer, "aad", i % 4, sealed, length + CRYPT_OVERHEAD, again, err));
        CU_ASSERT(memcmp(plain, again, length) == 0);
    }
    sealer_free(sealer);
    unsealer_free(unsealer);
    free(plain);
    free(sealed);
    free(again);
}

static void nonces_never_repeat(void)
{
    uint8_t first[64], before[64], sealed[64], other[64];
    struct sealer *sealer = NULL, *second = NULL;
    expect_ok(sealer_new(zeros, &sealer, err));
    expect_ok(sealer_seal(sealer, NULL, 0, "x", 1, first, err));
    memcpy(before, first, sizeof(before));
    for (int i = 0; i < 1000; i++) {
        uint64_t last, next;
        expect_ok(sealer_seal(sealer, NULL, 0, "x", 1, sealed, err));
        CU_ASSERT(memcmp(sealed, first, 4) == 0);
        memcpy(&last, before + 4, 8);
        memcpy(&next, sealed + 4, 8);
        CU_ASSERT(be64toh(next) == be64toh(last) + 1);
        memcpy(before, sealed, sizeof(before));
    }
    expect_ok(sealer_new(zeros, &second, err));
    expect_ok(sealer_seal(second, NULL, 0, "x", 1, other, err));
    CU_ASSERT(memcmp(first, other, CRYPT_NONCE_LENGTH) != 0);
    sealer_free(sealer);
    sealer_free(second);
}

static void every_change_is_found(void)
{
    uint8_t sealed[40 + CRYPT_OVERHEAD], plain[40], key[32] = {7};
    struct sealer *sealer = NULL;
    struct unsealer *unsealer = NULL, *other = NULL;
    memset(plain, 'p', sizeof(plain));
    expect_ok(sealer_new(key, &sealer, err));
    expect_ok(unsealer_new(key, &unsealer, err));
    expect_ok(unsealer_new(zeros, &other, err));
    expect_ok(sealer_seal(sealer, "where", 5, plain, sizeof(plain), sealed, err));
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_error(FIRN_CORRUPT,
                     unsealer_open(unsealer, "where", 5, sealed, sizeof(sealed), plain, err));
        CU_ASSERT(plain[0] == 0 && memcmp(plain, plain + 1, sizeof(plain) - 1) == 0);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    expect_error(FIRN_CORRUPT,
                 unsealer_open(unsealer, "there", 5, sealed, sizeof(sealed), plain, err));
    expect_error(FIRN_CORRUPT,
                 unsealer_open(unsealer, "where", 4, sealed, sizeof(sealed), plain, err));
    expect_error(FIRN_CORRUPT,
                 unsealer_open(other, "where", 5, sealed, sizeof(sealed), plain, err));
    for (size_t length = 0; length < sizeof(sealed); length++)
        expect_error(FIRN_CORRUPT, unsealer_open(unsealer, "where", 5, sealed, length, plain, err));
    expect_ok(unsealer_open(unsealer, "where", 5, sealed, sizeof(sealed), plain, err));
    CU_ASSERT(plain[0] == 'p' && plain[39] == 'p');
    sealer_free(sealer);
    unsealer_free(unsealer);
    unsealer_free(other);
}

static void *seal_much(void *context)
{
    uint8_t key[32], sealed[1000 + CRYPT_OVERHEAD], plain[1000] = {1}, again[1000];
    struct sealer *sealer = NULL;
    struct unsealer *unsealer = NULL;
    bool good = crypt_derive(zeros, zeros, "thread", key, NULL) == 0 &&
                sealer_new(key, &sealer, NULL) == 0 && unsealer_new(key, &unsealer, NULL) == 0;
    for (int i = 0; i < 200 && good; i++)
        good = sealer_seal(sealer, "a", 1, plain, sizeof(plain), sealed, NULL) == 0 &&
               unsealer_open(unsealer, "a", 1, sealed, sizeof(sealed), again, NULL) == 0 &&
               memcmp(plain, again, sizeof(plain)) == 0;
    sealer_free(sealer);
    unsealer_free(unsealer);
    *(bool *)context = good;
    return NULL;
}

/* The first test, so that the algorithms are fetched by several threads at once. */
static void threads(void)
{
    pthread_t running[4];
    bool good[4] = {false};
    for (size_t i = 0; i < array_length(running); i++)
        CU_ASSERT_FATAL(pthread_create(&running[i], NULL, seal_much, &good[i]) == 0);
    for (size_t i = 0; i < array_length(running); i++) {
        pthread_join(running[i], NULL);
        CU_ASSERT(good[i]);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"threads", threads},
        {"AES-256-GCM vectors", gcm},
        {"HKDF vectors", hkdf},
        {"HKDF separates labels and salts", hkdf_separates},
        {"PBKDF2 by hand", pbkdf2},
        {"HMAC vectors", fingerprints},
        {"fingerprints of kinds differ", fingerprints_of_kinds_differ},
        {"digests", digests},
        {"CRC-32C vectors", crc32c},
        {"Base64 vectors", base64},
        {"seal and open", seal_and_open},
        {"nonces never repeat", nonces_never_repeat},
        {"every change is found", every_change_is_found},
    };
    return unit_run("crypt", tests, array_length(tests));
}
