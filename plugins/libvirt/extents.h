/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume of a snapshot, extent by extent, into whatever a restore writes.
 */
#ifndef PLUGIN_LIBVIRT_EXTENTS_H
#define PLUGIN_LIBVIRT_EXTENTS_H

#include "core/error.h"

#include <firn/plugin.h>
#include <stdatomic.h>

struct extents {
    const struct firn_host *host;
    const atomic_bool *stop; /* set when another disk failed */
    uint64_t size;           /* of what is written */
    /* Writes data; zeros never come, for what is written is new. */
    int (*write)(void *context, uint64_t offset, const void *data, uint64_t length,
                 struct firn_error **err);
    void *context;
};

/* -1 with CORRUPT if the volume goes beyond the size; without an error in *err: the host has said why. */
int extents_write(const struct extents *extents, struct firn_source *source,
                  struct firn_reader *reader, struct firn_error **err);

#endif
