/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the libvirt plugin makes of XML: which disks are captured, what a checkpoint is asked to hold, what a restored domain
 * looks like; and the state that one capture leaves for the next.
 */
#include "fake_host.h"
#include "unit/unit.h"

#include "libvirt/checkpoint.h"
#include "libvirt/definition.h"
#include "libvirt/disk.h"
#include "libvirt/state.h"
#include "libvirt/xml.h"

#include "core/json.h"

static const char domain_text[] =
    "<domain type='kvm' id='3'><name>web</name><uuid>11111111-2222-4333-8444-555555555555</uuid>"
    "<metadata><firn:capture xmlns:firn='https://firn.dev/libvirt/1' run='r' "
    "frozen='no'/></metadata>"
    "<genid>11111111-2222-4333-8444-666666666666</genid>"
    "<os><type>hvm</type><nvram template='t' type='file'><source file='/old'/></nvram></os>"
    "<sysinfo type='smbios'><system><entry name='uuid'>11111111-2222-4333-8444-555555555555</entry>"
    "</system></sysinfo><devices>"
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/>"
    "<source file='/a.qcow2'/><backingStore type='file'><format type='raw'/><source file='/base'/>"
    "<backingStore/></backingStore><target dev='vda' bus='virtio'/><serial>S1</serial></disk>"
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/x'/>"
    "<target dev='vdb' bus='virtio'/></disk>"
    "<disk type='file' device='disk'><driver type='qcow2'/><source file='/ro'/><target dev='vdc'/>"
    "<readonly/></disk>"
    "<disk type='file' device='disk'><driver type='raw'/><source file='/sh'/><target dev='vdd'/>"
    "<shareable/></disk>"
    "<disk type='file' device='cdrom'><source file='/cd.iso'/><target dev='sda'/></disk>"
    "<disk type='file' device='floppy'><target dev='fda'/></disk>"
    "<disk type='block' device='lun'><source dev='/dev/y'/><target dev='sdb'/></disk>"
    "<disk type='network' device='disk'><driver type='raw'/><source protocol='rbd' name='p/i'/>"
    "<target dev='vde'/></disk>"
    "<interface type='network'><mac address='52:54:00:00:00:01'/></interface>"
    "<channel type='unix'><source mode='bind' path='/x/channel/target/domain-3-web/agent'/>"
    "<target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>";

static xmlDocPtr parse(const char *text)
{
    xmlDocPtr document = NULL;
    CU_ASSERT_EQUAL_FATAL(xml_parse(text, strlen(text), "test", &document, NULL), 0);
    return document;
}

static void check_text(xmlDocPtr document, const char *path, const char *wanted)
{
    auto_free char *text = xml_string(xmlDocGetRootElement(document), path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static const char *why(const struct disks *disks, const char *target)
{
    const struct disk *disk = disks_find(disks, target);
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk);
    return disk->skipped == NULL ? "captured" : disk->skipped;
}

static void test_disks_by_kind(void)
{
    auto_xml xmlDocPtr document = parse(domain_text);
    auto_disks struct disks disks = {.count = 0};
    CU_ASSERT_EQUAL_FATAL(disks_read(&fake_connection, document, &disks, NULL), 0);
    CU_ASSERT_EQUAL(disks.count, 8);
    CU_ASSERT_EQUAL(disks_captured(&disks), 3);
    CU_ASSERT_STRING_EQUAL(why(&disks, "vda"), "captured");
    CU_ASSERT_STRING_EQUAL(why(&disks, "vdb"), "captured");
    CU_ASSERT_STRING_EQUAL(why(&disks, "vde"), "captured");
    CU_ASSERT_STRING_EQUAL(why(&disks, "vdc"), "read-only for the guest");
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&disks, "vdd"), "shared"));
    CU_ASSERT_STRING_EQUAL(why(&disks, "sda"), "a CD-ROM drive");
    CU_ASSERT_STRING_EQUAL(why(&disks, "fda"), "a floppy drive");
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&disks, "sdb"), "passed through"));
    const struct disk *first = disks_find(&disks, "vda");
    CU_ASSERT_EQUAL(first->backing_count, 1);
    CU_ASSERT_STRING_EQUAL(first->backing[0], "/base");
    CU_ASSERT_TRUE(disk_tracks_changes(first));
    CU_ASSERT_FALSE(disk_tracks_changes(disks_find(&disks, "vdb")));
    auto_json struct json_object *table = disks_table(&disks);
    CU_ASSERT_STRING_EQUAL(json_string_or(table, "disks.0.serial", ""), "S1");
    CU_ASSERT_STRING_EQUAL(json_string_or(table, "disks.0.backingChain.0", ""), "/base");
    CU_ASSERT_STRING_EQUAL(json_string_or(table, "disks.4.skipped", ""), "a CD-ROM drive");
}

static void test_disks_by_name(void)
{
    auto_xml xmlDocPtr document = parse(domain_text);
    auto_disks struct disks chosen = {.count = 0}, others = {.count = 0}, none = {.count = 0};
    auto_error struct firn_error *error = NULL;
    fake_disks = "vda, vdd,sda";
    CU_ASSERT_EQUAL(disks_read(&fake_connection, document, &chosen, NULL), 0);
    CU_ASSERT_STRING_EQUAL(why(&chosen, "vda"), "captured");
    CU_ASSERT_STRING_EQUAL(why(&chosen, "vdd"), "captured");
    CU_ASSERT_STRING_EQUAL(why(&chosen, "vdb"), "not among the disks asked for");
    CU_ASSERT_STRING_EQUAL(why(&chosen, "sda"), "a CD-ROM drive");
    fake_disks = NULL;
    fake_excluded = "vda";
    CU_ASSERT_EQUAL(disks_read(&fake_connection, document, &others, NULL), 0);
    CU_ASSERT_STRING_EQUAL(why(&others, "vda"), "left out by exclude-disks");
    CU_ASSERT_STRING_EQUAL(why(&others, "vdb"), "captured");
    fake_excluded = "vd";
    CU_ASSERT_EQUAL(disks_read(&fake_connection, document, &none, &error), -1);
    CU_ASSERT_EQUAL(error_code(error), FIRN_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(error_message(error), "\"vd\""));
    fake_excluded = NULL;
}

static void test_checkpoint(void)
{
    auto_xml xmlDocPtr document = parse(domain_text);
    auto_disks struct disks disks = {.count = 0};
    CU_ASSERT_EQUAL_FATAL(disks_read(&fake_connection, document, &disks, NULL), 0);
    auto_free char *text = checkpoint_xml("firn-1", "<&>", &disks);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    auto_xml xmlDocPtr checkpoint = parse(text);
    check_text(checkpoint, "name", "firn-1");
    check_text(checkpoint, "description", "Firn lineage <&>");
    check_text(checkpoint, "disks/disk[@name='vda']/@checkpoint", "bitmap");
    check_text(checkpoint, "disks/disk[@name='vdb']/@checkpoint", "no");
    check_text(checkpoint, "disks/disk[@name='vdc']/@checkpoint", "no");
    free(disks_find(&disks, "vda")->skipped);
    disks_find(&disks, "vda")->skipped = mem_strdup("test");
    CU_ASSERT_PTR_NULL(checkpoint_xml("firn-1", "l", &disks));
    auto_xml xmlDocPtr description =
        parse("<domaincheckpoint><disks><disk name='vda' checkpoint='bitmap' size='1'/>"
              "<disk name='vdb' checkpoint='bitmap'/><disk name='vdc' checkpoint='no' size='1'/>"
              "</disks></domaincheckpoint>");
    CU_ASSERT_TRUE(checkpoint_covers(description, "vda"));
    CU_ASSERT_FALSE(checkpoint_covers(description, "vdb"));
    CU_ASSERT_FALSE(checkpoint_covers(description, "vdc"));
}

static void test_definition(void)
{
    auto_xml xmlDocPtr document = parse(domain_text);
    char target[] = "vda", format[] = "raw", path[] = "/new/web2-vda.img";
    struct image image = {.target = target, .format = format, .path = path};
    struct images images = {.list = &image, .count = 1};
    const char *uuid = "99999999-2222-4333-8444-555555555555";
    *fake_log = '\0';
    definition_adapt(&fake_connection, document, "web2", uuid, &images, "/new/web2_VARS.fd");
    xmlNodePtr root = xmlDocGetRootElement(document);
    check_text(document, "name", "web2");
    check_text(document, "uuid", uuid);
    check_text(document, "sysinfo/system/entry", uuid);
    check_text(document, "os/nvram", "/new/web2_VARS.fd");
    check_text(document, "devices/disk[target/@dev='vda']/source/@file", path);
    check_text(document, "devices/disk[target/@dev='vda']/driver/@type", "raw");
    check_text(document, "devices/disk[target/@dev='vda']/driver/@discard", "unmap");
    CU_ASSERT_PTR_NULL(xml_element(root, "devices/disk/backingStore"));
    CU_ASSERT_PTR_NULL(xml_element(root, "metadata/*"));
    CU_ASSERT_PTR_NULL(xml_element(root, "@id"));
    CU_ASSERT_PTR_NULL(xml_element(root, "os/nvram/@type"));
    CU_ASSERT_PTR_NULL(xml_element(root, "devices/channel/source"));
    CU_ASSERT_PTR_NULL(xml_element(root, "devices/disk[target/@dev='vdb']"));
    CU_ASSERT_PTR_NOT_NULL(xml_element(root, "devices/disk[target/@dev='sda']"));
    CU_ASSERT_PTR_NULL(xml_element(root, "devices/disk[target/@dev='sda']/source"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log, "disk vdb is not in the snapshot"));
    auto_free char *mac = xml_string(root, "devices/interface/mac/@address");
    CU_ASSERT_STRING_NOT_EQUAL(mac, "52:54:00:00:00:01");
    CU_ASSERT_EQUAL(strncmp(mac, "52:54:00:", 9), 0);
    auto_free char *generation = xml_string(root, "genid");
    CU_ASSERT_STRING_NOT_EQUAL(generation, "11111111-2222-4333-8444-666666666666");
}

static void test_foreign_xml(void)
{
    static const char *const refused[] = {
        "",
        "<a>",
        "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>",
        "<!DOCTYPE a [<!ENTITY e '12345'>]><a>&e;</a>",
    };
    for (size_t i = 0; i < array_length(refused); i++) {
        xmlDocPtr document = NULL;
        auto_error struct firn_error *error = NULL;
        CU_ASSERT_EQUAL(xml_parse(refused[i], strlen(refused[i]), "test", &document, &error), -1);
        CU_ASSERT_EQUAL(error_code(error), FIRN_INVALID);
    }
}

static void test_state(void)
{
    auto_xml xmlDocPtr document = parse(domain_text);
    auto_disks struct disks disks = {.count = 0};
    auto_state struct state state = {.uuid = NULL};
    CU_ASSERT_EQUAL_FATAL(disks_read(&fake_connection, document, &disks, NULL), 0);
    disks_find(&disks, "vda")->size = 1ull << 40;
    auto_free char *json = state_write("u", "l", "firn-1", "<x a='\"'/>", &disks);
    CU_ASSERT_EQUAL_FATAL(state_read(json, &state, NULL), 0);
    CU_ASSERT_STRING_EQUAL(state.uuid, "u");
    CU_ASSERT_STRING_EQUAL(state.lineage, "l");
    CU_ASSERT_STRING_EQUAL(state.checkpoint, "firn-1");
    CU_ASSERT_STRING_EQUAL(state.checkpoint_xml, "<x a='\"'/>");
    CU_ASSERT_EQUAL(state_disk_size(&state, "vda"), 1ull << 40);
    CU_ASSERT_EQUAL(state_disk_size(&state, "vdc"), 0);
    static const char *const refused[] = {
        "", "{}", "[]", "{\"version\":2,\"uuid\":\"u\",\"lineage\":\"l\"}",
        "{\"version\":1,\"uuid\":\"u\",\"lineage\":\"l\",\"disks\":[1]}"};
    for (size_t i = 0; i < array_length(refused); i++) {
        struct state bad = {.uuid = NULL};
        CU_ASSERT_EQUAL(state_read(refused[i], &bad, NULL), -1);
    }
}

static const struct unit_test tests[] = {
    {"disks are chosen by what they are", test_disks_by_kind},
    {"disks are chosen by name", test_disks_by_name},
    {"a checkpoint holds what can be tracked", test_checkpoint},
    {"a restored domain is another one", test_definition},
    {"XML loads nothing", test_foreign_xml},
    {"the state comes back", test_state},
};

int main(void)
{
    return unit_run("libvirt_xml", tests, array_length(tests));
}
