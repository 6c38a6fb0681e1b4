/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin.h"

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "nearest.h"
#include "settings.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_LONGEST 64u
#define PARAMS_MOST  256u

struct plugins {
    char **directories;
    size_t directory_count;
    struct plugin **loaded;
    size_t loaded_count;
};

bool plugin_name_valid(const char *name, size_t length)
{
    if (length == 0 || length > NAME_LONGEST || name[0] < 'a' || name[0] > 'z')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= length;
}

const struct firn_param *plugin_param(const struct plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->param_count; i++)
        if (strcmp(plugin->api.params[i].name, name) == 0)
            return &plugin->api.params[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ where to look */

static void add_directory_take(struct plugins *plugins, char *directory)
{
    plugins->directories = mem_resize(plugins->directories, plugins->directory_count + 1,
                                      sizeof(*plugins->directories));
    plugins->directories[plugins->directory_count++] = directory;
}

static void add_path(struct plugins *plugins, const char *path)
{
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        if (length > 0)
            add_directory_take(plugins, mem_dup(path, length));
        path += length + (path[length] == ':');
    }
}

static void add_beside_program(struct plugins *plugins)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length <= 0)
        return;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    add_directory_take(plugins, file_join(program, "plugins"));
}

struct plugins *plugins_new(const char *path)
{
    struct plugins *plugins = mem_zalloc(sizeof(*plugins));
    add_path(plugins, path);
    add_path(plugins, getenv("FIRN_PLUGIN_PATH"));
    add_beside_program(plugins);
    add_path(plugins, FIRN_PLUGIN_DIRECTORY);
    return plugins;
}

void plugins_free(struct plugins *plugins)
{
    if (plugins == NULL)
        return;
    for (size_t i = 0; i < plugins->directory_count; i++)
        free(plugins->directories[i]);
    free(plugins->directories);
    for (size_t i = 0; i < plugins->loaded_count; i++) {
        free(plugins->loaded[i]->name);
        free(plugins->loaded[i]->path);
        free(plugins->loaded[i]);
    }
    free(plugins->loaded);
    free(plugins);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_name(char *const *names, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return true;
    return false;
}

static void names_in(const char *directory, char ***names, size_t *count)
{
    DIR *open = opendir(directory);
    if (open == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(open)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= 3 || strcmp(entry->d_name + length - 3, ".so") != 0)
            continue;
        length -= 3;
        if (!plugin_name_valid(entry->d_name, length) ||
            has_name(*names, *count, entry->d_name, length))
            continue;
        *names = mem_resize(*names, *count + 1, sizeof(**names));
        (*names)[(*count)++] = mem_dup(entry->d_name, length);
    }
    closedir(open);
}

void plugins_names(struct plugins *plugins, char ***out, size_t *count)
{
    *out = NULL;
    *count = 0;
    for (size_t i = 0; i < plugins->directory_count; i++)
        names_in(plugins->directories[i], out, count);
    if (*count > 0)
        qsort(*out, *count, sizeof(**out), compare_names);
}

void plugins_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* ------------------------------------------------------------------------------------------------ checking */

static int check_param(const struct firn_param *param, const char *path, struct firn_error **err)
{
    if (!plugin_name_valid(param->name, strlen(param->name)))
        return fail(err, FIRN_INVALID,
                    "plugin %s: a parameter has a name that is not [a-z][a-z0-9-]*", path);
    if (setting_type_name(param->type) == NULL)
        return fail(err, FIRN_INVALID, "plugin %s: parameter %s has no known type", path,
                    param->name);
    if (param->description == NULL)
        return fail(err, FIRN_INVALID, "plugin %s: parameter %s has no description", path,
                    param->name);
    if (param->fallback != NULL && setting_number(param->type, param->fallback, NULL, err) < 0)
        return wrap(err, "plugin %s: default of parameter %s", path, param->name);
    return 0;
}

static int check_params(struct plugin *plugin, struct firn_error **err)
{
    const struct firn_param *params = plugin->api.params;
    while (params != NULL && params[plugin->param_count].name != NULL) {
        if (plugin->param_count == PARAMS_MOST)
            return fail(err, FIRN_INVALID,
                        "plugin %s: more than %u parameters: is the end of the table missing?",
                        plugin->path, PARAMS_MOST);
        if (check_param(&params[plugin->param_count], plugin->path, err) < 0)
            return -1;
        plugin->param_count++;
    }
    return 0;
}

static int check_members(const struct plugin *plugin, struct firn_error **err)
{
    const struct firn_plugin *api = &plugin->api;
    const char *missing = api->name == NULL          ? "name"
                          : api->version == NULL     ? "version"
                          : api->description == NULL ? "description"
                          : api->open == NULL        ? "open"
                          : api->close == NULL       ? "close"
                          : api->capture == NULL     ? "capture"
                          : api->restore == NULL     ? "restore"
                                                     : NULL;
    if (missing != NULL)
        return fail(err, FIRN_INVALID, "plugin %s: the required member `%s` is missing",
                    plugin->path, missing);
    if (strcmp(api->name, plugin->name) != 0)
        return fail(err, FIRN_INVALID,
                    "plugin %s: it calls itself \"%.64s\": the file must be named after the plugin",
                    plugin->path, api->name);
    if (api->target != NULL && !plugin_name_valid(api->target, strlen(api->target)))
        return fail(err, FIRN_INVALID, "plugin %s: its target scheme is not [a-z][a-z0-9-]*",
                    plugin->path);
    return 0;
}

/* Everything up to `abi` must be there before the rest can be trusted to mean what this Firn thinks. */
static int check_plugin(struct plugin *plugin, const struct firn_plugin *given,
                        struct firn_error **err)
{
    if (given == NULL)
        return fail(err, FIRN_INVALID, "plugin %s: firn_plugin_register() returned nothing",
                    plugin->path);
    size_t size = given->size;
    if (size < offsetof(struct firn_plugin, name))
        return fail(err, FIRN_INVALID, "plugin %s: its structure of %zu bytes is too small",
                    plugin->path, size);
    if (given->abi != FIRN_PLUGIN_ABI)
        return fail(err, FIRN_INVALID,
                    "plugin %s: it is made for plugin ABI %u, this Firn speaks %u: rebuild it",
                    plugin->path, given->abi, FIRN_PLUGIN_ABI);
    memcpy(&plugin->api, given, size < sizeof(plugin->api) ? size : sizeof(plugin->api));
    if (check_members(plugin, err) < 0)
        return -1;
    return check_params(plugin, err);
}

/* ------------------------------------------------------------------------------------------------ loading */

/* The library is never closed: libraries below a plugin leave threads and exit handlers behind that would then point into
 * nothing. */
static int load(struct plugin *plugin, struct firn_error **err)
{
    void *library = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return fail(err, FIRN_INVALID, "plugin %s: %s", plugin->path, dlerror());
    const struct firn_plugin *(*enter)(void) = NULL;
    void *symbol = dlsym(library, "firn_plugin_register");
    dlclose(library);
    if (symbol == NULL)
        return fail(err, FIRN_INVALID,
                    "plugin %s: it has no firn_plugin_register(): not a plugin of Firn",
                    plugin->path);
    memcpy(&enter, &symbol, sizeof(enter));
    return check_plugin(plugin, enter(), err);
}

static char *find(struct plugins *plugins, const char *name)
{
    auto_free char *file = mem_printf("%s.so", name);
    for (size_t i = 0; i < plugins->directory_count; i++) {
        char *path = file_join(plugins->directories[i], file);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static int not_found(struct plugins *plugins, const char *name, struct firn_error **err)
{
    struct nearest nearest = nearest_new(name);
    char **names;
    size_t count;
    plugins_names(plugins, &names, &count);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, names[i]);
    if (nearest.best != NULL)
        error_set(err, FIRN_NOTFOUND, "there is no plugin \"%s\": did you mean %s?", name,
                  nearest.best);
    else
        error_set(err, FIRN_NOTFOUND,
                  "there is no plugin \"%s\" (%s.so) in the plugin path; `firn help plugins` lists "
                  "what is there",
                  name, name);
    plugins_names_free(names, count);
    return -1;
}

int plugins_load(struct plugins *plugins, const char *name, const struct plugin **out,
                 struct firn_error **err)
{
    if (!plugin_name_valid(name, strlen(name)))
        return fail(err, FIRN_INVALID, "\"%s\" is not the name of a plugin", name);
    for (size_t i = 0; i < plugins->loaded_count; i++)
        if (strcmp(plugins->loaded[i]->name, name) == 0) {
            *out = plugins->loaded[i];
            return 0;
        }
    char *path = find(plugins, name);
    if (path == NULL)
        return not_found(plugins, name, err);
    struct plugin *plugin = mem_zalloc(sizeof(*plugin));
    plugin->name = mem_strdup(name);
    plugin->path = path;
    if (load(plugin, err) < 0) {
        free(plugin->name);
        free(plugin->path);
        free(plugin);
        return -1;
    }
    plugins->loaded =
        mem_resize(plugins->loaded, plugins->loaded_count + 1, sizeof(*plugins->loaded));
    plugins->loaded[plugins->loaded_count++] = plugin;
    *out = plugin;
    return 0;
}

const struct plugin *plugins_for_target(struct plugins *plugins, const char *scheme)
{
    char **names;
    size_t count;
    const struct plugin *found = NULL;
    plugins_names(plugins, &names, &count);
    for (size_t i = 0; i < count && found == NULL; i++) {
        const struct plugin *plugin;
        if (plugins_load(plugins, names[i], &plugin, NULL) == 0 && plugin->api.target != NULL &&
            strcmp(plugin->api.target, scheme) == 0)
            found = plugin;
    }
    plugins_names_free(names, count);
    return found;
}
