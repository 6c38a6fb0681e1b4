/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: what the verbs print, as JSON. The names of the members are part of the command line's contract (docs/cli.md): they
 * are written with underscores, bytes are numbers, durations end in _ms, moments are RFC 3339 in UTC.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include <stdint.h>

struct json_object;
struct snapshot;
struct snapshot_object;

/* All that a snapshot says of itself; without its objects and its plugin's state. */
struct json_object *record_snapshot(const struct snapshot *snapshot);
struct json_object *record_object(const struct snapshot_object *object);
struct json_object *record_objects(const struct snapshot *snapshot);
void record_time(struct json_object *record, const char *name, int64_t time);

/* What the repository's store can do, and how long what is in it is locked. */
struct repo;
void record_store(struct json_object *record, const struct repo *repo);

#endif
