/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain as it is when its capture begins: its definitions and its state.
 */
#ifndef PLUGIN_LIBVIRT_DOMAIN_H
#define PLUGIN_LIBVIRT_DOMAIN_H

#include "connection.h"

#include <libxml/tree.h>
#include <stdbool.h>

struct domain {
    virDomainPtr vir;
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *definition;   /* XML that it is started from (of a transient one: what it runs with) */
    char *live;         /* XML that it runs with; NULL when it is off */
    xmlDocPtr document; /* the live one, parsed; the definition when it is off */
    bool active;
    int state; /* virDomainState, and the reason that goes with it */
    int reason;
};
#define auto_domain_view __attribute__((cleanup(domain_release)))
void domain_release(struct domain *domain);

/* Takes over `vir`. */
int domain_load_take(virDomainPtr vir, struct domain *out, struct firn_error **err);

/* Why the contents of the disks of a domain that is off are more than crash-consistent (NULL) or not (the reason). */
const char *domain_why_unclean(const struct domain *domain);

#endif
