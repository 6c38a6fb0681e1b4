/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a capture leaves for the next one of the same domain, as JSON in the snapshot: on which checkpoint it ended, and the
 * disks that it holds. It may have been written by another version, or by an enemy: it is believed only as far as libvirt
 * confirms it.
 */
#ifndef PLUGIN_LIBVIRT_STATE_H
#define PLUGIN_LIBVIRT_STATE_H

#include "disk.h"

struct state_disk {
    char *target;
    uint64_t size;
};

struct state {
    char *uuid;       /* of the domain */
    char *lineage;    /* see checkpoint.h */
    char *checkpoint; /* NULL: none */
    char *checkpoint_xml;
    struct state_disk *disks;
    size_t disk_count;
};
#define auto_state __attribute__((cleanup(state_release)))
void state_release(struct state *state);

/* -1 with INVALID if it is not such a state. */
int state_read(const char *json, struct state *out, struct firn_error **err);
/* The size of that disk in the parent snapshot; 0: it is not in it. */
uint64_t state_disk_size(const struct state *state, const char *target);

/* The state as JSON, for the captured disks; checkpoint and its XML may be NULL. The caller's. */
char *state_write(const char *uuid, const char *lineage, const char *checkpoint,
                  const char *checkpoint_xml, const struct disks *disks);

#endif
