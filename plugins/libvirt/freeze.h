/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezing a guest's file systems, as a promise: bounded, and thawed whatever happens.
 *
 *     marker "frozen" -> freeze request ................. thaw confirmed -> marker "not frozen"
 *                        |<------ frozen, measured ------>|
 *                        |<-- freeze-timeout -->| the guard thaws, through a connection of its own
 *
 * After any attempt to freeze, a failed one as well, the guest is thawed, with retries: an agent that is late may freeze
 * after libvirt has given up on it. Should this process die, its watchdog thaws.
 */
#ifndef PLUGIN_LIBVIRT_FREEZE_H
#define PLUGIN_LIBVIRT_FREEZE_H

#include "connection.h"
#include "marker.h"

#include <stdbool.h>

struct freeze;

struct freeze_result {
    int64_t milliseconds; /* from the request to freeze until the thaw was confirmed */
    bool kept;            /* the guard had not to step in: frozen until freeze_end() */
    bool thawed;          /* the thaw was confirmed */
};

/* Freezes the guest. marker->run and ->checkpoint are noted in the domain. -1: it is not frozen (or could not be thawed
 * after a failed attempt, which is logged), and why. */
int freeze_begin(struct connection *connection, virDomainPtr domain, const struct marker *marker,
                 struct freeze **out, struct firn_error **err);
/* Thaws, frees, and tells how it went. */
void freeze_end(struct freeze *freeze, struct freeze_result *result);

#endif
