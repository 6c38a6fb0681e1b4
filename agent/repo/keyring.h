/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyring of a repository, from which every other key is derived.
 *
 *     index key   maps, trailers, snapshot bodies, fingerprints: what a writer needs to deduplicate
 *     data key    contents
 *     reader pair ECDH P-384: a write-only writer has the index key and the public half; it makes a key for each pack by an
 *                 ephemeral agreement with the reader's public key, and can read no contents, its own included
 *
 * Derivations are HKDF-SHA-256 with the info "LABEL REPOSITORY" (hex), so that no key serves two
 * purposes or repositories:
 *
 *     firn pack data v1           data key          contents of a pack               salt of the keying
 *     firn pack data agreed v1    agreement         the same, of a write-only writer  salt of the keying; see agree.h
 *     firn pack meta v1           index key         maps of a pack, a snapshot       salt of the keying
 *     firn trailer v1             index key         trailer of a pack                salt of the keying
 *     firn fingerprint v1         index key         HMAC key of fingerprints         zeros
 *
 * Thread-safe, once it is made.
 */
#ifndef REPO_KEYRING_H
#define REPO_KEYRING_H

#include "format.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;

struct keyring {
    uint8_t repository[FORMAT_ID_LENGTH]; /* bound into every derivation and wrapping */
    uint8_t index_key[FORMAT_KEY_LENGTH];
    uint8_t data_key[FORMAT_KEY_LENGTH]; /* zero without can_read */
    bool can_read;                       /* the role is full */
    EVP_PKEY *reader_public;
    EVP_PKEY *reader_private; /* NULL without can_read */
};

int keyring_generate(const uint8_t repository[FORMAT_ID_LENGTH], struct keyring *out,
                     struct firn_error **err);
void keyring_wipe(
    struct keyring *keyring); /* all zero afterwards; what is all zero already is fine */

/* What a slot seals:  u8 version = 1 | u8 role (1 full, 2 write-only) | u16 zero | repository (16)
 * | index key (32) | reader's point (97)  and, if full,  data key (32) | reader's scalar (48). */
#define KEYRING_WRITE_ONLY_LENGTH 149u
#define KEYRING_FULL_LENGTH       229u
/* The part of the keyring that its slot's role shows; *length gets one of the two. Wipe it. */
int keyring_encode(const struct keyring *keyring, bool full, uint8_t out[KEYRING_FULL_LENGTH],
                   size_t *length, struct firn_error **err);
/* CORRUPT: not a keyring, or of another repository. */
int keyring_decode(const uint8_t *data, size_t length, const uint8_t repository[FORMAT_ID_LENGTH],
                   struct keyring *out, struct firn_error **err);

/* ---- keys of packs and snapshots */

/* What a pack's or snapshot's header says of its key, kept in the clear: u8 kind (1 derived, 2
 * agreed) | zero (7) | salt (32) | ephemeral point (97, of kind 2; else zero) | zero (23). */
#define FORMAT_KEYING_LENGTH 160u

/* A fresh key for contents of the class: the keying for the header and the key itself. Class
 * FORMAT_META: HKDF of the index key. Class FORMAT_DATA: HKDF of the data key, or, for a write-only
 * keyring, of an ECDH agreement with reader_public. */
int keyring_new_key(const struct keyring *keyring, enum format_class class,
                    uint8_t keying[FORMAT_KEYING_LENGTH], uint8_t key[FORMAT_KEY_LENGTH],
                    struct firn_error **err);
/* The key that a keying stands for. DENIED: this keyring is write-only. CORRUPT: not a keying. */
int keyring_key(const struct keyring *keyring, enum format_class class,
                const uint8_t keying[FORMAT_KEYING_LENGTH], uint8_t key[FORMAT_KEY_LENGTH],
                struct firn_error **err);
/* The key of the trailer that goes with this keying (HKDF of the index key and the keying's salt), and of fingerprints. */
int keyring_trailer_key(const struct keyring *keyring, const uint8_t keying[FORMAT_KEYING_LENGTH],
                        uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err);
int keyring_fingerprint_key(const struct keyring *keyring, uint8_t key[FORMAT_KEY_LENGTH],
                            struct firn_error **err);

#endif
