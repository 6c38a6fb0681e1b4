/* SPDX-License-Identifier: Apache-2.0 */
#include "backup_run.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "plugin.h"
#include "progress.h"
#include "repo/crypt.h"
#include "repo/repo.h"
#include "repo/snapshot.h"
#include "services.h"
#include "sink.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

char *backup_run_id(void)
{
    uint8_t random[8];
    char text[2 * sizeof(random) + 1];
    crypt_random(random, sizeof(random));
    hex_encode(random, sizeof(random), text);
    return mem_strdup(text);
}

/* ------------------------------------------------------------------------------------------------ the source */

static char *absolute(const char *reference)
{
    char here[PATH_MAX];
    if (*reference == '/' || *reference == '\0' || access(reference, F_OK) != 0 ||
        getcwd(here, sizeof(here)) == NULL)
        return mem_strdup(reference);
    while (strncmp(reference, "./", 2) == 0)
        reference += 2;
    return mem_printf("%s/%s", strcmp(here, "/") == 0 ? "" : here, reference);
}

int backup_source(struct plugins *plugins, const char *source, const struct plugin **plugin,
                  char **reference, struct firn_error **err)
{
    const char *colon = strchr(source, ':');
    if (colon == NULL || !plugin_name_valid(source, (size_t)(colon - source)))
        return fail(err, FIRN_INVALID,
                    "source \"%s\": expected PLUGIN:REFERENCE, for example image:/path/disk.img or "
                    "libvirt:web01",
                    source);
    auto_free char *name = mem_dup(source, (size_t)(colon - source));
    if (plugins_load(plugins, name, plugin, err) < 0)
        return wrap(err, "source \"%s\"", source);
    *reference = (*plugin)->api.target == NULL ? absolute(colon + 1) : mem_strdup(colon + 1);
    return 0;
}

int backup_list(struct plugins *plugins, const struct settings *settings, const char *source,
                firn_list_callback *each, void *context, struct firn_error **err)
{
    const struct plugin *plugin;
    auto_free char *reference = NULL;
    struct services *services;
    if (backup_source(plugins, source, &plugin, &reference, err) < 0)
        return -1;
    if (plugin->api.list == NULL)
        return each(context, reference, plugin->api.description);
    struct progress *progress = progress_new();
    const struct services_options options = {
        .plugin = plugin, .settings = settings, .progress = progress, .item = source};
    int result = services_open(&options, &services, err);
    if (result == 0) {
        int returned = plugin->api.list(services_handle(services), reference, each, context);
        result = services_result(services, returned, "list", err);
        services_close(services);
    }
    progress_free(progress);
    return result;
}

/* ------------------------------------------------------------------------------------------------ the parent */

static void damaged(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    log_warning("%s cannot be read and is passed over: %s", name, error_message(why));
}

/* What is missing of the latest would be missing of all that build on it: then it is no parent. */
static int latest_whole(struct repo *repo, const char *item, struct snapshot **out,
                        struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    if (snapshot_latest(repo, item, damaged, NULL, out, err) < 0)
        return -1;
    if (*out == NULL || snapshot_check_whole(repo, *out, &why) == 0)
        return 0;
    snapshot_free(steal(*out));
    if (error_code(why) != FIRN_CORRUPT)
        return fail(err, error_code(why), "%s", error_message(why));
    log_warning("everything is taken anew, without a parent: %s", error_message(why));
    return 0;
}

static int choose_parent(struct repo *repo, const struct backup_request *request, const char *item,
                         struct snapshot **out, struct firn_error **err)
{
    *out = NULL;
    if (request->parent == NULL)
        return latest_whole(repo, item, out, err);
    if (strcmp(request->parent, "none") == 0)
        return 0;
    bool looked = false;
    if (snapshot_resolve(repo, request->parent, out, err) < 0 ||
        snapshot_stands(repo, *out, &looked, err) <= 0 || snapshot_check_whole(repo, *out, err) < 0)
        return wrap(err, "parent");
    const char *colon = strchr(item, ':');
    if (strncmp((*out)->item, item, (size_t)(colon - item) + 1) != 0)
        return fail(err, FIRN_INVALID, "parent %.12s is of %s: not made by the same plugin",
                    (*out)->id_text, (*out)->item);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the run */

struct run {
    const struct backup_context *context;
    const struct backup_request *request;
    const char *reference;
    struct snapshot *parent;
    struct snapshot *snapshot;
    struct services *services;
    const struct plugin *plugin;
};

/* What snapshot_new() gives, filled with what is known before the capture. */
static struct snapshot *begin_snapshot(const struct backup_request *request, const char *item,
                                       const struct snapshot *parent)
{
    struct snapshot *snapshot = snapshot_new(item);
    char host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof(host) - 1);
    snapshot->hostname = mem_strdup(host);
    snapshot->version = mem_strdup(FIRN_VERSION);
    snapshot->started = clock_now();
    snapshot->frozen = -1;
    snapshot->tags = mem_array(request->tag_count + 1, sizeof(*snapshot->tags));
    for (size_t i = 0; i < request->tag_count; i++)
        snapshot->tags[snapshot->tag_count++] = mem_strdup(request->tags[i]);
    if (parent != NULL)
        memcpy(snapshot->parent, parent->id, sizeof(snapshot->parent));
    return snapshot;
}

static int call_capture(const struct run *run, struct sink *sink, struct firn_error **err)
{
    const struct backup_request *request = run->request;
    const struct snapshot *parent = run->parent;
    const struct firn_capture capture = {.size = sizeof(capture),
                                         .reference = run->reference,
                                         .consistency = request->consistency,
                                         .parent_id = parent != NULL ? parent->id_text : NULL,
                                         .parent_state = parent != NULL ? parent->state : NULL,
                                         .parent_time = parent != NULL ? parent->committed : 0,
                                         .changed = request->changed,
                                         .changed_count = request->changed_count,
                                         .run_id = request->run_id,
                                         .repository_id = run->context->repo->id_text};
    void *handle = services_handle(run->services);
    int returned = run->plugin->api.capture(handle, &capture, sink_interface(sink));
    return services_result(run->services, returned, "capture", err);
}

/* settle() is owed from the moment that capture() succeeded, whatever happens to the snapshot. The backup stands when it
 * fails: the next capture of the plugin finds what is left and clears it away. */
static void settle(const struct run *run, const char *snapshot_id)
{
    auto_error struct firn_error *err = NULL;
    if (run->plugin->api.settle == NULL)
        return;
    int returned = run->plugin->api.settle(services_handle(run->services), snapshot_id);
    if (services_result(run->services, returned, "settle", &err) < 0)
        log_warning("clearing up after the capture: %s", error_message(err));
}

static int check_outcome(const struct run *run, struct firn_error **err)
{
    const struct snapshot *snapshot = run->snapshot;
    if (run->request->consistency == FIRN_CONSISTENCY_REQUIRED &&
        snapshot->consistency < FIRN_FILESYSTEM_CONSISTENT)
        return fail(err, FIRN_INVALID,
                    "consistency is required, but the capture is only crash-consistent%s%s",
                    snapshot->reason != NULL ? ": " : "",
                    snapshot->reason != NULL ? snapshot->reason : "");
    return cancel_check(err);
}

static int capture_and_commit(const struct run *run, struct capture *capture,
                              struct firn_error **err)
{
    struct sink *sink = sink_new(capture, run->services);
    bool captured = call_capture(run, sink, err) == 0;
    bool complete =
        captured && sink_finish(sink, run->snapshot, err) == 0 && check_outcome(run, err) == 0;
    sink_free(sink);
    bool committed = false;
    if (complete) {
        progress_step(run->context->progress, "committing");
        committed = capture_commit(capture, run->snapshot, err) == 0;
    } else {
        capture_abort(capture);
    }
    if (captured)
        settle(run, committed ? run->snapshot->id_text : NULL);
    return committed ? 0 : -1;
}

static int with_plugin(struct run *run, const char *item, struct firn_error **err)
{
    const struct backup_context *context = run->context;
    const struct services_options options = {.plugin = run->plugin,
                                             .settings = context->settings,
                                             .progress = context->progress,
                                             .run_id = run->request->run_id,
                                             .item = item};
    struct capture *capture;
    if (services_open(&options, &run->services, err) < 0)
        return -1;
    int result = capture_open(context->repo, context->index, run->parent, &run->request->capture,
                              &capture, err);
    if (result == 0)
        result = capture_and_commit(run, capture, err);
    services_close(run->services);
    return result;
}

/* Whether a capture failed because the maps of the parent that was chosen for it are damaged. */
static bool parent_is_to_blame(const struct run *run, const struct firn_error *why)
{
    auto_error struct firn_error *damage = NULL;
    return error_code(why) == FIRN_CORRUPT && run->parent != NULL && run->request->parent == NULL &&
           run->request->changed == NULL &&
           snapshot_check_maps(run->context->repo, run->parent, &damage) < 0 &&
           error_code(damage) == FIRN_CORRUPT;
}

static int run_capture(struct run *run, const char *item, struct snapshot **snapshot,
                       struct firn_error **err)
{
    struct firn_error *why = NULL;
    int result = with_plugin(run, item, &why);
    if (result < 0 && parent_is_to_blame(run, why)) {
        log_warning("everything is taken anew, without a parent: %s", error_message(why));
        error_clear(&why);
        snapshot_free(*snapshot);
        *snapshot = begin_snapshot(run->request, item, NULL);
        run->snapshot = *snapshot;
        run->parent = NULL;
        result = with_plugin(run, item, &why);
    }
    if (result < 0 && err != NULL)
        *err = steal(why);
    error_clear(&why);
    return result;
}

int backup_run(const struct backup_context *context, const struct backup_request *request,
               struct snapshot **out, struct firn_error **err)
{
    auto_free char *reference = NULL;
    auto_snapshot struct snapshot *parent = NULL;
    auto_snapshot struct snapshot *snapshot = NULL;
    struct run run = {.context = context, .request = request};
    if (backup_source(context->plugins, request->source, &run.plugin, &reference, err) < 0)
        return -1;
    auto_free char *item = mem_printf("%s:%s", run.plugin->name, reference);
    if (choose_parent(context->repo, request, item, &parent, err) < 0)
        return -1;
    if (request->changed != NULL && parent == NULL)
        return fail(err, FIRN_INVALID, "a list of changes needs a parent: %s has no snapshot yet",
                    item);
    snapshot = begin_snapshot(request, item, parent);
    run.reference = reference;
    run.parent = parent;
    run.snapshot = snapshot;
    log_context(request->run_id, item);
    int result = run_capture(&run, item, &snapshot, err);
    log_context(NULL, NULL);
    if (result == 0)
        *out = steal(snapshot);
    return result;
}
