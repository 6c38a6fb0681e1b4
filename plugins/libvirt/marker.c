/* SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

#include "core/mem.h"
#include "lock.h"
#include "xml.h"

#include <stdlib.h>
#include <string.h>

/* A marker may be anybody's: none makes us wait for longer. */
#define TIMEOUT_MOST 3600000

void marker_release(struct marker *marker)
{
    free(marker->run);
    free(marker->scope);
    free(marker->checkpoint);
    *marker = (struct marker){.frozen = false};
}

static int write_metadata(virDomainPtr domain, const char *text)
{
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, text, "firn", MARKER_NAMESPACE,
                                VIR_DOMAIN_AFFECT_LIVE);
}

int marker_set(virDomainPtr domain, const struct marker *marker, struct firn_error **err)
{
    auto_xml xmlDocPtr document = xml_new("capture");
    xmlNodePtr root = xmlDocGetRootElement(document);
    xml_set(root, "run", marker->run);
    auto_free char *scope = lock_scope();
    xml_set(root, "scope", marker->scope != NULL ? marker->scope : scope);
    xml_set(root, "checkpoint", marker->checkpoint);
    xml_set(root, "frozen", marker->frozen ? "yes" : "no");
    auto_free char *timeout = mem_printf("%lld", (long long)marker->timeout);
    xml_set(root, "timeout", timeout);
    auto_free char *text = xml_text_of(document);
    if (write_metadata(domain, text) < 0)
        return fail_vir(err, "note the capture in the metadata of %s", virDomainGetName(domain));
    return 0;
}

int marker_get(virDomainPtr domain, struct marker *out, struct firn_error **err)
{
    *out = (struct marker){.frozen = false};
    auto_free char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
                                                MARKER_NAMESPACE, VIR_DOMAIN_AFFECT_LIVE);
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
    auto_free char *timeout = xml_string(root, "@timeout");
    out->run = xml_string(root, "@run");
    out->scope = xml_string(root, "@scope");
    out->checkpoint = xml_string(root, "@checkpoint");
    out->frozen = frozen != NULL && strcmp(frozen, "yes") == 0;
    long long milliseconds = timeout == NULL ? 0 : strtoll(timeout, NULL, 10);
    if (milliseconds > 0)
        out->timeout = milliseconds < TIMEOUT_MOST ? milliseconds : TIMEOUT_MOST;
    return 1;
}

bool marker_is_ours(const struct marker *marker)
{
    auto_free char *scope = lock_scope();
    return marker->scope != NULL && strcmp(marker->scope, scope) == 0;
}

int marker_clear(virDomainPtr domain, struct firn_error **err)
{
    if (virDomainIsActive(domain) == 1 && write_metadata(domain, NULL) < 0 &&
        virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA && virDomainIsActive(domain) == 1)
        return fail_vir(err, "remove the note of the capture from %s", virDomainGetName(domain));
    return 0;
}
