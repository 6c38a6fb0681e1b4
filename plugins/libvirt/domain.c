/* SPDX-License-Identifier: Apache-2.0 */
#include "domain.h"

#include "core/mem.h"
#include "xml.h"

#include <string.h>

void domain_release(struct domain *domain)
{
    vir_domain_release(&domain->vir);
    free(domain->definition);
    free(domain->live);
    xml_release(&domain->document);
    *domain = (struct domain){.vir = NULL};
}

/* With passwords if the connection may see them: the restored domain shall be the same. */
static char *describe(virDomainPtr domain, unsigned flags)
{
    char *text = virDomainGetXMLDesc(domain, flags | VIR_DOMAIN_XML_SECURE);
    return text != NULL ? text : virDomainGetXMLDesc(domain, flags);
}

int domain_load_take(virDomainPtr vir, struct domain *out, struct firn_error **err)
{
    auto_domain_view struct domain domain = {.vir = vir};
    if (virDomainGetUUIDString(vir, domain.uuid) < 0 ||
        virDomainGetState(vir, &domain.state, &domain.reason, 0) < 0)
        return fail_vir(err, "ask for the state of the domain");
    domain.active = domain.state != VIR_DOMAIN_SHUTOFF;
    domain.definition = describe(vir, VIR_DOMAIN_XML_INACTIVE);
    if (domain.active)
        domain.live = describe(vir, 0);
    if (domain.definition == NULL || (domain.active && domain.live == NULL))
        return fail_vir(err, "read the XML of the domain");
    const char *text = domain.active ? domain.live : domain.definition;
    if (xml_parse(text, strlen(text), "XML of the domain", &domain.document, err) < 0)
        return -1;
    *out = domain;
    domain = (struct domain){.vir = NULL};
    return 0;
}

const char *domain_why_unclean(const struct domain *domain)
{
    switch (domain->reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
        return NULL;
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
        return "the domain was forced off";
    case VIR_DOMAIN_SHUTOFF_CRASHED:
        return "the domain crashed";
    case VIR_DOMAIN_SHUTOFF_SAVED:
        return "the domain is saved to a file: its memory holds what is not on its disks";
    case VIR_DOMAIN_SHUTOFF_FAILED:
        return "the domain failed to start";
    case VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT:
        return "the domain was reverted to a snapshot";
    case VIR_DOMAIN_SHUTOFF_MIGRATED:
        return "the domain was migrated to another host";
    case VIR_DOMAIN_SHUTOFF_DAEMON:
        return "libvirt ended the domain";
    default:
        return "libvirt does not know how the domain was shut off";
    }
}
