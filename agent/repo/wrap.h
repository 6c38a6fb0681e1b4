/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrapping: how the key that seals a slot comes out of what a user presents. What is needed for it
 * besides the secret is kept in the slot in the clear:
 *
 *     file         HKDF(key in the file,               salt, "firn slot file v1 REPOSITORY")
 *     passphrase   HKDF(PBKDF2(passphrase, salt, rounds), salt, "firn slot passphrase v1 REPOSITORY")
 *     public       ecdh-p384, ecdh-p256: agree.h, label "firn slot agreed v1"; wrapped: the ephemeral point
 *                  rsa-oaep-sha256: HKDF(32 random bytes, salt, "firn slot rsa v1 REPOSITORY"); wrapped: them, encrypted
 */
#ifndef REPO_WRAP_H
#define REPO_WRAP_H

#include "keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct json_object;

#define WRAP_ROUNDS 600000u /* of PBKDF2, for new slots */
#define WRAP_ROUNDS_LEAST                                                                          \
    10000u /* what a reader takes from a slot: a hostile one must not hang it, nor weaken a key */
#define WRAP_ROUNDS_MOST 10000000u
#define WRAP_MOST        1024u /* bytes: RSA of 8192 bits */

enum wrap_exchange { WRAP_NONE, WRAP_ECDH_P384, WRAP_ECDH_P256, WRAP_RSA_OAEP };

struct wrap {
    enum key_kind kind;
    uint8_t salt[FORMAT_SALT_LENGTH];
    uint32_t rounds;             /* of a passphrase; else 0 */
    enum wrap_exchange exchange; /* of a public key */
    uint8_t wrapped[WRAP_MOST];  /* of a public key */
    size_t wrapped_length;
};

/* A fresh wrapping for the credential, and the key. INVALID: the credential is no good. */
int wrap_make(const uint8_t repository[FORMAT_ID_LENGTH], const struct key_credential *credential,
              struct wrap *out, uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
/* The key again. DENIED: certainly not this credential's. A wrong secret may also give a wrong key,
 * which the seal shows. INVALID: the credential is no good. CORRUPT: the wrapping is none. */
int wrap_open(const uint8_t repository[FORMAT_ID_LENGTH], const struct key_credential *credential,
              const struct wrap *wrap, uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);

/* As members of a slot: kind, salt, rounds, exchange, wrapped. Reading checks everything: CORRUPT. */
void wrap_to_json(const struct wrap *wrap, struct json_object *slot);
int wrap_from_json(struct json_object *slot, struct wrap *out, struct firn_error **err);

#endif
