/* SPDX-License-Identifier: Apache-2.0 */
#include "restore_run.h"

#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "plugin.h"
#include "repo/snapshot.h"
#include "services.h"
#include "source.h"

#include <string.h>

#define PATHS_PLUGIN "image"

static int load_maker(struct plugins *plugins, const struct snapshot *snapshot,
                      const struct plugin **plugin, struct firn_error **err)
{
    auto_free char *name = mem_dup(snapshot->item, strcspn(snapshot->item, ":"));
    return plugins_load(plugins, name, plugin, err);
}

int restore_plugin(struct plugins *plugins, const struct snapshot *snapshot, const char *target,
                   const struct plugin **plugin, const char **rest, struct firn_error **err)
{
    size_t length = strcspn(target, ":");
    *rest = target;
    bool scheme = target[length] == ':' && plugin_name_valid(target, length);
    if (!scheme || strncmp(target + length, "://", 3) == 0)
        return plugins_load(plugins, PATHS_PLUGIN, plugin, err);
    auto_free char *name = mem_dup(target, length);
    *plugin = plugins_for_target(plugins, name);
    if (*plugin == NULL)
        return load_maker(plugins, snapshot, plugin, err);
    *rest = target + length + 1;
    return 0;
}

static int call_restore(const struct restore_context *context,
                        const struct restore_request *request, const struct plugin *plugin,
                        const char *target, struct services *services, struct firn_error **err)
{
    const struct firn_restore restore = {.size = sizeof(restore),
                                         .target = target,
                                         .format = request->format,
                                         .object = request->object,
                                         .overwrite = request->overwrite,
                                         .dry_run = request->dry_run};
    struct source *source =
        source_new(context->repo, request->snapshot, request->salvage, services);
    int returned =
        plugin->api.restore(services_handle(services), &restore, source_interface(source));
    source_free(source);
    return services_result(services, returned, "restore", err);
}

int restore_run(const struct restore_context *context, const struct restore_request *request,
                struct firn_error **err)
{
    const struct plugin *plugin;
    const char *target;
    struct services *services;
    if (request->object != NULL && snapshot_object(request->snapshot, request->object) == NULL)
        return fail(err, FIRN_NOTFOUND,
                    "snapshot %.12s has no object \"%s\"; `firn show %.12s` lists them",
                    request->snapshot->id_text, request->object, request->snapshot->id_text);
    if (restore_plugin(context->plugins, request->snapshot, request->target, &plugin, &target,
                       err) < 0)
        return wrap(err, "target \"%s\"", request->target);
    const struct services_options options = {.plugin = plugin,
                                             .settings = context->settings,
                                             .progress = context->progress,
                                             .item = request->snapshot->item};
    if (services_open(&options, &services, err) < 0)
        return -1;
    log_context(NULL, request->snapshot->item);
    int result = call_restore(context, request, plugin, target, services, err);
    log_context(NULL, NULL);
    services_close(services);
    return result;
}
