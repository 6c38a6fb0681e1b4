/* SPDX-License-Identifier: Apache-2.0 */
#include "definition.h"

#include "core/mem.h"
#include "xml.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void random_bytes(unsigned char *out, size_t length)
{
    if (getrandom(out, length, 0) != (ssize_t)length)
        abort(); /* up to 256 bytes never fail once the system has started */
}

void definition_new_uuid(char out[VIR_UUID_STRING_BUFLEN])
{
    unsigned char raw[16];
    random_bytes(raw, sizeof(raw));
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    auto_free char *text =
        mem_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", raw[0],
                   raw[1], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7], raw[8], raw[9], raw[10],
                   raw[11], raw[12], raw[13], raw[14], raw[15]);
    memcpy(out, text, VIR_UUID_STRING_BUFLEN);
}

static void set_text(xmlNodePtr root, const char *path, const char *text)
{
    xmlNodePtr node = xml_element(root, path);
    if (node != NULL)
        xml_set_text(node, text);
}

static void renew_identity(xmlNodePtr root, const char *name, const char *uuid)
{
    char generation[VIR_UUID_STRING_BUFLEN];
    definition_new_uuid(generation);
    set_text(root, "name", name);
    if (xml_element(root, "uuid") == NULL)
        xml_add(root, "uuid", uuid);
    set_text(root, "uuid", uuid);
    /* libvirt refuses a domain whose SMBIOS says another UUID; a clone must not keep its generation. */
    set_text(root, "sysinfo/system/entry[@name='uuid']", uuid);
    set_text(root, "genid", generation);
    xml_set(root, "id", NULL);
    xml_remove(root, "metadata/*[local-name()='capture' and "
                     "namespace-uri()='https://firn.dev/libvirt/1']");
}

static void renew_interfaces(xmlNodePtr root)
{
    auto_free xmlNodePtr *macs = NULL;
    size_t count = xml_elements(root, "devices/interface/mac", &macs);
    for (size_t i = 0; i < count; i++) {
        unsigned char raw[3];
        random_bytes(raw, sizeof(raw));
        auto_free char *address = mem_printf("52:54:00:%02x:%02x:%02x", raw[0], raw[1], raw[2]);
        xml_set(macs[i], "address", address);
    }
    /* Sockets in folders named after the old domain; libvirt makes new ones. */
    xml_remove(root, "devices/channel[@type='unix']/source[contains(@path, '/channel/target/')]");
}

static void use_image(xmlNodePtr disk, const struct image *image)
{
    xml_remove(disk, "source | backingStore | mirror | auth | encryption | transient");
    xml_set(disk, "type", "file");
    xml_set(xml_add(disk, "source", NULL), "file", image->path);
    xmlNodePtr driver = xml_element(disk, "driver");
    if (driver == NULL)
        driver = xml_add(disk, "driver", NULL);
    xml_set(driver, "name", "qemu");
    xml_set(driver, "type", image->format);
}

static const struct image *find_image(const struct images *images, const char *target)
{
    for (size_t i = 0; target != NULL && i < images->count; i++) {
        if (strcmp(images->list[i].target, target) == 0)
            return &images->list[i];
    }
    return NULL;
}

static void adapt_disk(struct connection *connection, xmlNodePtr disk, const struct images *images)
{
    auto_free char *target = xml_string(disk, "target/@dev");
    auto_free char *device = xml_string(disk, "@device");
    const struct image *image = find_image(images, target);
    if (image != NULL) {
        use_image(disk, image);
    } else if (device != NULL && (strcmp(device, "cdrom") == 0 || strcmp(device, "floppy") == 0)) {
        xml_remove(disk, "source | backingStore");
        xml_set(disk, "type", "file");
    } else {
        connection_log(connection, WARNING,
                       "disk %s is not in the snapshot; the restored domain comes without it",
                       target == NULL ? "without a target" : target);
        xmlUnlinkNode(disk);
        xmlFreeNode(disk);
    }
}

static void adapt_disks(struct connection *connection, xmlNodePtr root, const struct images *images)
{
    auto_free xmlNodePtr *disks = NULL;
    size_t count = xml_elements(root, "devices/disk", &disks);
    for (size_t i = 0; i < images->count; i++) {
        const char *target = images->list[i].target;
        size_t n = 0;
        while (n < count) {
            auto_free char *name = xml_string(disks[n], "target/@dev");
            if (name != NULL && strcmp(name, target) == 0)
                break;
            n++;
        }
        if (n == count)
            connection_log(
                connection, WARNING,
                "disk %s was attached while the domain ran: its image is restored, but the "
                "definition does not name it",
                target);
    }
    for (size_t i = 0; i < count; i++)
        adapt_disk(connection, disks[i], images);
}

bool definition_has_nvram(xmlDocPtr document)
{
    return xml_element(xmlDocGetRootElement(document), "os/nvram") != NULL;
}

void definition_adapt(struct connection *connection, xmlDocPtr document, const char *name,
                      const char *uuid, const struct images *images, const char *nvram)
{
    xmlNodePtr root = xmlDocGetRootElement(document);
    renew_identity(root, name, uuid);
    renew_interfaces(root);
    adapt_disks(connection, root, images);
    if (nvram == NULL)
        return;
    xmlNodePtr node = xml_element(root, "os/nvram");
    if (node == NULL && xml_element(root, "os") != NULL)
        node = xml_add(xml_element(root, "os"), "nvram", NULL);
    if (node != NULL) {
        xml_set_text(node, nvram);
        xml_set(node, "type", NULL);
    }
}

/* ------------------------------------------------------------------------------------------------ prerequisites */

static size_t check_files(struct connection *connection, xmlNodePtr root, const char *path)
{
    auto_free char *file = xml_string(root, path);
    if (file == NULL || *file == '\0' || access(file, F_OK) == 0)
        return 0;
    connection_log(connection, WARNING, "the domain needs %s, which is not on this machine", file);
    return 1;
}

static size_t check_networks(struct connection *connection, xmlNodePtr root)
{
    auto_free xmlNodePtr *sources = NULL;
    size_t count = xml_elements(root, "devices/interface/source[@network]", &sources);
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        auto_free char *name = xml_string(sources[i], "@network");
        virNetworkPtr network = virNetworkLookupByName(connection->vir, name);
        if (network != NULL) {
            virNetworkFree(network);
            continue;
        }
        connection_log(connection, WARNING,
                       "the domain needs the network \"%s\", which libvirt does not have", name);
        missing++;
    }
    return missing;
}

size_t definition_check(struct connection *connection, xmlDocPtr document)
{
    xmlNodePtr root = xmlDocGetRootElement(document);
    return check_files(connection, root, "devices/emulator") +
           check_files(connection, root, "os/loader") + check_files(connection, root, "os/kernel") +
           check_files(connection, root, "os/initrd") + check_networks(connection, root);
}
