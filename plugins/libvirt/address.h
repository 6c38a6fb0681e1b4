/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where QEMU shows the disks of a backup job, and how this machine gets there:
 *
 *     libvirt on this machine     a Unix socket in the scratch directory
 *     libvirt on another one      a TCP port, with TLS on both ends (or, if the user says so, without)
 *
 * Over there QEMU listens on the one address by which it is reached from here, and proves who it is by the certificate of
 * backup_tls_x509_cert_dir (qemu.conf); it asks for a certificate of ours unless backup_tls_x509_verify is 0.
 */
#ifndef PLUGIN_LIBVIRT_ADDRESS_H
#define PLUGIN_LIBVIRT_ADDRESS_H

#include "connection.h"

#include <stdbool.h>

struct address {
    char *socket; /* NULL: by TCP */
    char *host;   /* what we connect to, and what its certificate must name */
    char *listen; /* numeric, what QEMU listens on */
    char *port;
    bool tls;
    const char *certificates; /* directory as libnbd knows it; NULL: libnbd's own */
};
#define auto_address __attribute__((cleanup(address_release)))
void address_release(struct address *address);

/* For the job of that domain, by the parameters of the connection. */
int address_choose(const struct connection *connection, virDomainPtr domain, struct address *out,
                   struct firn_error **err);

#endif
