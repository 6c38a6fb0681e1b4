/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to one libvirt daemon, with the parameters that every part of the plugin looks at.
 */
#ifndef PLUGIN_LIBVIRT_CONNECTION_H
#define PLUGIN_LIBVIRT_CONNECTION_H

#include "vir.h"

#include <firn/plugin.h>

struct connection {
    const struct firn_host *host;
    virConnectPtr vir;
    char *uri;
    char *machine; /* the other machine that libvirt runs on; NULL: it is this one */
    const char *scratch_directory; /* QEMU's socket and scratch files go here */
    int64_t freeze_timeout;        /* most ms that a guest stays frozen */
};

extern const struct firn_param connection_params[];

int connection_open(const struct firn_host *host, struct connection **out, struct firn_error **err);
void connection_close(struct connection *connection);

/* The machine that a URI of libvirt names, or NULL: this one. The caller's. */
char *connection_machine_of(const char *uri);
/* -1 with INVALID, saying that one cannot do `what`, if libvirt runs on another machine: images are there, then. */
int connection_require_local(const struct connection *connection, const char *what,
                             struct firn_error **err);

/* The domain of that name or UUID. The caller's. */
int connection_domain(struct connection *connection, const char *reference, virDomainPtr *out,
                      struct firn_error **err);

#define connection_log(connection, level, ...)                                                     \
    (connection)->host->log((connection)->host, FIRN_LOG_##level, __VA_ARGS__)
/* Tells the progress display what is being done. */
void connection_step(struct connection *connection, const char *what);
/* -1 with CANCELLED once the host wants to stop. */
int connection_cancelled(struct connection *connection, struct firn_error **err);

#endif
