/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source: struct firn_source of the plugin ABI on top of a snapshot. next_extent() may be called from several threads.
 */
#ifndef HOST_SOURCE_H
#define HOST_SOURCE_H

#include <firn/plugin.h>

struct repo;
struct restore_salvage;
struct services;
struct snapshot;
struct source;

/* Everything is borrowed until source_free(). salvage: NULL: damage is an error (restore.h). */
struct source *source_new(struct repo *repo, const struct snapshot *snapshot,
                          const struct restore_salvage *salvage, struct services *services);
void source_free(struct source *source); /* closes what the plugin left open; NULL is fine */
struct firn_source *source_interface(struct source *source);

#endif
