/* SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

#include "core/mem.h"
#include "xml.h"

#include <string.h>

#define NAMESPACE "https://firn.dev/libvirt/1"

void marker_release(struct marker *marker)
{
    free(marker->run);
    free(marker->checkpoint);
    *marker = (struct marker){.frozen = false};
}

static int write_metadata(virDomainPtr domain, const char *text)
{
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, text, "firn", NAMESPACE,
                                VIR_DOMAIN_AFFECT_LIVE);
}

int marker_set(virDomainPtr domain, const struct marker *marker, struct firn_error **err)
{
    auto_xml xmlDocPtr document = xml_new("capture");
    xmlNodePtr root = xmlDocGetRootElement(document);
    xml_set(root, "run", marker->run);
    xml_set(root, "checkpoint", marker->checkpoint);
    xml_set(root, "frozen", marker->frozen ? "yes" : "no");
    auto_free char *text = xml_text_of(document);
    if (write_metadata(domain, text) < 0)
        return fail_vir(err, "note the capture in the metadata of %s", virDomainGetName(domain));
    return 0;
}

int marker_get(virDomainPtr domain, struct marker *out, struct firn_error **err)
{
    *out = (struct marker){.frozen = false};
    auto_free char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE,
                                                VIR_DOMAIN_AFFECT_LIVE);
    if (text == NULL) {
        int code = virGetLastErrorCode();
        if (code == VIR_ERR_NO_DOMAIN_METADATA || code == VIR_ERR_OPERATION_INVALID ||
            code == VIR_ERR_NO_DOMAIN)
            return 0;
        return fail_vir(err, "read the metadata of %s", virDomainGetName(domain));
    }
    auto_xml xmlDocPtr document = NULL;
    if (xml_parse(text, strlen(text), "metadata of Firn", &document, err) < 0)
        return -1;
    xmlNodePtr root = xmlDocGetRootElement(document);
    auto_free char *frozen = xml_string(root, "@frozen");
    out->run = xml_string(root, "@run");
    out->checkpoint = xml_string(root, "@checkpoint");
    out->frozen = frozen != NULL && strcmp(frozen, "yes") == 0;
    return 1;
}

int marker_clear(virDomainPtr domain, struct firn_error **err)
{
    if (virDomainIsActive(domain) == 1 && write_metadata(domain, NULL) < 0 &&
        virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA && virDomainIsActive(domain) == 1)
        return fail_vir(err, "remove the note of the capture from %s", virDomainGetName(domain));
    return 0;
}
