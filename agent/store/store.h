/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store: named, immutable objects. Knows nothing of what they hold. Two exist: a local directory
 * (local.c) and S3.
 *
 * Names are relative paths of [a-z0-9./-], for example "packs/3f/3f9c…". An object is put whole: a
 * reader sees all of it or nothing, also after a crash of writer or machine. put and
 * store_writer_finish return only when the object is durable. A put never replaces an object: if
 * the name is taken it fails with CONFLICT (names are random, or derived from content).
 *
 * Where a server keeps versions, an object is its first version: names are never written twice, so
 * what came later, delete markers included, is not Firn's, and is neither read nor listed
 * (store_list_overlaid() finds it). Removing an object there removes all its versions.
 *
 * Every function may be called from any thread; a writer belongs to one thread at a time.
 *
 * Errors: NOTFOUND (no such object, no such store), CONFLICT (name taken), DENIED (credentials,
 * permissions), RETRY (the network, a busy server: the store has already retried), CORRUPT (shorter
 * than asked), INTERNAL (I/O; disk full says so).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct store;
struct store_writer;

struct store_entry {
    const char *name; /* borrowed for the call */
    uint64_t length;
    /* ms since 1970, the store's clock (the server's, the file system's): when the object was put. What store_put() put had its
     * name no later than this; until the put has returned it may say a time far ahead. */
    int64_t modified;
};
typedef int store_list_callback(void *context, const struct store_entry *entry,
                                struct firn_error **err);

/* How a store is used best: what tells a disk from a server that is far away. */
struct store_manner {
    size_t range; /* most bytes of one read, where so many are wanted one behind the other */
    size_t gap;   /* bytes between two that are wanted: rather read than left out by another read */
    unsigned readers; /* reads at once, at least; 0: one a core suffices */
    unsigned writers; /* large objects being finished at once, while another is written */
};

enum store_lock_mode {
    STORE_UNLOCKED = 0,
    STORE_GOVERNANCE, /* who has a right of its own may lift it */
    STORE_COMPLIANCE, /* nobody may */
};

/* What keeps an object from being removed. */
struct store_lock {
    enum store_lock_mode mode;
    int64_t until; /* ms since 1970 by the server's clock; 0 if not locked */
    bool held;     /* also under a legal hold, which has no end */
};

struct lock_rule;

/* What a server does with If-None-Match: * where the object is there. */
enum store_condition { STORE_CONDITION_KEPT = 1, STORE_CONDITION_IGNORED, STORE_CONDITION_REFUSED };

/* What the store can do, found out by trying. */
struct store_abilities {
    enum store_condition condition;
    bool versions;                     /* what is overwritten or deleted stays, as a version */
    bool locks;                        /* Object Lock is enabled */
    enum store_lock_mode default_mode; /* of what is put without a lock: the bucket's */
    int64_t default_period;            /* ms; 0: none */
};

/* An object whose first version is not what others see. */
struct store_overlaid {
    const char *name; /* borrowed for the call */
    bool hidden;      /* by a delete marker; else overwritten */
    int64_t when;     /* ms since 1970: of the version or marker that is on top */
};
typedef int store_overlaid_callback(void *context, const struct store_overlaid *object,
                                    struct firn_error **err);

struct store_operations {
    struct store_manner manner;
    int (*put)(struct store *store, const char *name, const void *data, size_t length,
               struct firn_error **err);
    int (*writer_open)(struct store *store, const char *name, struct store_writer **out,
                       struct firn_error **err);
    int (*get)(struct store *store, const char *name, uint64_t offset, void *data, size_t length,
               struct firn_error **err);
    int (*stat)(struct store *store, const char *name, uint64_t *length, int64_t *modified,
                struct firn_error **err);
    int (*list)(struct store *store, const char *prefix, store_list_callback *each, void *context,
                struct firn_error **err);
    int (*remove)(struct store *store, const char *name, struct firn_error **err);
    int (*now)(struct store *store, int64_t *now, struct firn_error **err);
    void (*close)(struct store *store);
    /* NULL where there are no versions and no locks */
    int (*list_overlaid)(struct store *store, const char *prefix, store_overlaid_callback *each,
                         void *context, struct firn_error **err);
    int (*uncover)(struct store *store, const char *name, struct firn_error **err);
    int (*probe)(struct store *store, const char *name, struct store_abilities *out,
                 struct firn_error **err);
    int (*can_lock)(struct store *store, struct firn_error **err);
    void (*set_lock_rule)(struct store *store, const struct lock_rule *rule, int64_t since);
    int (*lock_read)(struct store *store, const char *name, struct store_lock *out,
                     struct firn_error **err);
    int (*lock_extend)(struct store *store, const char *name, enum store_lock_mode mode,
                       int64_t until, struct firn_error **err);
    int (*hold)(struct store *store, const char *name, struct firn_error **err);
    int (*release)(struct store *store, const char *name, struct firn_error **err);
};

/* Implementations put this first in their own structure. */
struct store {
    const struct store_operations *operations;
    char *location; /* as the user wrote it, for messages */
};

struct store_writer {
    int (*write)(struct store_writer *writer, const void *data, size_t length,
                 struct firn_error **err);
    int (*finish)(struct store_writer *writer, struct firn_error **err);
    void (*abort)(struct store_writer *writer);
};

/* Opens REPO: a directory path or file://…; s3://host/bucket/prefix. create: a directory that is not there is made. */
int store_open(const char *location, struct store **out, struct firn_error **err);
int store_create(const char *location, struct store **out, struct firn_error **err);
void store_close(struct store *store); /* NULL is fine */

int store_put(struct store *store, const char *name, const void *data, size_t length,
              struct firn_error **err);
/* A large object written piece by piece. data of store_write is best aligned to 4096 and a multiple
 * of it long: then the local store writes around the page cache. */
int store_writer_open(struct store *store, const char *name, struct store_writer **out,
                      struct firn_error **err);
int store_write(struct store_writer *writer, const void *data, size_t length,
                struct firn_error **err);
int store_writer_finish(struct store_writer *writer,
                        struct firn_error **err);     /* durable; frees the writer, also on error */
void store_writer_abort(struct store_writer *writer); /* nothing stays; frees it; NULL is fine */
/* Exactly length bytes at offset into data. data aligned to 4096 lets the local store read around the page cache. */
int store_get(struct store *store, const char *name, uint64_t offset, void *data, size_t length,
              struct firn_error **err);
/* modified (as in store_entry) may be NULL. */
int store_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
               struct firn_error **err);
/* Every object whose name begins with prefix (which is "" or ends in '/'), in no order. A
 * callback's -1 stops it. What is not named or made like an object (a link, a pipe, a foreign file)
 * is left out. */
int store_list(struct store *store, const char *prefix, store_list_callback *each, void *context,
               struct firn_error **err);
/* DENIED also if it is locked or held: the message says until when. */
int store_remove(struct store *store, const char *name, struct firn_error **err);
/* What `modified` of an object that is put now would say: the clock by which the store's times are compared, whatever this
 * machine's says. A directory must be writable for it: DENIED. */
int store_now(struct store *store, int64_t *now, struct firn_error **err);
const char *store_location(const struct store *store);
const struct store_manner *store_manner(const struct store *store);

/* ---- Versions. A store without them has no overlaid objects. */
/* Every object with that prefix (as for store_list(), or the whole name of one) that others do not see as it was first
 * written. */
int store_list_overlaid(struct store *store, const char *prefix, store_overlaid_callback *each,
                        void *context, struct firn_error **err);
/* Makes the first version the one that others see, too: takes away what lies over it, or, without the right to remove
 * versions, puts a copy of it on top. */
int store_uncover(struct store *store, const char *name, struct firn_error **err);

/* ---- Locks. A store without them fails with INVALID, except that store_lock_read() says that nothing is locked. */
/* Finds out what the store can do. Writes the object `name`, which exists, a second time with the same bytes: a server
 * that ignores conditions shows itself, and nothing more is left behind. */
int store_probe(struct store *store, const char *name, struct store_abilities *out,
                struct firn_error **err);
/* INVALID, saying what is missing, where locks are known not to work. Writes nothing; 0 may still prove wrong. */
int store_can_lock(struct store *store, struct firn_error **err);
/* From now on, every object that is put is locked by this rule (lock.h) as if it were put at `since`; 0: as of when it is
 * put. While no other thread uses the store. */
void store_set_lock_rule(struct store *store, const struct lock_rule *rule, int64_t since);
/* What the server says. DENIED if it may not be asked. */
int store_lock_read(struct store *store, const char *name, struct store_lock *out,
                    struct firn_error **err);
/* Locks until that moment (whole seconds). DENIED: no right to, or it is locked for longer already. */
int store_lock_extend(struct store *store, const char *name, enum store_lock_mode mode,
                      int64_t until, struct firn_error **err);
/* A legal hold: while it lasts the object cannot be removed. */
int store_hold(struct store *store, const char *name, struct firn_error **err);
int store_release(struct store *store, const char *name, struct firn_error **err);
/* "compliance", "governance", "none"; and back, whatever the case: STORE_UNLOCKED for all else. */
const char *store_lock_mode_name(enum store_lock_mode mode);
enum store_lock_mode store_lock_mode_parse(const char *text);

#define STORE_NAME_MAX 255u
/* Whether name may be an object's: [a-z0-9./-], at most STORE_NAME_MAX, every part begins with a letter or digit. */
bool store_name_valid(const char *name);

#endif
