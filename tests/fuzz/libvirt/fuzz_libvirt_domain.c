/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML of a domain from a snapshot: its disks are read, it is adapted for a restore, and what comes out can be read again.
 */
#include "unit/libvirt/fake_host.h"

#include "libvirt/definition.h"
#include "libvirt/disk.h"
#include "libvirt/xml.h"

#include "core/mem.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_xml xmlDocPtr document = NULL, again = NULL;
    auto_disks struct disks disks = {.count = 0};
    char target[] = "vda", format[] = "qcow2", path[] = "/images/copy-vda.qcow2";
    struct image image = {.target = target, .format = format, .path = path};
    struct images images = {.list = &image, .count = 1};
    if (xml_parse((const char *)data, size, "input", &document, NULL) < 0)
        return 0;
    disks_read(&fake_connection, document, &disks, NULL);
    *fake_log = '\0';
    definition_adapt(&fake_connection, document, "copy", "99999999-2222-4333-8444-555555555555",
                     &images, "/images/copy_VARS.fd");
    auto_free char *text = xml_text_of(document);
    if (xml_parse(text, strlen(text), "output", &again, NULL) < 0)
        abort();
    return 0;
}
