/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disks of a domain, as its XML lists them: which are captured, which are not and why, and the table of both that goes
 * into the snapshot as "disks.json".
 */
#ifndef PLUGIN_LIBVIRT_DISK_H
#define PLUGIN_LIBVIRT_DISK_H

#include "connection.h"

#include <json-c/json.h>
#include <libxml/tree.h>
#include <stdbool.h>

struct disk {
    char *target; /* vda: its name in the snapshot, too */
    char *bus;
    char *device; /* disk, cdrom, floppy, lun */
    char *type;   /* file, block, network, volume, … */
    char *format; /* raw, qcow2 … */
    char *source; /* path of a file or device; NULL for others */
    char *pool;   /* of type volume */
    char *volume;
    char *serial;
    char *discard;
    char **backing; /* paths of the images below, topmost first */
    size_t backing_count;
    char *skipped; /* why it is not captured; NULL: it is */
    /* What this run decided and found. */
    bool incremental;
    char *full_reason; /* why not incrementally; NULL: nothing to explain */
    uint64_t size;     /* bytes the guest sees */
    uint64_t bytes_read;
};

struct disks {
    struct disk *list;
    size_t count;
};
#define auto_disks __attribute__((cleanup(disks_release)))
void disks_release(struct disks *disks);

/* Reads the disks of a domain and decides which are captured, by what they are and by the parameters of the connection. */
int disks_read(struct connection *connection, xmlDocPtr domain, struct disks *out,
               struct firn_error **err);
/* The disk of that target, or NULL. Borrowed. */
struct disk *disks_find(const struct disks *disks, const char *target);
size_t disks_captured(const struct disks *disks);
/* Whether changes of the disk can be tracked: QEMU keeps dirty bitmaps in qcow2 only. */
bool disk_tracks_changes(const struct disk *disk);
/* Where the image lies on this machine, the volume of a storage pool looked up. NULL: nowhere. The caller's. */
char *disk_path(struct connection *connection, const struct disk *disk);

/* The table of the snapshot. The caller's. */
struct json_object *disks_table(const struct disks *disks);

#endif
