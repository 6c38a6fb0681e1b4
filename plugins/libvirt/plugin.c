/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libvirt plugin: virtual machines of plain libvirt hosts, and of any libvirt socket. This file is its face to Firn.
 */
#include "capture.h"
#include "restore.h"
#include "sweep.h"

#include "core/mem.h"

#include <string.h>

struct handle {
    struct connection *connection;
    struct settlement *settlement; /* between capture() and settle() */
};

/* Hands the reason to the host, unless the failure came from the host, which knows it then. */
static int report(const struct firn_host *host, int result, struct firn_error **err)
{
    if (result < 0 && *err != NULL)
        (host->fail)(host, (*err)->code, "%s", (*err)->message);
    error_clear(err);
    return result;
}

static int open_plugin(const struct firn_host *host, void **out)
{
    struct firn_error *error = NULL;
    struct connection *connection = NULL;
    if (report(host, connection_open(host, &connection, &error), &error) < 0)
        return -1;
    struct handle *handle = mem_zalloc(sizeof(*handle));
    handle->connection = connection;
    *out = handle;
    return 0;
}

static void close_plugin(void *opaque)
{
    struct handle *handle = opaque;
    settlement_free(handle->settlement);
    connection_close(handle->connection);
    free(handle);
}

static const char *state_text(virDomainPtr domain)
{
    int active = virDomainIsActive(domain);
    return active == 1 ? "domain, running" : "domain, shut off";
}

static int list_plugin(void *opaque, const char *reference, firn_list_callback *each, void *context)
{
    struct handle *handle = opaque;
    struct connection *connection = handle->connection;
    struct firn_error *error = NULL;
    auto_domains struct vir_domains domains = {.count = 0};
    sweep_frozen(connection);
    domains.count = virConnectListAllDomains(connection->vir, &domains.list, 0);
    if (domains.count < 0) {
        domains.count = 0;
        return report(connection->host, fail_vir(&error, "list the domains of %s", connection->uri),
                      &error);
    }
    for (int i = 0; i < domains.count; i++) {
        const char *name = virDomainGetName(domains.list[i]);
        if (reference != NULL && *reference != '\0' && strcmp(reference, name) != 0)
            continue;
        if (each(context, name, state_text(domains.list[i])) < 0)
            return -1;
    }
    return 0;
}

static int capture_plugin(void *opaque, const struct firn_capture *request, struct firn_sink *sink)
{
    struct handle *handle = opaque;
    struct firn_error *error = NULL;
    struct firn_capture known = {.size = 0};
    memcpy(&known, request, request->size < sizeof(known) ? request->size : sizeof(known));
    settlement_free(steal(handle->settlement));
    int result = capture_run(handle->connection, &known, sink, &handle->settlement, &error);
    return report(handle->connection->host, result, &error);
}

static int settle_plugin(void *opaque, const char *snapshot_id)
{
    struct handle *handle = opaque;
    struct firn_error *error = NULL;
    if (handle->settlement == NULL)
        return 0;
    int result = settlement_finish(handle->connection, steal(handle->settlement),
                                   snapshot_id != NULL, &error);
    return report(handle->connection->host, result, &error);
}

static int restore_plugin(void *opaque, const struct firn_restore *request,
                          struct firn_source *source)
{
    struct handle *handle = opaque;
    struct firn_error *error = NULL;
    sweep_frozen(handle->connection);
    int result = restore_run(handle->connection, request, source, &error);
    return report(handle->connection->host, result, &error);
}

static const struct firn_plugin plugin = {
    .size = sizeof(plugin),
    .abi = FIRN_PLUGIN_ABI,
    .name = "libvirt",
    .version = FIRN_VERSION,
    .description = "virtual machines managed by libvirt",
    .target = "libvirt",
    .params = connection_params,
    .open = open_plugin,
    .close = close_plugin,
    .list = list_plugin,
    .capture = capture_plugin,
    .settle = settle_plugin,
    .restore = restore_plugin,
};

const struct firn_plugin *firn_plugin_register(void)
{
    return &plugin;
}
