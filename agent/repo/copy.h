/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying snapshots to another repository, under its key.
 *
 *     source: maps → what differs from a snapshot that was copied before → frames ──▶ capture → target
 *
 * A copy says of which snapshot it is one (its origin), and so does a copy of a copy: by that the
 * target knows what it holds. A volume is compared with that of an earlier snapshot of the same item
 * that both repositories hold, so that only changed places are read; streams are looked for by their
 * digests; all else is read and deduplicated by the target's own fingerprints. The snapshot is the
 * last that is written: whatever ends a copy early leaves packs, which the next attempt finds.
 *
 * One thread.
 */
#ifndef REPO_COPY_H
#define REPO_COPY_H

#include "capture.h"
#include "format.h"
#include "snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copy;
struct firn_error;
struct index;
struct repo;

/* Bytes of objects that have been dealt with, of all those of the snapshots begun. */
typedef void copy_progress(void *context, uint64_t total, uint64_t done);

struct copy_options {
    struct capture_options capture;
    copy_progress *progress;   /* NULL: none */
    snapshot_damaged *damaged; /* told of snapshots of the source that cannot be read; not NULL */
    void *context;
};

/* Both repositories are unlocked, index is that of the target; all are borrowed. INVALID: both are the same one.
 * DENIED: the source's key cannot read. */
int copy_open(struct repo *source, struct repo *target, struct index *index,
              const struct copy_options *options, struct copy **out, struct firn_error **err);
void copy_close(struct copy *copy); /* NULL is fine */

/* What the source holds, oldest first. Borrowed. */
struct snapshot *const *copy_snapshots(const struct copy *copy, size_t *count);

struct copy_outcome {
    bool held;               /* the target holds it already; nothing was done */
    char id[FORMAT_ID_TEXT]; /* in the target, "" if nothing was written */
    uint64_t bytes_total;
    uint64_t bytes_read; /* from the source */
    uint64_t bytes_new;  /* of them, not held by the target; before compression */
    uint64_t bytes_stored;
};

/* CORRUPT: the snapshot cannot be copied, as the source is damaged; others may be. */
int copy_snapshot(struct copy *copy, const struct snapshot *snapshot, struct copy_outcome *out,
                  struct firn_error **err);
/* What copy_snapshot() would read. Reads maps only, writes nothing. */
int copy_measure(struct copy *copy, const struct snapshot *snapshot, struct copy_outcome *out,
                 struct firn_error **err);

#endif
