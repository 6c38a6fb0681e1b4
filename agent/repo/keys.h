/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: the slots of a repository, keys/ID, that each hold a sealed copy of its keyring
 * (keyring.h).
 *
 * A slot is opened by a key file, a passphrase (PBKDF2, 600,000 rounds), or a private key (the slot
 * was sealed for its public half: EC P-384 or P-256, or RSA of 2048 bits and more). Its role is
 * full (whole keyring) or write-only (index key and the reader's public half). What a slot says in
 * the clear is authenticated by its seal.
 */
#ifndef REPO_KEYS_H
#define REPO_KEYS_H

#include "format.h"
#include "keyring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct store;
struct buf;

enum key_kind { KEY_FILE = 1, KEY_PASSPHRASE, KEY_PUBLIC };
enum key_role { KEY_FULL = 1, KEY_WRITE_ONLY };

/* What a user presents. For KEY_FILE the contents of the file; for KEY_PASSPHRASE its bytes; for
 * KEY_PUBLIC a PEM: the private key to open a slot, the public key to make one. Borrowed. */
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
    bool current; /* for the caller to set: the one that its keyring was opened with */
};

/* The text of a new key file: one line "firn-key-1 BASE64" and a newline. */
void key_file_generate(struct buf *out);
/* The key in the text of a key file. -1 with INVALID if it is anything else. */
int key_file_parse(const void *text, size_t length, uint8_t key[FORMAT_KEY_LENGTH],
                   struct firn_error **err);

#define KEY_SLOTS_MOST 64u  /* a repository has no more slots: bounds what opening it can cost */
#define KEY_LABEL_MOST 200u /* bytes */

/* Adds a slot (keys/ID). A write-only keyring can add write-only slots only (DENIED). id_out gets the new id. */
int key_slot_add(struct store *store, const struct keyring *keyring,
                 const struct key_credential *credential, enum key_role role, const char *label,
                 char id_out[FORMAT_ID_TEXT], struct firn_error **err);
/* Tries the credential on every slot of its kind. -1 with DENIED if none opens ("wrong key file
 * …"), NOTFOUND if there are no slots at all, CORRUPT if a slot is not one. *slot_id (may be NULL)
 * gets the id of the slot that opened. */
int keyring_open(struct store *store, const uint8_t repository[FORMAT_ID_LENGTH],
                 const struct key_credential *credential, struct keyring *out,
                 char slot_id[FORMAT_ID_TEXT], struct firn_error **err);
/* All slots of the repository, ordered by creation, none marked current. *out: count elements, free with key_slots_free(). */
int key_slots_list(struct store *store, struct key_slot **out, size_t *count,
                   struct firn_error **err);
void key_slots_free(struct key_slot *slots, size_t count);
/* Removes a slot by unique id prefix. Refuses the last full slot (CONFLICT). */
int key_slot_remove(struct store *store, const char *id_prefix, struct firn_error **err);

#endif
