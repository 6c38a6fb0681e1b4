/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restoring a domain under a name: disks as images in a folder, NVRAM and TPM state beside it, then the definition.
 *
 *     look for collisions -> images under temporary names -> NVRAM, TPM -> names made final -> domain defined
 *
 * A failure undoes what was done before it: nothing half-made stays.
 */
#ifndef PLUGIN_LIBVIRT_RESTORE_H
#define PLUGIN_LIBVIRT_RESTORE_H

#include "connection.h"

int restore_run(struct connection *connection, const struct firn_restore *request,
                struct firn_source *source, struct firn_error **err);

#endif
