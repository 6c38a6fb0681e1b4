/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of collection, by which collectors and writers agree on which packs go (docs/collection.md):
 *
 *     condemned/ID    packs that nothing relied on, and after how long they may go
 *     removed/ID      the verdict over condemned/ID: those of them that go. Written before the first is removed
 *     finished/ID     all of them are gone
 *
 * Records are in the clear, and proven by a CRC only: whoever reads one believes no more of it than that somebody may act on
 * it. Times are the store's.
 */
#ifndef REPO_COLLECTION_H
#define REPO_COLLECTION_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;
struct repo;

/* The protocol's times, in ms. All that compares them is in gate.c and collect.c. */
#define COLLECTION_WINDOW                                                                          \
    INT64_C(600000) /* from a writer's last look at the records to its commit */
#define COLLECTION_MARGIN      INT64_C(7200000) /* for a store's lag, and clocks that jump */
#define COLLECTION_GRACE_LEAST (COLLECTION_WINDOW + COLLECTION_MARGIN)
#define COLLECTION_GRACE       INT64_C(86400000) /* 24 h */
#define COLLECTION_SESSION                                                                         \
    INT64_C(604800000) /* 7 d: a longer one looks whether all that it uses is there */
#define COLLECTION_VERDICT                                                                         \
    INT64_C(86400000) /* from a collector's look at the roots to its verdict */
#define COLLECTION_TOMBSTONE (COLLECTION_SESSION + INT64_C(86400000))

enum collection_kind {
    COLLECTION_CONDEMNED = 1,
    COLLECTION_REMOVED = 2,
    COLLECTION_FINISHED = 3,
};
#define COLLECTION_KINDS     4u
#define COLLECTION_PACKS_MAX (1u << 20) /* in one record */

struct collection_record {
    uint8_t id[FORMAT_ID_LENGTH];
    enum collection_kind kind;
    int64_t
        limit; /* condemned: the grace, ms; removed: the latest time that the verdict may bear; finished: 0 */
    const uint8_t (*packs)[FORMAT_ID_LENGTH]; /* rising */
    size_t count;
};

/* The bytes of a record; at most COLLECTION_PACKS_MAX packs. */
void collection_encode(const uint8_t repository[FORMAT_ID_LENGTH],
                       const struct collection_record *record, struct buf *out);
/* What they say; packs point into them. id and kind are those of the name that it was found under. CORRUPT, INVALID. */
int collection_decode(const uint8_t repository[FORMAT_ID_LENGTH], const struct buf *bytes,
                      struct collection_record *record, struct firn_error **err);

/* CONFLICT if there is one already. */
int collection_put(struct repo *repo, const struct collection_record *record,
                   struct firn_error **err);
/* The record of that name; bytes, which is empty, keeps its packs. NOTFOUND, CORRUPT. */
int collection_read(struct repo *repo, enum collection_kind kind,
                    const uint8_t id[FORMAT_ID_LENGTH], struct buf *bytes,
                    struct collection_record *out, struct firn_error **err);
/* That there is none is no error. */
int collection_remove(struct repo *repo, enum collection_kind kind,
                      const uint8_t id[FORMAT_ID_LENGTH], struct firn_error **err);
/* The order of packs in a record: compares two ids. */
int collection_by_id(const void *a, const void *b);
/* Whether the record names the pack. */
bool collection_names(const struct collection_record *record, const uint8_t pack[FORMAT_ID_LENGTH]);
/* "condemned/3f9c…" */
#define COLLECTION_NAME_LENGTH (10 + FORMAT_ID_TEXT)
void collection_name(enum collection_kind kind, const uint8_t id[FORMAT_ID_LENGTH],
                     char out[COLLECTION_NAME_LENGTH]);

/* A round, by its records. */
struct collection_entry {
    uint8_t id[FORMAT_ID_LENGTH];
    int64_t modified[COLLECTION_KINDS]; /* by kind: when its record was put; 0: there is none */
};

struct collection_list {
    struct collection_entry *entries; /* sorted by id */
    size_t count;
};

/* The records of all kinds through that one. Those of a kind are listed after those of the kind before: a verdict is there before what it is over goes, so a
 * round never looks as if it had neither. */
int collection_list(struct repo *repo, enum collection_kind through, struct collection_list *out,
                    struct firn_error **err);
void collection_list_free(struct collection_list *list);
#define auto_collection_list __attribute__((cleanup(collection_list_free)))

/* Puts a verdict that removes nothing. One that is there already stays. */
int collection_pardon(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], int64_t now,
                      struct firn_error **err);

#endif
