/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undoing what a Firn that died has left: first of all guests that it froze.
 */
#ifndef PLUGIN_LIBVIRT_SWEEP_H
#define PLUGIN_LIBVIRT_SWEEP_H

#include "connection.h"

/* Thaws every guest of the connection that carries a marker which no living Firn holds. Errors are logged. */
void sweep_frozen(struct connection *connection);

/* Ends the backup job, deletes the checkpoint (unless it is `keep`, the one that a snapshot ended on) and the files that a
 * dead Firn left in this domain. The caller holds the domain's lock. */
int sweep_domain(struct connection *connection, virDomainPtr domain, const char *keep,
                 struct firn_error **err);

#endif
