/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key slot, as the object keys/ID holds it: JSON in the clear, and the sealed keyring in it.
 * keys.h is what others use.
 *
 * Associated data of the seal: u8 FORMAT_SLOT | repository (16) | id of the slot (16) | u8 kind |
 * u8 role | u64 created (ms) | u32 rounds | label. What else the slot says (salt, exchange,
 * wrapped) the key depends on already.
 */
#ifndef REPO_SLOT_H
#define REPO_SLOT_H

#include "crypt.h"
#include "keys.h"
#include "wrap.h"

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct json_object;

#define SLOT_SEALED_MOST (KEYRING_FULL_LENGTH + CRYPT_OVERHEAD)

struct slot {
    uint8_t id[FORMAT_ID_LENGTH]; /* from the object's name */
    uint8_t repository[FORMAT_ID_LENGTH];
    enum key_role role;
    char label[KEY_LABEL_MOST + 1];
    int64_t created; /* ms since 1970 */
    struct wrap wrap;
    uint8_t sealed[SLOT_SEALED_MOST];
    size_t sealed_length;
};

struct json_object *slot_to_json(const struct slot *slot);
/* Everything but the id. CORRUPT. */
int slot_from_json(struct json_object *json, struct slot *out, struct firn_error **err);

/* Seals the part of the keyring that the slot's role shows. */
int slot_seal(struct slot *slot, const struct keyring *keyring,
              const uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
/* DENIED: the seal does not open under this key, for it is wrong or the slot was changed. CORRUPT: it opens on nonsense. */
int slot_unseal(const struct slot *slot, const uint8_t key[FORMAT_KEY_LENGTH], struct keyring *out,
                struct firn_error **err);

#endif
