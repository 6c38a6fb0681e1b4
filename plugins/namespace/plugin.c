/* SPDX-License-Identifier: Apache-2.0 */
/* What the host sees of the plugin: its name, its parameters, its functions. */
#include "cluster.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "namespace.h"

#include <stdlib.h>

static const struct firn_param params[] = {
    {"kubeconfig", FIRN_PARAM_PATH, NULL,
     "kubeconfig file; $KUBECONFIG, ~/.kube/config, or the ServiceAccount of the pod by default."},
    {"context", FIRN_PARAM_STRING, NULL, "Context of the kubeconfig; its current one by default."},
    {"secrets", FIRN_PARAM_BOOLEAN, "false",
     "Capture Secrets, too. They are encrypted like everything else in a repository."},
    {"exclude", FIRN_PARAM_STRING, NULL,
     "Kinds to leave out, by resource and group: \"pods,deployments.apps\"."},
    {"existing", FIRN_PARAM_STRING, "fail",
     "Restoring: objects that are there and differ make it fail before anything is changed (fail), "
     "stay (keep), or are overwritten (overwrite)."},
    {NULL, 0, NULL, NULL},
};

/* Tells the host why, unless it knows. */
static int told(const struct firn_host *host, int result, struct firn_error *err)
{
    if (result < 0 && error_code(err) != FIRN_UNSAID)
        (host->fail)(host, error_code(err), "%s", error_message(err)); /* in brackets: no macro */
    error_clear(&err);
    return result;
}

static int plugin_open(const struct firn_host *host, void **handle)
{
    struct cluster *cluster = mem_zalloc(sizeof(*cluster));
    cluster->host = host;
    *handle = cluster;
    return 0;
}

static void plugin_close(void *handle)
{
    free(handle);
}

static int list_all(const struct cluster *cluster, firn_list_callback *each, void *context,
                    struct firn_error **err)
{
    auto_json struct json_object *answer = NULL;
    struct json_object *items;
    if (cluster_get(cluster, "list", "/api/v1/namespaces", &answer, err) < 0 ||
        json_get_array(answer, "items", &items, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        if (each(context, json_string_or(item, "metadata.name", ""), "namespace") < 0)
            return fail(err, FIRN_UNSAID, "stopped");
    }
    return 0;
}

static int list_one(const struct cluster *cluster, const char *name, firn_list_callback *each,
                    void *context, struct firn_error **err)
{
    if (!cluster_name_valid(name))
        return fail(err, FIRN_INVALID, "\"%s\" is not the name of a namespace", name);
    auto_free char *path = mem_printf("/api/v1/namespaces/%s", name);
    if (cluster_get(cluster, "get", path, NULL, err) < 0)
        return -1;
    return each(context, name, "namespace") < 0 ? fail(err, FIRN_UNSAID, "stopped") : 0;
}

static int plugin_list(void *handle, const char *reference, firn_list_callback *each, void *context)
{
    const struct cluster *cluster = handle;
    struct firn_error *err = NULL;
    int result = *reference == '\0' ? list_all(cluster, each, context, &err)
                                    : list_one(cluster, reference, each, context, &err);
    return told(cluster->host, result, err);
}

static int plugin_capture(void *handle, const struct firn_capture *request, struct firn_sink *sink)
{
    const struct cluster *cluster = handle;
    struct firn_error *err = NULL;
    int result = capture_namespace(cluster, request, sink, &err);
    return told(cluster->host, result, err);
}

static int plugin_restore(void *handle, const struct firn_restore *request,
                          struct firn_source *source)
{
    const struct cluster *cluster = handle;
    struct firn_error *err = NULL;
    int result = restore_namespace(cluster, request, source, &err);
    return told(cluster->host, result, err);
}

static const struct firn_plugin plugin = {
    .size = sizeof(plugin),
    .abi = FIRN_PLUGIN_ABI,
    .name = "namespace",
    .version = FIRN_VERSION,
    .description = "manifests of a Kubernetes namespace: every object that somebody wrote",
    .target = "namespace",
    .params = params,
    .open = plugin_open,
    .close = plugin_close,
    .list = plugin_list,
    .capture = plugin_capture,
    .restore = plugin_restore,
};

const struct firn_plugin *firn_plugin_register(void)
{
    return &plugin;
}
