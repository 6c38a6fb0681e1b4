/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which disks can be captured incrementally. An incremental needs three things to agree: the parent snapshot ended on a
 * checkpoint, libvirt knows that checkpoint (or can be told of it again), and its bitmap in the disk's image is whole.
 */
#include "capture.h"
#include "checkpoint.h"

#include "core/mem.h"
#include "xml.h"

#include <string.h>

void plan_full_take(struct capture *capture, char *reason)
{
    for (size_t i = 0; i < capture->disks.count; i++)
        capture->disks.list[i].incremental = false;
    free(capture->full_reason);
    capture->full_reason = reason;
}

static int measure_disks(struct capture *capture, struct firn_error **err)
{
    for (size_t i = 0; i < capture->disks.count; i++) {
        struct disk *disk = &capture->disks.list[i];
        virDomainBlockInfo info;
        if (disk->skipped != NULL)
            continue;
        if (virDomainGetBlockInfo(capture->domain.vir, disk->target, &info, 0) < 0)
            return fail_vir(err, "ask for the size of disk %s", disk->target);
        disk->size = info.capacity;
    }
    return 0;
}

/* The checkpoint as libvirt knows it, told again to libvirt if it has lost it. */
static int find_checkpoint(struct capture *capture, char **description, struct firn_error **err)
{
    virDomainPtr domain = capture->domain.vir;
    const struct state *parent = &capture->parent;
    if (checkpoint_describe(domain, parent->checkpoint, description, err) == 0)
        return 0;
    if (parent->checkpoint_xml == NULL)
        return -1;
    connection_log(capture->connection, INFO, "%s: telling libvirt again of the checkpoint %s",
                   virDomainGetName(domain), parent->checkpoint);
    error_clear(err);
    if (checkpoint_redefine(domain, parent->checkpoint_xml, err) < 0)
        return wrap(err, "libvirt has lost the checkpoint %s", parent->checkpoint);
    return checkpoint_describe(domain, parent->checkpoint, description, err);
}

static void plan_disk(const struct capture *capture, xmlDocPtr description, struct disk *disk)
{
    uint64_t before = state_disk_size(&capture->parent, disk->target);
    if (!disk_tracks_changes(disk))
        disk->full_reason = mem_printf("changes are not tracked in the format %s",
                                       disk->format == NULL ? "raw" : disk->format);
    else if (before == 0)
        disk->full_reason = mem_strdup("it is not in the parent snapshot");
    else if (before != disk->size)
        disk->full_reason = mem_printf("its size has changed from %llu to %llu bytes",
                                       (unsigned long long)before, (unsigned long long)disk->size);
    else if (!checkpoint_covers(description, disk->target))
        disk->full_reason = mem_printf("its bitmap of the checkpoint %s is lost or broken",
                                       capture->parent.checkpoint);
    else
        disk->incremental = true;
}

void plan_summarise(struct capture *capture)
{
    const struct disks *disks = &capture->disks;
    char *summary = NULL;
    for (size_t i = 0; i < disks->count; i++) {
        const struct disk *disk = &disks->list[i];
        if (disk->full_reason == NULL)
            continue;
        char *longer =
            summary == NULL
                ? mem_printf("%s in full: %s", disk->target, disk->full_reason)
                : mem_printf("%s; %s in full: %s", summary, disk->target, disk->full_reason);
        free(summary);
        summary = longer;
    }
    if (summary != NULL) {
        free(capture->full_reason);
        capture->full_reason = summary;
    }
}

/* A checkpoint that helps no disk is in the way of the next one. */
static void drop_useless(struct capture *capture)
{
    auto_error struct firn_error *error = NULL;
    if (checkpoint_delete(capture->domain.vir, capture->parent.checkpoint, &error) < 0)
        connection_log(capture->connection, WARNING, "%s: %s",
                       virDomainGetName(capture->domain.vir), error_message(error));
}

int plan_online(struct capture *capture, struct firn_error **err)
{
    auto_free char *description = NULL;
    auto_xml xmlDocPtr document = NULL;
    auto_error struct firn_error *lost = NULL;
    if (measure_disks(capture, err) < 0)
        return -1;
    if (capture->parent.checkpoint == NULL)
        return 0;
    if (find_checkpoint(capture, &description, &lost) < 0) {
        plan_full_take(capture, mem_strdup(error_message(lost)));
        return 0;
    }
    if (xml_parse(description, strlen(description), "checkpoint", &document, err) < 0)
        return -1;
    bool any = false;
    for (size_t i = 0; i < capture->disks.count; i++) {
        if (capture->disks.list[i].skipped == NULL)
            plan_disk(capture, document, &capture->disks.list[i]);
        any |= capture->disks.list[i].incremental;
    }
    plan_summarise(capture);
    if (!any)
        drop_useless(capture);
    return 0;
}
