/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include "core/mem.h"

#include <libxml/uri.h>
#include <stdbool.h>
#include <string.h>

const struct firn_param connection_params[] = {
    {"connect", FIRN_PARAM_STRING, NULL,
     "URI of libvirt; $LIBVIRT_DEFAULT_URI by default, else qemu:///system."},
    {"freeze-timeout", FIRN_PARAM_DURATION, "30s",
     "The longest that a guest may stay frozen; it is thawed then, whatever else happens."},
    {"scratch-directory", FIRN_PARAM_PATH, "/var/tmp",
     "Where QEMU puts a socket and, while a backup runs, what the guest overwrites."},
    {"disks", FIRN_PARAM_STRING, NULL,
     "Targets of the disks to capture (\"vda,vdb\"), the others are left out; all by default."},
    {"exclude-disks", FIRN_PARAM_STRING, NULL, "Targets of disks to leave out (\"vdc\")."},
    {"parallel-disks", FIRN_PARAM_INTEGER, "4", "How many disks are read or written at a time."},
    {"keep-checkpoints", FIRN_PARAM_INTEGER, "3",
     "How many checkpoints of Firn for other repositories are kept in a domain."},
    {"nbd-host", FIRN_PARAM_STRING, NULL,
     "Libvirt on another machine: by which name QEMU is reached there; the URI's by default."},
    {"nbd-listen", FIRN_PARAM_STRING, NULL,
     "On which address QEMU listens there; the one that nbd-host stands for by default."},
    {"nbd-port", FIRN_PARAM_INTEGER, "10809",
     "On which TCP port it listens; each backup that runs at a time needs one of its own."},
    {"nbd-plain", FIRN_PARAM_BOOLEAN, "false",
     "Reads the disks without TLS: everyone on the way can read them, too."},
    {"tls-certificates", FIRN_PARAM_PATH, NULL,
     "Directory of ca-cert.pem, client-cert.pem and client-key.pem; /etc/pki/libnbd by default."},
    {"directory", FIRN_PARAM_PATH, "/var/lib/libvirt/images",
     "Where a restore puts the images of disks, and the NVRAM."},
    {"tpm-directory", FIRN_PARAM_PATH, NULL,
     "Where the state of emulated TPMs lies, one folder for each domain; libvirt's by default."},
    {NULL, 0, NULL, NULL},
};

static char *choose_uri(const struct firn_host *host)
{
    const char *uri = host->param(host, "connect");
    if (uri == NULL || *uri == '\0')
        uri = getenv("LIBVIRT_DEFAULT_URI");
    return mem_strdup(uri == NULL || *uri == '\0' ? "qemu:///system" : uri);
}

/* Drivers other than QEMU have no backup jobs; some pretend to freeze. */
static int require_qemu(const struct connection *connection, struct firn_error **err)
{
    const char *type = virConnectGetType(connection->vir);
    if (type == NULL)
        return fail_vir(err, "ask %s for its driver", connection->uri);
    if (strcmp(type, "QEMU") != 0)
        return fail(
            err, FIRN_INVALID,
            "%s does not run its domains with QEMU but with the driver \"%s\", which has no "
            "backup jobs; connect to a qemu:// URI",
            connection->uri, type);
    return 0;
}

int connection_open(const struct firn_host *host, struct connection **out, struct firn_error **err)
{
    vir_silence();
    struct connection *connection = mem_zalloc(sizeof(*connection));
    *connection = (struct connection){
        .host = host,
        .uri = choose_uri(host),
        .scratch_directory = host->param(host, "scratch-directory"),
        .freeze_timeout = host->param_integer(host, "freeze-timeout"),
    };
    if (connection->freeze_timeout < 1000)
        connection->freeze_timeout = 1000;
    connection->vir = virConnectOpen(connection->uri);
    if (connection->vir == NULL) {
        vir_error(err, "connect to libvirt at %s", connection->uri);
        connection_close(connection);
        return -1;
    }
    /* libvirt knows what an alias of its configuration stands for. */
    auto_free char *canonical = virConnectGetURI(connection->vir);
    connection->machine = connection_machine_of(canonical != NULL ? canonical : connection->uri);
    if (require_qemu(connection, err) < 0) {
        connection_close(connection);
        return -1;
    }
    *out = connection;
    return 0;
}

void connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    vir_connect_release(&connection->vir);
    free(connection->uri);
    free(connection->machine);
    free(connection);
}

char *connection_machine_of(const char *text)
{
    xmlURIPtr uri = xmlParseURI(text);
    const char *server = uri == NULL || uri->server == NULL ? "" : uri->server;
    size_t length = strlen(server);
    /* IPv6 addresses stand in brackets. */
    bool bracketed = length > 2 && server[0] == '[' && server[length - 1] == ']';
    char *machine = NULL;
    if (length > 0)
        machine = bracketed ? mem_dup(server + 1, length - 2) : mem_strdup(server);
    xmlFreeURI(uri);
    return machine;
}

int connection_require_local(const struct connection *connection, const char *what,
                             struct firn_error **err)
{
    if (connection->machine == NULL)
        return 0;
    return fail(err, FIRN_INVALID,
                "cannot %s by way of libvirt on another machine (%s), where its images are: run "
                "firn there",
                what, connection->machine);
}

int connection_domain(struct connection *connection, const char *reference, virDomainPtr *out,
                      struct firn_error **err)
{
    *out = virDomainLookupByName(connection->vir, reference);
    if (*out == NULL && strlen(reference) == VIR_UUID_STRING_BUFLEN - 1)
        *out = virDomainLookupByUUIDString(connection->vir, reference);
    if (*out == NULL)
        return fail_vir(err, "find the domain \"%s\" at %s", reference, connection->uri);
    return 0;
}

void connection_step(struct connection *connection, const char *what)
{
    connection->host->step(connection->host, what);
}

int connection_cancelled(struct connection *connection, struct firn_error **err)
{
    if (connection->host->cancelled(connection->host))
        return fail(err, FIRN_CANCELLED, "cancelled");
    return 0;
}
