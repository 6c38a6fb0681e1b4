/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cryptography: AES-256-GCM, HKDF-SHA-256, HMAC-SHA-256 and PBKDF2 by libcrypto's EVP, algorithms
 * fetched once. No primitive of our own. Every error is INTERNAL (libcrypto failed) unless stated
 * otherwise.
 *
 * A sealed message is   nonce (12) | ciphertext | tag (16). libcrypto makes the nonces itself: a
 * fixed field and a counter with a random start (EVP_CTRL_AEAD_SET_IV_FIXED, EVP_CTRL_GCM_IV_GEN),
 * under a key that is used by one struct sealer only. So no nonce repeats, not after a crash and
 * not in a cloned machine.
 */
#ifndef REPO_CRYPT_H
#define REPO_CRYPT_H

#include "format.h"

#include <stddef.h>
#include <stdint.h>

#define CRYPT_NONCE_LENGTH 12u
#define CRYPT_TAG_LENGTH   16u
#define CRYPT_OVERHEAD     (CRYPT_NONCE_LENGTH + CRYPT_TAG_LENGTH)

struct firn_error;
struct sealer;
struct unsealer;
struct fingerprinter;

/* Cryptographically strong random bytes; aborts if the system has none. */
void crypt_random(void *out, size_t length);        /* for what will be seen: ids, salts, names */
void crypt_random_secret(void *out, size_t length); /* for keys, from a generator of their own */
/* fail() with INTERNAL and the last reason that libcrypto gave; `what` was being done. */
int crypt_failed(const char *what, struct firn_error **err);

/* HKDF-SHA-256: `info` is a label without its NUL. */
int crypt_derive(const uint8_t key[FORMAT_KEY_LENGTH], const uint8_t salt[FORMAT_SALT_LENGTH],
                 const char *info, uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err);
/* The same from a secret of another length. */
int crypt_derive_from(const void *secret, size_t length, const uint8_t salt[FORMAT_SALT_LENGTH],
                      const char *info, uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err);
/* PBKDF2-HMAC-SHA-256. */
int crypt_stretch(const void *passphrase, size_t length, const uint8_t salt[FORMAT_SALT_LENGTH],
                  uint32_t rounds, uint8_t out[FORMAT_KEY_LENGTH], struct firn_error **err);

/* ---- sealing: one sealer per key, one thread at a time */
int sealer_new(const uint8_t key[FORMAT_KEY_LENGTH], struct sealer **out, struct firn_error **err);
void sealer_free(struct sealer *sealer); /* wipes; NULL is fine */
/* out: length + CRYPT_OVERHEAD bytes; must not overlap plain. */
int sealer_seal(struct sealer *sealer, const void *aad, size_t aad_length, const void *plain,
                size_t length, uint8_t *out, struct firn_error **err);

/* ---- opening: an unsealer per thread and key */
int unsealer_new(const uint8_t key[FORMAT_KEY_LENGTH], struct unsealer **out,
                 struct firn_error **err);
void unsealer_free(struct unsealer *unsealer);
/* sealed has sealed_length bytes (at least CRYPT_OVERHEAD, else CORRUPT); out gets sealed_length -
 * CRYPT_OVERHEAD. -1 with CORRUPT if the tag does not fit; out is then wiped. */
int unsealer_open(struct unsealer *unsealer, const void *aad, size_t aad_length, const void *sealed,
                  size_t sealed_length, void *out, struct firn_error **err);

/* ---- fingerprints: HMAC-SHA-256 under a key derived per kind of chunk; one per thread */
int fingerprinter_new(const uint8_t key[FORMAT_KEY_LENGTH], struct fingerprinter **out,
                      struct firn_error **err);
void fingerprinter_free(struct fingerprinter *fingerprinter);
/* The HMAC of the kind's one-byte label followed by data. */
int fingerprinter_make(struct fingerprinter *fingerprinter, enum format_chunk kind,
                       const void *data, size_t length, uint8_t out[FORMAT_FINGERPRINT_LENGTH],
                       struct firn_error **err);

/* Stream digests: SHA-256 (and SHA-512) as OCI spells them, "sha256:HEX". */
struct digester;
int digester_new(const char *algorithm, struct digester **out,
                 struct firn_error **err); /* "sha256", "sha512"; else INVALID */
/* The digester that can prove such a digest: of the algorithm in front of the colon. INVALID. */
int digester_new_for(const char *digest, struct digester **out, struct firn_error **err);
void digester_free(struct digester *digester);
int digester_update(struct digester *digester, const void *data, size_t length,
                    struct firn_error **err);
/* "ALGORITHM:HEX" as a new string. Ends the digester's work. */
int digester_finish(struct digester *digester, char **out, struct firn_error **err);

/* CRC-32C (Castagnoli) of data, continued from crc (0 at the start). */
uint32_t crypt_crc32c(uint32_t crc, const void *data, size_t length);

#endif
