/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: the keyring of a repository, and the slots that each hold a wrapped copy of it.
 *
 *     index key   maps, trailers, snapshot bodies, fingerprints: what a writer needs to deduplicate
 *     data key    contents
 *     reader pair ECDH P-384: a write-only writer has the index key and the public half; it makes a key for each pack by an
 *                 ephemeral agreement with the reader's public key, and can read no contents, its own included
 *
 * A slot is opened by a key file, a passphrase (PBKDF2, 600,000 rounds), or a private key (the slot was wrapped for its
 * public half). Its role is full (whole keyring) or write-only (index key and public half).
 */
#ifndef REPO_KEYS_H
#define REPO_KEYS_H

#include "format.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct store;
struct buf;
struct json_object;

struct keyring {
    uint8_t repository[FORMAT_ID_LENGTH]; /* bound into every derivation and wrapping */
    uint8_t index_key[FORMAT_KEY_LENGTH];
    uint8_t data_key[FORMAT_KEY_LENGTH]; /* zero without can_read */
    bool can_read;                       /* the role is full */
    EVP_PKEY *reader_public;
    EVP_PKEY *reader_private; /* NULL without can_read */
};

enum key_kind { KEY_FILE = 1, KEY_PASSPHRASE, KEY_PUBLIC };
enum key_role { KEY_FULL = 1, KEY_WRITE_ONLY };

/* What a user presents. For KEY_FILE the contents of the file; for KEY_PASSPHRASE its bytes; for KEY_PUBLIC a PEM: the
 * private key to open a slot, the public key to make one. Borrowed. */
struct key_credential {
    enum key_kind kind;
    const void *secret;
    size_t length;
};

struct key_slot {
    char id[FORMAT_ID_TEXT];
    enum key_kind kind;
    enum key_role role;
    char *label;
    int64_t created;
    bool current; /* the one that keyring was opened with */
};

int keyring_generate(const uint8_t repository[FORMAT_ID_LENGTH], struct keyring *out, struct firn_error **err);
void keyring_wipe(struct keyring *keyring);

/* The text of a new key file: one line "firn-key-1 BASE64" and a newline. */
void key_file_generate(struct buf *out);

/* Adds a slot (keys/ID). A write-only keyring can add write-only slots only (DENIED). id_out gets the new id. */
int key_slot_add(struct store *store, const struct keyring *keyring, const struct key_credential *credential,
                 enum key_role role, const char *label, char id_out[FORMAT_ID_TEXT], struct firn_error **err);
/* Tries the credential on every slot of its kind. -1 with DENIED if none opens ("wrong key file …"), NOTFOUND if there are
 * no slots at all, CORRUPT if a slot is not one. *slot_id (may be NULL) gets the id of the slot that opened. */
int keyring_open(struct store *store, const uint8_t repository[FORMAT_ID_LENGTH],
                 const struct key_credential *credential, struct keyring *out, char slot_id[FORMAT_ID_TEXT],
                 struct firn_error **err);
/* All slots, ordered by creation. *out: count elements, free with key_slots_free(). */
int key_slots_list(struct store *store, struct key_slot **out, size_t *count, struct firn_error **err);
void key_slots_free(struct key_slot *slots, size_t count);
/* Removes a slot by unique id prefix. Refuses the last full slot (CONFLICT). */
int key_slot_remove(struct store *store, const char *id_prefix, struct firn_error **err);

/* ---- keys of packs and snapshots */

/* What a pack's or snapshot's header says of its key: kept in the clear, FORMAT_KEYING_LENGTH bytes. */
#define FORMAT_KEYING_LENGTH 160u

/* A fresh key for contents of the class: the keying for the header and the key itself. Class FORMAT_META: HKDF of the index
 * key. Class FORMAT_DATA: HKDF of the data key, or, for a write-only keyring, of an ECDH agreement with reader_public. */
int keyring_new_key(const struct keyring *keyring, enum format_class class, uint8_t keying[FORMAT_KEYING_LENGTH],
                    uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
/* The key that a keying stands for. DENIED: this keyring is write-only. CORRUPT: not a keying. */
int keyring_key(const struct keyring *keyring, enum format_class class, const uint8_t keying[FORMAT_KEYING_LENGTH],
                uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
/* The key of the trailer that goes with this keying (HKDF of the index key and the keying's salt), and of fingerprints. */
int keyring_trailer_key(const struct keyring *keyring, const uint8_t keying[FORMAT_KEYING_LENGTH],
                        uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
int keyring_fingerprint_key(const struct keyring *keyring, uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);

#endif
