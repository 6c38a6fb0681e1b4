/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: one plugin opened for one operation on one item, and what the host lends it (struct firn_host): the log, progress,
 * parameters, HTTP, and the keeping of the reason when something fails. The lent functions are thread-safe; the functions
 * below belong to the thread that opened.
 */
#ifndef HOST_SERVICES_H
#define HOST_SERVICES_H

#include <stdbool.h>
#include <stddef.h>

struct firn_error;
struct plugin;
struct progress;
struct services;
struct settings;

struct services_options {
    const struct plugin *plugin;
    const struct settings *settings;
    struct progress *progress;
    const char *run_id; /* for the log; may be NULL */
    const char *item;
};

/* Checks the plugin's settings, then opens the plugin. Everything in options is borrowed until services_close(). */
int services_open(const struct services_options *options, struct services **out,
                  struct firn_error **err);
void services_close(struct services *services); /* closes the plugin, too; NULL is fine */
void *services_handle(const struct services *services);

/* What a call into the plugin came to: 0, or -1 with the reason that was given. Values that the ABI does not know, a failure
 * without a reason, and a success in spite of a broken pipeline are errors as well. Forgets all reasons. */
int services_result(struct services *services, int returned, const char *function,
                    struct firn_error **err);

/* Keep why a call from the plugin into the host failed; both consume error and return -1.
 * broken: the operation cannot go on, whatever the plugin does. refused: the plugin may have another way. */
int services_broken_take(struct services *services, struct firn_error *error);
int services_refused_take(struct services *services, struct firn_error *error);
bool services_is_broken(struct services *services);

/* A copy of foreign text in which no byte can harm a terminal or break a line; NULL stays NULL. At most 1024 bytes. */
char *services_clean_text(const char *text);

#endif
