/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The marker: what a running capture writes into the metadata of the live domain before it touches it, so that the next Firn
 * can undo it should this one die.
 *
 *     <firn:capture xmlns:firn="https://firn.dev/libvirt/1" run="…" scope="…" checkpoint="firn-…"
 *                   frozen="yes" timeout="30000"/>
 *
 * It lives as long as the domain's QEMU, which is as long as a freeze or a job can last.
 */
#ifndef PLUGIN_LIBVIRT_MARKER_H
#define PLUGIN_LIBVIRT_MARKER_H

#include "vir.h"

#include <stdbool.h>
#include <stdint.h>

#define MARKER_NAMESPACE "https://firn.dev/libvirt/1"

struct marker {
    char *run;
    char *scope;      /* of the run's lock, see lock.h; NULL: of this process */
    char *checkpoint; /* made by that run, or NULL */
    bool frozen;      /* the guest may be frozen */
    int64_t timeout;  /* ms after which its Firn thaws it in any case */
};
#define auto_marker __attribute__((cleanup(marker_release)))
void marker_release(struct marker *marker);

int marker_set(virDomainPtr domain, const struct marker *marker, struct firn_error **err);
/* 1: there is one, in *out; 0: none; -1: error. */
int marker_get(virDomainPtr domain, struct marker *out, struct firn_error **err);
/* Whether it is of a Firn whose lock can be seen from here: only then does a free lock mean that it is dead. */
bool marker_is_ours(const struct marker *marker);
int marker_clear(virDomainPtr domain, struct firn_error **err);

#endif
