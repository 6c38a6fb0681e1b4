/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listing: what the store lists as snapshots, and reading them, several at once, since a store may
 * be far away.
 */
#ifndef REPO_SNAPSHOT_LISTING_H
#define REPO_SNAPSHOT_LISTING_H

#include "snapshot.h"

struct firn_error;
struct repo;
struct snapshot_entry;

struct snapshot_listing {
    struct snapshot_entry *entries; /* sorted by id */
    size_t count;
    struct snapshot **snapshots; /* by entry, once read; NULL: could not be */
    struct firn_error **why;     /* by entry; NULL: read */
};

#define auto_listing __attribute__((cleanup(snapshot_listing_free)))
void snapshot_listing_free(struct snapshot_listing *listing); /* also snapshots that nobody took */

/* Which snapshots there are, whose id begins with these hex digits. */
int snapshot_listing_open(struct repo *repo, const char *prefix, struct snapshot_listing *out,
                          struct firn_error **err);
/* Reads all of them, from the cache or the store. -1 if the store could not be read: NOTFOUND and CORRUPT are kept by entry. */
int snapshot_listing_read(struct repo *repo, struct snapshot_listing *listing,
                          struct firn_error **err);

#endif
