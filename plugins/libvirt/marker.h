/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The marker: what a running capture writes into the metadata of the live domain before it touches it, so that the next Firn
 * can undo it should this one die.
 *
 *     <firn:capture xmlns:firn="https://firn.dev/libvirt/1" run="…" checkpoint="firn-…" frozen="yes"/>
 *
 * It lives as long as the domain's QEMU, which is as long as a freeze or a job can last.
 */
#ifndef PLUGIN_LIBVIRT_MARKER_H
#define PLUGIN_LIBVIRT_MARKER_H

#include "vir.h"

#include <stdbool.h>

struct marker {
    char *run;
    char *checkpoint; /* made by that run, or NULL */
    bool frozen;      /* the guest may be frozen */
};
#define auto_marker __attribute__((cleanup(marker_release)))
void marker_release(struct marker *marker);

int marker_set(virDomainPtr domain, const struct marker *marker, struct firn_error **err);
/* 1: there is one, in *out; 0: none; -1: error. */
int marker_get(virDomainPtr domain, struct marker *out, struct firn_error **err);
int marker_clear(virDomainPtr domain, struct firn_error **err);

#endif
