/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins: found, loaded, checked. A plugin is loaded when it is first asked for, and stays until the process ends.
 *
 * Looked for in: the path given (--plugin-path), $FIRN_PLUGIN_PATH, the directory `plugins` beside the program, and
 * FIRN_PLUGIN_DIRECTORY, in this order; paths are lists with ':'.
 *
 * One thread at a time.
 */
#ifndef HOST_PLUGIN_H
#define HOST_PLUGIN_H

#include <firn/plugin.h>

#include <stdbool.h>
#include <stddef.h>

struct firn_error;
struct plugins;

struct plugin {
    char *name;
    char *path;
    struct firn_plugin
        api; /* checked: the required members are there; what the plugin does not have is zero */
    size_t param_count;
};

/* path: directories with ':' between, or NULL. Nothing is loaded yet. */
struct plugins *plugins_new(const char *path);
void plugins_free(struct plugins *plugins); /* NULL is fine */

/* The plugin of that name. NOTFOUND says where it was looked for and suggests a near name; INVALID: what is there is not a
 * plugin for this Firn. *out is borrowed from plugins. */
int plugins_load(struct plugins *plugins, const char *name, const struct plugin **out,
                 struct firn_error **err);
/* The names of all plugins that can be found, sorted; none is loaded. Free with plugins_names_free(). */
void plugins_names(struct plugins *plugins, char ***out, size_t *count);
void plugins_names_free(char **names, size_t count);
/* The plugin that restores to targets of this scheme, or NULL. Plugins that cannot be loaded are passed over. */
const struct plugin *plugins_for_target(struct plugins *plugins, const char *scheme);

/* [a-z][a-z0-9-]*, at most 64 letters. */
bool plugin_name_valid(const char *name, size_t length);
/* The parameter of that name, or NULL. */
const struct firn_param *plugin_param(const struct plugin *plugin, const char *name);

#endif
