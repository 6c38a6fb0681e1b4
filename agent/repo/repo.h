/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository: the object `config`, the keyring, and what the parts of the writer and the reader
 * share: the table of packs.
 */
#ifndef REPO_REPO_H
#define REPO_REPO_H

#include "format.h"
#include "keys.h"
#include "pack_table.h"
#include "store/lock.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct firn_error;

struct repo {
    struct store *store; /* borrowed */
    uint8_t id[FORMAT_ID_LENGTH];
    char id_text[FORMAT_ID_TEXT];
    int64_t created;
    struct store_abilities abilities; /* of the store, when the repository was made */
    struct lock_rule lock;            /* mode STORE_UNLOCKED: objects are not locked */
    struct protection *protection;    /* protection.h */
    int64_t as_of;          /* snapshots that the store got later are not seen; 0: all are */
    struct keyring keyring; /* all zero until unlocked */
    bool unlocked;
    char slot_id[FORMAT_ID_TEXT]; /* the slot that opened it */
    struct pack_table *packs;
    struct trailer_cache *trailers;   /* trailer_cache.h */
    struct gate *gate;                /* gate.h: what may be relied on */
    struct meta_shelf *meta;          /* meta.h: the meta packs that this process is writing */
    struct snapshot_cache *snapshots; /* snapshot_cache.h; NULL: none */
};

/* Where all objects of a repository lie: names, or prefixes that end in '/'. Ends with NULL. */
extern const char *const repo_places[];

/* What a new repository is to be. */
struct repo_options {
    const struct key_credential *credential; /* that opens it */
    const char *label;                       /* of the key */
    struct lock_rule lock;                   /* all zero: objects are not locked */
};

/* Makes a repository in an empty store: first the slot, then `config`, so that a crash leaves
 * nothing that looks like one. Finds out in between what the store can do. CONFLICT if there is one already; INVALID if
 * objects are to be locked, and the store cannot. */
int repo_init(struct store *store, const struct repo_options *options, struct repo **out,
              struct firn_error **err);
/* Reads `config`. NOTFOUND: no repository there. CORRUPT: not a config. INVALID: made by a newer Firn. */
int repo_open(struct store *store, struct repo **out, struct firn_error **err);
/* Opens the keyring. DENIED: wrong key. */
int repo_unlock(struct repo *repo, const struct key_credential *credential,
                struct firn_error **err);
/* Keeps copies of snapshots below that directory from now on; NULL: uses none any more. */
void repo_set_cache(struct repo *repo, const char *directory);
void repo_close(struct repo *repo); /* wipes keys; NULL is fine; the store stays open */

#endif
