/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "nearest.h"
#include "plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct setting {
    char *plugin;
    char *param;
    char *value;
};

struct settings {
    struct setting *list;
    size_t count;
};

struct settings *settings_new(void)
{
    return mem_zalloc(sizeof(struct settings));
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->list[i].plugin);
        free(settings->list[i].param);
        free(settings->list[i].value);
    }
    free(settings->list);
    free(settings);
}

static struct setting *find(const struct settings *settings, const char *plugin, const char *param)
{
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->list[i].plugin, plugin) == 0 &&
            strcmp(settings->list[i].param, param) == 0)
            return &settings->list[i];
    return NULL;
}

void settings_set(struct settings *settings, const char *plugin, const char *param,
                  const char *value)
{
    struct setting *setting = find(settings, plugin, param);
    if (setting != NULL) {
        free(setting->value);
        setting->value = mem_strdup(value);
        return;
    }
    settings->list = mem_resize(settings->list, settings->count + 1, sizeof(*settings->list));
    settings->list[settings->count++] =
        (struct setting){mem_strdup(plugin), mem_strdup(param), mem_strdup(value)};
}

void settings_merge(struct settings *settings, const struct settings *more)
{
    for (size_t i = 0; i < more->count; i++)
        settings_set(settings, more->list[i].plugin, more->list[i].param, more->list[i].value);
}

int settings_parse(struct settings *settings, const char *text, struct firn_error **err)
{
    const char *dot = strchr(text, '.');
    const char *equals = strchr(text, '=');
    if (dot == NULL || equals == NULL || equals < dot || dot == text || equals == dot + 1)
        return fail(err, FIRN_INVALID, "setting \"%s\": expected PLUGIN.PARAM=VALUE", text);
    auto_free char *plugin = mem_dup(text, (size_t)(dot - text));
    auto_free char *param = mem_dup(dot + 1, (size_t)(equals - dot - 1));
    settings_set(settings, plugin, param, equals + 1);
    return 0;
}

int settings_read(struct settings *settings, struct json_object *json, struct firn_error **err)
{
    if (!json_object_is_type(json, json_type_object))
        return fail(err, FIRN_INVALID, "plugins: expected a section for each plugin");
    json_object_object_foreach(json, plugin, section)
    {
        if (!json_object_is_type(section, json_type_object))
            return fail(err, FIRN_INVALID, "plugins.%s: expected parameters and their values",
                        plugin);
        json_object_object_foreach(section, param, value)
        {
            if (value == NULL || json_object_is_type(value, json_type_object) ||
                json_object_is_type(value, json_type_array))
                return fail(err, FIRN_INVALID, "plugins.%s.%s: expected one value", plugin, param);
            settings_set(settings, plugin, param, json_object_get_string(value));
        }
    }
    return 0;
}

const char *setting_type_name(enum firn_param_type type)
{
    switch (type) {
    case FIRN_PARAM_STRING:
        return "string";
    case FIRN_PARAM_BOOLEAN:
        return "true|false";
    case FIRN_PARAM_INTEGER:
        return "number";
    case FIRN_PARAM_SIZE:
        return "size";
    case FIRN_PARAM_DURATION:
        return "duration";
    case FIRN_PARAM_PATH:
        return "path";
    }
    return NULL;
}

static int parse_boolean(const char *text, int64_t *number, struct firn_error **err)
{
    *number = strcmp(text, "true") == 0;
    if (*number == 0 && strcmp(text, "false") != 0)
        return fail(err, FIRN_INVALID, "\"%s\" is neither true nor false", text);
    return 0;
}

static int parse_integer(const char *text, int64_t *number, struct firn_error **err)
{
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || strchr(" \t\n\v\f\r", *text) != NULL)
        return fail(err, FIRN_INVALID, "\"%s\" is not a number", text);
    return 0;
}

static int parse_size(const char *text, int64_t *number, struct firn_error **err)
{
    uint64_t bytes;
    if (size_parse(text, &bytes, err) < 0)
        return -1;
    if (bytes > INT64_MAX)
        return fail(err, FIRN_INVALID, "\"%s\" is too large", text);
    *number = (int64_t)bytes;
    return 0;
}

int setting_number(enum firn_param_type type, const char *text, int64_t *number,
                   struct firn_error **err)
{
    int64_t unused;
    if (number == NULL)
        number = &unused;
    *number = 0;
    switch (type) {
    case FIRN_PARAM_BOOLEAN:
        return parse_boolean(text, number, err);
    case FIRN_PARAM_INTEGER:
        return parse_integer(text, number, err);
    case FIRN_PARAM_SIZE:
        return parse_size(text, number, err);
    case FIRN_PARAM_DURATION:
        return duration_parse(text, number, err);
    case FIRN_PARAM_PATH:
        if (*text == '\0')
            return fail(err, FIRN_INVALID, "an empty path");
        return 0;
    case FIRN_PARAM_STRING:
        return 0;
    }
    return fail(err, FIRN_INVALID, "a parameter of no known type");
}

static int unknown(const struct plugin *plugin, const char *param, struct firn_error **err)
{
    struct nearest nearest = nearest_new(param);
    for (size_t i = 0; i < plugin->param_count; i++)
        nearest_offer(&nearest, plugin->api.params[i].name);
    if (nearest.best != NULL)
        return fail(err, FIRN_INVALID, "plugin %s has no parameter \"%s\": did you mean %s?",
                    plugin->name, param, nearest.best);
    return fail(err, FIRN_INVALID, "plugin %s has no parameter \"%s\": see `firn help %s`",
                plugin->name, param, plugin->name);
}

int settings_check(const struct settings *settings, const struct plugin *plugin,
                   struct firn_error **err)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        if (strcmp(setting->plugin, plugin->name) != 0)
            continue;
        const struct firn_param *param = plugin_param(plugin, setting->param);
        if (param == NULL)
            return unknown(plugin, setting->param, err);
        if (setting_number(param->type, setting->value, NULL, err) < 0)
            return wrap(err, "%s.%s", plugin->name, setting->param);
    }
    return 0;
}

const char *settings_value(const struct settings *settings, const struct plugin *plugin,
                           const char *param)
{
    const struct setting *setting = find(settings, plugin->name, param);
    if (setting != NULL)
        return setting->value;
    const struct firn_param *known = plugin_param(plugin, param);
    return known != NULL ? known->fallback : NULL;
}
