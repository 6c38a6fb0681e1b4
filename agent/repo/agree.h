/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key agreement: ECDH with a fresh pair of the sender's, so that the holder of a private key, and
 * nobody else, can make the same key. Curves P-384 (the repository's reader pair) and P-256
 * (allowed for the keys that users bring). Points travel uncompressed: 4 | x | y.
 *
 *     key = HKDF-SHA-256(secret = x of the shared point, salt, info = "LABEL REPOSITORY EPHEMERAL RECIPIENT")
 *
 * where the last three are in hex. So a key is bound to what it is for and to both public points.
 */
#ifndef REPO_AGREE_H
#define REPO_AGREE_H

#include "format.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;

#define AGREE_POINT_LENGTH  97u /* of P-384; of P-256: 65 */
#define AGREE_SCALAR_LENGTH 48u /* of P-384 */

struct agree_point {
    uint8_t bytes[AGREE_POINT_LENGTH];
    size_t length;
};

/* What both sides know. Borrowed. */
struct agree_terms {
    const char *label;
    const uint8_t *repository; /* FORMAT_ID_LENGTH */
    const uint8_t *salt;       /* FORMAT_SALT_LENGTH */
};

/* A new P-384 pair. */
int agree_generate(EVP_PKEY **out, struct firn_error **err);
/* "P-384" or "P-256"; NULL for any other key. Static. */
const char *agree_curve(const EVP_PKEY *key);
int agree_point_of(EVP_PKEY *key, struct agree_point *out, struct firn_error **err);
/* The private scalar of a P-384 pair, big-endian. */
int agree_scalar_of(const EVP_PKEY *key, uint8_t out[AGREE_SCALAR_LENGTH], struct firn_error **err);
/* A key of a curve from its point and, unless NULL, its scalar (P-384 only). CORRUPT: no point of the curve. */
int agree_import(const char *curve, const struct agree_point *point, const uint8_t *scalar,
                 EVP_PKEY **out, struct firn_error **err);

/* The sender's side: a fresh pair on the recipient's curve, whose point goes to the recipient. */
int agree_send(EVP_PKEY *recipient, const struct agree_terms *terms, struct agree_point *ephemeral,
               uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
/* The recipient's. CORRUPT: the point is none of its curve. */
int agree_receive(EVP_PKEY *own, const struct agree_terms *terms,
                  const struct agree_point *ephemeral, uint8_t key[FORMAT_KEY_LENGTH],
                  struct firn_error **err);

#endif
