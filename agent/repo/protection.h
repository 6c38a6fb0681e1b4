/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection, in a repository whose objects are locked: until when nothing that a snapshot relies on can be removed. A run
 * promises the period of the repository's rule, counted from its beginning, and keeps the promise before it commits:
 *
 *     protection_begin     what is put from now on is locked as of now; what the parent relies on is locked as it promises
 *     protection_extend    what the snapshot relies on and is not known to be locked for long enough is locked; then
 *                          the snapshot may say until when it is protected
 *
 * A snapshot that promises protection until U relies on objects only that are locked until the point of their grid (lock.h)
 * that is not before U. So the promise of the parent tells the locks of hundreds of thousands of packs, and only those are
 * asked for whose point has passed since: each once a generation. Nothing is kept on this machine.
 *
 * The promise is what the writer was told by the server. The proof is `firn check`, which asks the server about each object.
 */
#ifndef REPO_PROTECTION_H
#define REPO_PROTECTION_H

#include <stdint.h>

struct firn_error;
struct protection;
struct repo;
struct snapshot;

struct protection *protection_new(void);
void protection_free(struct protection *protection); /* NULL is fine */

/* Begins a run that builds on `parent` (NULL: on nothing). Nobody else uses the store meanwhile. Does nothing in a repository
 * without locks, as all of these. */
int protection_begin(struct repo *repo, const struct snapshot *parent, struct firn_error **err);
/* This run has written the pack: it is locked by the rule. */
void protection_note_written(struct repo *repo, uint32_t pack);
/* Extends what has to be extended, and fills in protected_until: less than was asked for, or 0, with a warning, if the
 * server denies it. Everything that the snapshot relies on is in the store. NOTFOUND: something is not. */
int protection_extend(struct repo *repo, struct snapshot *snapshot, struct firn_error **err);

/* Each pack that the snapshot relies on, each once: as stated in the clear, so without reading maps. CORRUPT: a pack that states
 * it is damaged or missing. */
typedef void protection_each(void *context, uint32_t pack);
int protection_packs(struct repo *repo, const struct snapshot *snapshot, protection_each *each,
                     void *context, struct firn_error **err);

#endif
