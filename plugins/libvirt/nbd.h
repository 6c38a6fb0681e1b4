/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NBD by libnbd: one connection to one export, with several requests in flight.
 *
 *     capture:  block status (allocation, changes) -> holes as zero, the rest read in pieces -> object of the sink
 *     restore:  extents of the source -> writes in pieces -> flush
 *
 * The server is QEMU's, see address.h, or a program that libnbd starts and stops with the connection.
 */
#ifndef PLUGIN_LIBVIRT_NBD_H
#define PLUGIN_LIBVIRT_NBD_H

#include "address.h"

#include "core/error.h"

#include <firn/plugin.h>
#include <libnbd.h>
#include <stdatomic.h>
#include <stdbool.h>

struct nbd_target {
    const struct address *address; /* a server that runs already; or NULL */
    const char *const
        *server; /* else: the program and its arguments, ended by NULL (socket activation) */
    const char *export_name;
    const char *bitmap; /* dirty bitmap to look at; NULL: none */
};

#define auto_nbd __attribute__((cleanup(nbd_release)))
void nbd_release(struct nbd_handle **nbd);

/* -1 also if the server does not show the bitmap. */
int nbd_open(const struct nbd_target *target, struct nbd_handle **out, struct firn_error **err);

struct nbd_transfer {
    const struct firn_host *host;
    struct nbd_handle *nbd;  /* NULL afterwards if it had to be closed */
    const atomic_bool *stop; /* set when another disk failed */
    uint64_t size;           /* of the export */
    uint64_t bytes;          /* out: read, or written */
};

/* Gives the whole export to the object, or, if nbd_open() was told a bitmap, what it marks as changed. -1 without an error
 * in *err: the host has said why. */
int nbd_capture(struct nbd_transfer *transfer, struct firn_sink *sink, struct firn_object *object,
                const char *bitmap, struct firn_error **err);
/* Writes the volume that the reader gives, leaving out zeros (the target is new), and flushes it. */
int nbd_restore(struct nbd_transfer *transfer, struct firn_source *source,
                struct firn_reader *reader, struct firn_error **err);

#endif
