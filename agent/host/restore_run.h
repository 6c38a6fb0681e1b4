/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One restore of a snapshot, or of one object of it, to a target through a plugin.
 */
#ifndef HOST_RESTORE_RUN_H
#define HOST_RESTORE_RUN_H

#include <stdbool.h>

struct firn_error;
struct plugin;
struct plugins;
struct progress;
struct repo;
struct restore_salvage;
struct settings;
struct snapshot;

struct restore_request {
    const struct snapshot *snapshot;
    const char *object; /* NULL: all */
    const char
        *target; /* a path, "SCHEME:REST", or a target that the snapshot's own plugin understands */
    const char *format; /* "raw", "qcow2", NULL */
    bool overwrite;
    bool dry_run;
    const struct restore_salvage *salvage; /* NULL: damage is an error */
};

struct restore_context {
    struct repo *repo; /* unlocked */
    struct plugins *plugins;
    const struct settings *settings;
    struct progress *progress;
};

/* Which plugin restores to a target, and what of the target it is given (borrowed from target):
 *   SCHEME:REST where a plugin has that target scheme      that plugin, REST
 *   SCHEME:REST otherwise, but not SCHEME://…              the plugin that made the snapshot, all of it
 *   anything else, a path or URI                           the plugin `image`, all of it */
int restore_plugin(struct plugins *plugins, const struct snapshot *snapshot, const char *target,
                   const struct plugin **plugin, const char **rest, struct firn_error **err);

int restore_run(const struct restore_context *context, const struct restore_request *request,
                struct firn_error **err);

#endif
