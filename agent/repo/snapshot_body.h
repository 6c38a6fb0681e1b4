/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a snapshot as JSON (docs/repository-format.md, "Snapshots"), and what readers are
 * shown of it.
 */
#ifndef REPO_SNAPSHOT_BODY_H
#define REPO_SNAPSHOT_BODY_H

struct firn_error;
struct json_object;
struct repo;
struct snapshot;

/* Everything but the id. A new object. */
struct json_object *snapshot_body_write(struct repo *repo, const struct snapshot *snapshot);
/* Fills in a snapshot that has its id; checks everything (CORRUPT). */
int snapshot_body_read(struct repo *repo, struct json_object *json, struct snapshot *snapshot,
                       struct firn_error **err);

#endif
