/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The imagestream plugin: container images of a registry (OCI distribution, Docker's registry
 * protocol), every architecture, every byte of every manifest as it is.
 */
#include <firn/plugin.h>

#include "capture.h"
#include "reference.h"
#include "registry.h"
#include "restore.h"

#include <core/error.h>
#include <core/mem.h>

#include <string.h>

struct handle {
    const struct firn_host *host;
};

static const struct firn_param params[] = {
    {"username", FIRN_PARAM_STRING, NULL,
     "User at the registry; without it, Podman's and Docker's auth files are searched."},
    {"registry-password-file", FIRN_PARAM_PATH, NULL, "File that holds the user's password."},
    {"token-file", FIRN_PARAM_PATH, NULL,
     "File that holds a token, such as a service account's; it is read anew whenever it is "
     "needed."},
    {"ca-file", FIRN_PARAM_PATH, NULL,
     "PEM file of a CA that is trusted besides the system's (else certs.d is searched)."},
    {"plain-http", FIRN_PARAM_BOOLEAN, "false",
     "Talks HTTP without TLS to the registry; everything can then be overheard."},
    {"parallel", FIRN_PARAM_INTEGER, "4", "How many blobs travel at a time, 1 to 32."},
    {"chunk-size", FIRN_PARAM_SIZE, "64M",
     "Uploads larger than this are sent in pieces of this size."},
    {"read-back", FIRN_PARAM_BOOLEAN, "false",
     "A restore downloads every blob again, to prove that the registry gives back what it took."},
    {"stall-timeout", FIRN_PARAM_DURATION, "60s",
     "A transfer that brings next to nothing for this long is given up."},
    {"referrers", FIRN_PARAM_BOOLEAN, "true",
     "Also takes what refers to the images: signatures, attestations, SBOMs."},
    {"digests", FIRN_PARAM_STRING, NULL,
     "Digests of images of the repository that have no tag and are to be taken, too, separated by "
     "commas."},
    {0},
};

/* Hands an error over to the host, which may know the better reason. */
static int told(const struct firn_host *host, int result, struct firn_error *err)
{
    if (result < 0 && error_code(err) != FIRN_UNSAID)
        (host->fail)(host, error_code(err), "%s", error_message(err)); /* in brackets: no macro */
    error_clear(&err);
    return result;
}

static int plugin_open(const struct firn_host *host, void **out)
{
    struct handle *handle = mem_zalloc(sizeof(*handle));
    handle->host = host;
    *out = handle;
    return 0;
}

static void plugin_close(void *handle)
{
    free(handle);
}

static int list_repositories(struct registry *registry, const struct reference *reference,
                             firn_list_callback *each, void *context, struct firn_error **err)
{
    auto_names struct names names = {0};
    if (capture_repositories(registry, reference, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *item = mem_printf("%s/%s", reference->host, names.list[i]);
        if (each(context, item, "repository") < 0)
            return fail(err, FIRN_UNSAID, "stopped");
    }
    return 0;
}

static int list_tags(struct registry *registry, const struct reference *reference,
                     firn_list_callback *each, void *context, struct firn_error **err)
{
    auto_names struct names names = {0};
    if (registry_tags(registry, reference->path, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *digest = NULL;
        if (registry_manifest_digest(registry, reference->path, names.list[i], &digest, err) < 0)
            return -1;
        auto_free char *item =
            mem_printf("%s/%s:%s", reference->host, reference->path, names.list[i]);
        if (digest != NULL && each(context, item, digest) < 0)
            return fail(err, FIRN_UNSAID, "stopped");
    }
    return 0;
}

static int list_items(const struct firn_host *host, const char *text, firn_list_callback *each,
                      void *context, struct firn_error **err)
{
    auto_reference struct reference reference = {0};
    struct registry *registry = NULL;
    if (reference_parse(text, &reference, err) < 0 ||
        registry_open(host, reference.host, reference.path, &registry, err) < 0)
        return -1;
    int result = reference.kind >= REFERENCE_REPOSITORY
                     ? list_tags(registry, &reference, each, context, err)
                     : list_repositories(registry, &reference, each, context, err);
    registry_close(registry);
    return result;
}

static int plugin_list(void *opened, const char *reference, firn_list_callback *each, void *context)
{
    struct handle *handle = opened;
    struct firn_error *err = NULL;
    return told(handle->host, list_items(handle->host, reference, each, context, &err), err);
}

static int plugin_capture(void *opened, const struct firn_capture *request, struct firn_sink *sink)
{
    struct handle *handle = opened;
    struct firn_error *err = NULL;
    int result = capture_images(handle->host, request, sink, &err);
    return told(handle->host, result, err);
}

static int plugin_restore(void *opened, const struct firn_restore *request,
                          struct firn_source *source)
{
    struct handle *handle = opened;
    struct firn_error *err = NULL;
    int result = restore_images(handle->host, request, source, &err);
    return told(handle->host, result, err);
}

static const struct firn_plugin plugin = {
    .size = sizeof(plugin),
    .abi = FIRN_PLUGIN_ABI,
    .name = "imagestream",
    .version = FIRN_VERSION,
    .description = "container images of a registry: every architecture, tag, signature and digest",
    .target = "registry",
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
