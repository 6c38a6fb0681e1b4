/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One backup run of one SOURCE: choose the parent, let the plugin capture, commit, settle.
 */
#ifndef HOST_BACKUP_RUN_H
#define HOST_BACKUP_RUN_H

#include <firn/plugin.h>

#include "repo/capture.h"

#include <stdbool.h>
#include <stddef.h>

struct firn_error;
struct index;
struct plugin;
struct plugins;
struct progress;
struct repo;
struct settings;
struct snapshot;

struct backup_request {
    const char *source; /* "PLUGIN:REFERENCE" */
    const char *
        parent; /* NULL: the latest snapshot of the same item; "none": a full; else a snapshot as snapshot_resolve()
                           takes it, which must be of the same plugin */
    const struct firn_range
        *changed; /* what changed since the parent, in rising order; NULL: not told */
    size_t changed_count;
    const char *const *tags;
    size_t tag_count;
    enum firn_consistency_mode consistency;
    struct capture_options capture;
    const char *run_id;
};

struct backup_context {
    struct repo *repo; /* unlocked */
    struct index *index;
    struct plugins *plugins;
    const struct settings *settings;
    struct progress *progress;
};

/* *out: the snapshot that was committed, the caller's. Errors are those of the plugin and the repository; NOTFOUND, INVALID
 * also for a source or parent that does not exist. On error nothing was committed. */
int backup_run(const struct backup_context *context, const struct backup_request *request,
               struct snapshot **out, struct firn_error **err);

/* Takes SOURCE apart: the plugin is loaded, *reference is a new string. A relative path, for a plugin that deals in paths,
 * is made absolute (symbolic links stay), so that the item is the same from everywhere. */
int backup_source(struct plugins *plugins, const char *source, const struct plugin **plugin,
                  char **reference, struct firn_error **err);
/* Passes each item that SOURCE stands for to `each`: what the plugin lists, or SOURCE itself if it has no list(). */
int backup_list(struct plugins *plugins, const struct settings *settings, const char *source,
                firn_list_callback *each, void *context, struct firn_error **err);
/* A new run id: 16 hex digits. */
char *backup_run_id(void);

#endif
