/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disks of a domain into the sink, several at a time, each in a thread of its own. The first failure stops all.
 */
#ifndef PLUGIN_LIBVIRT_VOLUMES_H
#define PLUGIN_LIBVIRT_VOLUMES_H

#include "connection.h"
#include "disk.h"
#include "nbd.h"

#define DISK_MEDIA_TYPE "application/vnd.firn.disk.raw"

/* targets[i] is where disks->list[i] is read; those of skipped disks are not looked at. Fills in size and bytes_read of the
 * disks. -1 without an error in *err: the host has said why. */
int volumes_capture(struct connection *connection, struct disks *disks,
                    const struct nbd_target *targets, struct firn_sink *sink,
                    struct firn_error **err);

#endif
