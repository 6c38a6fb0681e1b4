/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include "core/json.h"
#include "core/mem.h"
#include "xml.h"

#include <string.h>

/* More disks than this in one domain are not believed. */
#define MOST_DISKS 1024

static void disk_release(struct disk *disk)
{
    char *texts[] = {disk->target, disk->bus,     disk->device,  disk->type,
                     disk->format, disk->source,  disk->pool,    disk->volume,
                     disk->serial, disk->discard, disk->skipped, disk->full_reason};
    for (size_t i = 0; i < array_length(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < disk->backing_count; i++)
        free(disk->backing[i]);
    free(disk->backing);
}

void disks_release(struct disks *disks)
{
    for (size_t i = 0; i < disks->count; i++)
        disk_release(&disks->list[i]);
    free(disks->list);
    *disks = (struct disks){.count = 0};
}

/* Whether a list like "vda, vdb" names the target. */
static bool lists(const char *list, const char *target)
{
    size_t length = strlen(target);
    for (const char *word = list; *word != '\0';) {
        size_t span = strcspn(word, ", ");
        if (span == length && strncmp(word, target, length) == 0)
            return true;
        word += span;
        word += strspn(word, ", ");
    }
    return false;
}

static bool is(const char *text, const char *word)
{
    return text != NULL && strcmp(text, word) == 0;
}

/* Why a disk is not captured, or NULL. A disk that the user names is taken even if others share it. */
static const char *why_skipped(xmlNodePtr node, const struct disk *disk, const char *wanted,
                               const char *unwanted)
{
    if (unwanted != NULL && lists(unwanted, disk->target))
        return "left out by exclude-disks";
    if (is(disk->device, "cdrom"))
        return "a CD-ROM drive";
    if (is(disk->device, "floppy"))
        return "a floppy drive";
    if (xml_element(node, "source") == NULL)
        return "no medium in it";
    if (is(disk->device, "lun"))
        return "a SCSI device passed through, which QEMU cannot back up";
    if (is(disk->type, "vhostuser") || is(disk->type, "vhostvdpa"))
        return "served by another process, which QEMU cannot back up";
    if (wanted != NULL)
        return lists(wanted, disk->target) ? NULL : "not among the disks asked for";
    if (xml_element(node, "readonly") != NULL)
        return "read-only for the guest";
    if (xml_element(node, "shareable") != NULL)
        return "shared with other domains (name it in disks to capture it)";
    if (xml_element(node, "transient") != NULL)
        return "transient: its changes are dropped when the domain stops";
    return NULL;
}

static void read_backing(xmlNodePtr node, struct disk *disk)
{
    auto_free xmlNodePtr *sources = NULL;
    size_t count = xml_elements(node, ".//backingStore/source", &sources);
    disk->backing = mem_array(count, sizeof(*disk->backing));
    for (size_t i = 0; i < count; i++) {
        char *path = xml_string(sources[i], "@file | @dev | @name");
        if (path != NULL)
            disk->backing[disk->backing_count++] = path;
    }
}

static void disk_read(xmlNodePtr node, struct disk *disk)
{
    *disk = (struct disk){
        .target = xml_string(node, "target/@dev"),
        .bus = xml_string(node, "target/@bus"),
        .device = xml_string(node, "@device"),
        .type = xml_string(node, "@type"),
        .format = xml_string(node, "driver/@type"),
        .source = xml_string(node, "source/@file | source/@dev"),
        .pool = xml_string(node, "source/@pool"),
        .volume = xml_string(node, "source/@volume"),
        .serial = xml_string(node, "serial"),
        .discard = xml_string(node, "driver/@discard"),
    };
    read_backing(node, disk);
}

/* A name that the user gives and no disk has is a mistake worth stopping for. */
static int check_names(const char *parameter, const char *list, const struct disks *disks,
                       struct firn_error **err)
{
    if (list == NULL)
        return 0;
    for (const char *word = list + strspn(list, ", "); *word != '\0';) {
        size_t span = strcspn(word, ", ");
        auto_free char *name = mem_dup(word, span);
        if (disks_find(disks, name) == NULL)
            return fail(err, FIRN_INVALID, "%s: the domain has no disk \"%s\"", parameter, name);
        word += span;
        word += strspn(word, ", ");
    }
    return 0;
}

int disks_read(struct connection *connection, xmlDocPtr domain, struct disks *out,
               struct firn_error **err)
{
    const struct firn_host *host = connection->host;
    const char *wanted = host->param(host, "disks");
    const char *unwanted = host->param(host, "exclude-disks");
    auto_free xmlNodePtr *nodes = NULL;
    auto_disks struct disks disks = {.count = 0};
    size_t count = xml_elements(xmlDocGetRootElement(domain), "devices/disk", &nodes);
    if (count > MOST_DISKS)
        return fail(err, FIRN_INVALID, "the domain has %zu disks", count);
    disks.list = mem_array(count, sizeof(*disks.list));
    for (size_t i = 0; i < count; i++) {
        struct disk *disk = &disks.list[disks.count++];
        disk_read(nodes[i], disk);
        if (disk->target == NULL)
            return fail(err, FIRN_INVALID, "disk %zu of the domain has no target", i);
        disk->skipped = mem_strdup(why_skipped(nodes[i], disk, wanted, unwanted));
    }
    if (check_names("disks", wanted, &disks, err) < 0 ||
        check_names("exclude-disks", unwanted, &disks, err) < 0)
        return -1;
    *out = disks;
    disks = (struct disks){.count = 0};
    return 0;
}

struct disk *disks_find(const struct disks *disks, const char *target)
{
    for (size_t i = 0; i < disks->count; i++) {
        if (strcmp(disks->list[i].target, target) == 0)
            return &disks->list[i];
    }
    return NULL;
}

size_t disks_captured(const struct disks *disks)
{
    size_t count = 0;
    for (size_t i = 0; i < disks->count; i++)
        count += disks->list[i].skipped == NULL;
    return count;
}

bool disk_tracks_changes(const struct disk *disk)
{
    return is(disk->format, "qcow2");
}

char *disk_path(struct connection *connection, const struct disk *disk)
{
    if (disk->source != NULL)
        return mem_strdup(disk->source);
    if (disk->pool == NULL || disk->volume == NULL)
        return NULL;
    char *path = NULL;
    virStoragePoolPtr pool = virStoragePoolLookupByName(connection->vir, disk->pool);
    virStorageVolPtr volume = pool == NULL ? NULL : virStorageVolLookupByName(pool, disk->volume);
    if (volume != NULL) {
        path = virStorageVolGetPath(volume);
        virStorageVolFree(volume);
    }
    if (pool != NULL)
        virStoragePoolFree(pool);
    return path;
}

static struct json_object *table_entry(const struct disk *disk)
{
    struct json_object *entry = json_object_new_object();
    json_set_string(entry, "target", disk->target);
    json_set_string(entry, "skipped", disk->skipped);
    json_set_string(entry, "bus", disk->bus);
    json_set_string(entry, "device", disk->device);
    json_set_string(entry, "type", disk->type);
    json_set_string(entry, "format", disk->format);
    json_set_string(entry, "source", disk->source);
    json_set_string(entry, "pool", disk->pool);
    json_set_string(entry, "volume", disk->volume);
    json_set_string(entry, "serial", disk->serial);
    json_set_string(entry, "discard", disk->discard);
    if (disk->backing_count > 0) {
        struct json_object *chain = json_object_new_array();
        for (size_t i = 0; i < disk->backing_count; i++)
            json_object_array_add(chain, json_object_new_string(disk->backing[i]));
        json_set_take(entry, "backingChain", chain);
    }
    if (disk->skipped == NULL) {
        json_set_uint(entry, "size", disk->size);
        json_set_string(entry, "method", disk->incremental ? "incremental" : "full");
        json_set_string(entry, "reason", disk->full_reason);
        json_set_uint(entry, "bytesRead", disk->bytes_read);
    }
    return entry;
}

struct json_object *disks_table(const struct disks *disks)
{
    struct json_object *table = json_object_new_object();
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < disks->count; i++)
        json_object_array_add(list, table_entry(&disks->list[i]));
    json_set_int(table, "version", 1);
    json_set_take(table, "disks", list);
    return table;
}
