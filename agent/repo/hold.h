/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Legal holds: a snapshot that is held stays, with all that it relies on, until it is released.
 *
 *     with Object Lock    the server's legal hold on the snapshot, and on every object that it relies on: nobody without the
 *                         right to lift it removes them, whatever program he uses. The hold of the snapshot's own object says
 *                         that it is held: it is put on last, and taken off first.
 *     without             an object holds/SNAPSHOT. Firn removes no snapshot that has one; that is all.
 *
 * Collectors need to know nothing of it: a snapshot that is not forgotten keeps what it relies on.
 */
#ifndef REPO_HOLD_H
#define REPO_HOLD_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct firn_error;
struct repo;
struct snapshot;

/* Both can be repeated, also when one was interrupted. */
int hold_set(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err);
/* What other held snapshots rely on stays held. */
int hold_release(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err);
/* held[i]: whether snapshots[i] is held. */
int hold_list(struct repo *repo, struct snapshot *const *snapshots, size_t count, bool *held,
              struct firn_error **err);
/* What stands against removing the snapshot of that id: until is 0 if its lock has ended. */
int hold_read(struct repo *repo, const char *snapshot_id, struct store_lock *out,
              struct firn_error **err);
/* DENIED, saying what, if anything stands against removing the snapshot. */
int hold_check(struct repo *repo, const char *snapshot_id, struct firn_error **err);

#endif
