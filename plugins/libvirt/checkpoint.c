/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint.h"

#include "core/mem.h"
#include "xml.h"

#include <string.h>

#define NAME_PREFIX    "firn-"
#define LINEAGE_PREFIX "Firn lineage "

char *checkpoint_name(const char *run)
{
    return mem_printf(NAME_PREFIX "%s", run);
}

char *checkpoint_xml(const char *name, const char *lineage, const struct disks *disks)
{
    auto_xml xmlDocPtr document = xml_new("domaincheckpoint");
    xmlNodePtr root = xmlDocGetRootElement(document);
    auto_free char *description = mem_printf(LINEAGE_PREFIX "%s", lineage);
    xml_add(root, "name", name);
    xml_add(root, "description", description);
    xmlNodePtr list = xml_add(root, "disks", NULL);
    size_t tracked = 0;
    for (size_t i = 0; i < disks->count; i++) {
        const struct disk *disk = &disks->list[i];
        bool tracks = disk->skipped == NULL && disk_tracks_changes(disk);
        xmlNodePtr node = xml_add(list, "disk", NULL);
        xml_set(node, "name", disk->target);
        /* A disk that is not named counts as wanted, and one that cannot be tracked fails the whole call. */
        xml_set(node, "checkpoint", tracks ? "bitmap" : "no");
        tracked += tracks;
    }
    return tracked == 0 ? NULL : xml_text_of(document);
}

int checkpoint_describe(virDomainPtr domain, const char *name, char **out, struct firn_error **err)
{
    auto_checkpoint virDomainCheckpointPtr checkpoint =
        virDomainCheckpointLookupByName(domain, name, 0);
    if (checkpoint == NULL)
        return fail_vir(err, "find the checkpoint %s", name);
    unsigned flags = VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN;
    *out = virDomainCheckpointGetXMLDesc(checkpoint, flags | VIR_DOMAIN_CHECKPOINT_XML_SIZE);
    if (*out == NULL)
        return fail_vir(err, "read the checkpoint %s", name);
    return 0;
}

int checkpoint_redefine(virDomainPtr domain, const char *xml, struct firn_error **err)
{
    auto_xml xmlDocPtr document = NULL;
    if (xml_parse(xml, strlen(xml), "checkpoint kept in the snapshot", &document, err) < 0)
        return -1;
    /* Its parent may be gone by now; and sizes are told, not taken. */
    xml_remove(xmlDocGetRootElement(document), "parent");
    auto_free char *text = xml_text_of(document);
    auto_checkpoint virDomainCheckpointPtr checkpoint = virDomainCheckpointCreateXML(
        domain, text,
        VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE);
    if (checkpoint == NULL)
        return fail_vir(err, "define the lost checkpoint again");
    return 0;
}

bool checkpoint_covers(xmlDocPtr description, const char *target)
{
    auto_free xmlNodePtr *nodes = NULL;
    size_t count = xml_elements(xmlDocGetRootElement(description),
                                "disks/disk[@checkpoint='bitmap'][@size]", &nodes);
    for (size_t i = 0; i < count; i++) {
        auto_free char *name = xml_string(nodes[i], "@name");
        if (name != NULL && strcmp(name, target) == 0)
            return true;
    }
    return false;
}

static int delete_checkpoint(virDomainCheckpointPtr checkpoint, struct firn_error **err)
{
    if (virDomainCheckpointDelete(checkpoint, 0) == 0)
        return 0;
    /* A broken bitmap cannot be deleted while QEMU runs, and is of no use: forget the checkpoint at least. */
    auto_error struct firn_error *reason = NULL;
    vir_error(&reason, "delete the checkpoint %s", virDomainCheckpointGetName(checkpoint));
    if (virDomainIsActive(virDomainCheckpointGetDomain(checkpoint)) == 1 &&
        virDomainCheckpointDelete(checkpoint, VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) == 0)
        return 0;
    return fail(err, error_code(reason), "%s", error_message(reason));
}

int checkpoint_delete(virDomainPtr domain, const char *name, struct firn_error **err)
{
    auto_checkpoint virDomainCheckpointPtr checkpoint =
        virDomainCheckpointLookupByName(domain, name, 0);
    if (checkpoint == NULL && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_CHECKPOINT)
        return 0;
    if (checkpoint == NULL)
        return fail_vir(err, "find the checkpoint %s", name);
    return delete_checkpoint(checkpoint, err);
}

/* The lineage that a checkpoint of Firn belongs to; NULL: it is not Firn's. The caller's. */
static char *lineage_of(virDomainCheckpointPtr checkpoint)
{
    if (strncmp(virDomainCheckpointGetName(checkpoint), NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
        return NULL;
    auto_free char *text =
        virDomainCheckpointGetXMLDesc(checkpoint, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
    auto_xml xmlDocPtr document = NULL;
    if (text == NULL || xml_parse(text, strlen(text), "checkpoint", &document, NULL) < 0)
        return NULL;
    auto_free char *description = xml_string(xmlDocGetRootElement(document), "description");
    if (description == NULL || strncmp(description, LINEAGE_PREFIX, strlen(LINEAGE_PREFIX)) != 0)
        return NULL;
    return mem_strdup(description + strlen(LINEAGE_PREFIX));
}

static void sweep_one(struct connection *connection, virDomainCheckpointPtr checkpoint)
{
    auto_error struct firn_error *error = NULL;
    const char *name = virDomainCheckpointGetName(checkpoint);
    if (delete_checkpoint(checkpoint, &error) < 0)
        connection_log(connection, WARNING, "checkpoint %s stays for now: %s", name,
                       error_message(error));
    else
        connection_log(connection, DEBUG, "checkpoint %s is deleted: nothing needs it any more",
                       name);
}

void checkpoint_sweep(struct connection *connection, virDomainPtr domain, const char *lineage,
                      const char *keep)
{
    virDomainCheckpointPtr *list = NULL;
    /* Oldest first: a checkpoint comes after its parent. */
    int count = virDomainListAllCheckpoints(domain, &list, VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL);
    int64_t allowed = connection->host->param_integer(connection->host, "keep-checkpoints");
    for (int i = count - 1; i >= 0; i--) {
        auto_free char *its_lineage = lineage_of(list[i]);
        const char *name = virDomainCheckpointGetName(list[i]);
        if (its_lineage == NULL || (keep != NULL && strcmp(name, keep) == 0))
            continue;
        if (strcmp(its_lineage, lineage) == 0 || allowed-- <= 0)
            sweep_one(connection, list[i]);
    }
    for (int i = 0; i < count; i++)
        virDomainCheckpointFree(list[i]);
    free(list);
}
