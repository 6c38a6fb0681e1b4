/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: the parameters that the user gave to plugins, as text, and the types that they must have.
 */
#ifndef HOST_SETTINGS_H
#define HOST_SETTINGS_H

#include <firn/plugin.h>

#include <stdint.h>

struct firn_error;
struct json_object;
struct plugin;
struct settings;

struct settings *settings_new(void);
void settings_free(struct settings *settings); /* NULL is fine */

/* A later value replaces an earlier one. */
void settings_set(struct settings *settings, const char *plugin, const char *param,
                  const char *value);
/* "PLUGIN.PARAM=VALUE". INVALID. */
int settings_parse(struct settings *settings, const char *text, struct firn_error **err);
/* {"PLUGIN": {"PARAM": value, …}, …}, as in the section `plugins` of the configuration file. INVALID. */
int settings_read(struct settings *settings, struct json_object *json, struct firn_error **err);

/* Sets in `settings` everything that is set in `more`. */
void settings_merge(struct settings *settings, const struct settings *more);

/* Every setting for this plugin names one of its parameters and has its type: INVALID otherwise. */
int settings_check(const struct settings *settings, const struct plugin *plugin,
                   struct firn_error **err);
/* The value, or the parameter's default, or NULL. Borrowed. */
const char *settings_value(const struct settings *settings, const struct plugin *plugin,
                           const char *param);

/* Whether text has the type; *number (may be NULL) gets what it means as a number. INVALID. */
int setting_number(enum firn_param_type type, const char *text, int64_t *number,
                   struct firn_error **err);
const char *setting_type_name(
    enum firn_param_type type); /* "string", "size" …; NULL: there is no such type */

#endif
