/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thawing, by whoever has to: the Firn that froze the guest, its watchdog, or the next Firn on that libvirt.
 */
#ifndef PLUGIN_LIBVIRT_THAW_H
#define PLUGIN_LIBVIRT_THAW_H

#include "marker.h"

/* Thaws, with retries, also across a restart of the libvirt daemon at uri. 0: the agent confirmed it, or the domain does not
 * run any more; -1: not within a minute, and why. The agent works its requests off in order, so a thaw that it answered came
 * after every freeze that it was asked for before. */
int thaw(const char *uri, virDomainPtr domain, struct firn_error **err);

/* Thaws the guest if its marker says that it may be frozen, and takes that out of the marker. The caller holds the lock of
 * the domain. 1: thawed; 0: nothing to do. */
int thaw_marked(const char *uri, virDomainPtr domain, struct marker *marker,
                struct firn_error **err);
/* Takes the lock for it. -1 with CONFLICT if another Firn in the lock's scope holds it. */
int thaw_locked(const char *uri, virDomainPtr domain, struct firn_error **err);
/* The same, but only if the marker is of a Firn in the lock's scope, where a free lock means that it is dead. */
int thaw_left(const char *uri, virDomainPtr domain, struct firn_error **err);

#endif
