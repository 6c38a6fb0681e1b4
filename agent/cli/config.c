/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "arguments.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/yaml.h"
#include "host/settings.h"

#include <stdlib.h>
#include <unistd.h>

#define CONFIG_LONGEST (1024u * 1024u)
#define SYSTEM_CONFIG  "/etc/firn/config.yaml"

static char *find(const struct arguments *arguments)
{
    const char *told = argument_text(arguments, "config");
    if (told != NULL)
        return mem_strdup(told);
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    auto_free char *own = base != NULL && *base == '/' ? mem_printf("%s/firn/config.yaml", base)
                          : home != NULL ? mem_printf("%s/.config/firn/config.yaml", home)
                                         : NULL;
    if (own != NULL && access(own, F_OK) == 0)
        return steal(own);
    return access(SYSTEM_CONFIG, F_OK) == 0 ? mem_strdup(SYSTEM_CONFIG) : NULL;
}

int config_load(struct arguments *arguments, struct settings *settings, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(CONFIG_LONGEST);
    auto_json struct json_object *config = NULL;
    auto_free char *path = find(arguments);
    if (path == NULL)
        return 0;
    if (file_read(path, CONFIG_LONGEST, &text, err) < 0)
        return wrap(err, "configuration");
    if (yaml_parse(buf_text(&text), text.length, path, &config, err) < 0)
        return -1;
    if (config == NULL)
        return 0;
    if (!json_object_is_type(config, json_type_object))
        return fail(err, FIRN_INVALID, "%s: expected settings and their values", path);
    struct json_object *plugins = json_object_object_get(config, "plugins");
    if (plugins != NULL && settings_read(settings, plugins, err) < 0)
        return wrap(err, "%s", path);
    if (arguments_config_take(arguments, steal(config), err) < 0)
        return wrap(err, "%s", path);
    return 0;
}
