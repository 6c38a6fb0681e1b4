/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain that runs (or is paused): freeze, start a backup job together with a checkpoint, thaw, then read.
 */
#include "backup_job.h"
#include "capture.h"
#include "checkpoint.h"
#include "freeze.h"
#include "volumes.h"

#include "core/clock.h"
#include "core/mem.h"

#include <string.h>

/* Notes why the consistency is not better; with --consistency=required that is an error. Consumes reason. */
static int not_frozen_take(struct capture *capture, char *reason, struct firn_error **err)
{
    free(capture->consistency_reason);
    capture->consistency_reason = reason;
    capture->consistency = FIRN_CRASH_CONSISTENT;
    if (capture->request->consistency == FIRN_CONSISTENCY_REQUIRED)
        return fail(err, FIRN_RETRY, "%s: not frozen, as --consistency=required asks: %s",
                    virDomainGetName(capture->domain.vir), reason);
    return 0;
}

/* Freezes if that is wanted and possible. *out stays NULL if the guest is not frozen. */
static int freeze(struct capture *capture, const struct marker *marker, struct freeze **out,
                  struct firn_error **err)
{
    if (capture->request->consistency == FIRN_CONSISTENCY_NONE)
        return not_frozen_take(capture, mem_strdup("no freeze was asked for"), err);
    if (capture->domain.state != VIR_DOMAIN_RUNNING)
        return not_frozen_take(
            capture, mem_strdup("the domain is paused, its guest agent cannot answer"), err);
    auto_error struct firn_error *error = NULL;
    connection_step(capture->connection, "freezing the guest");
    if (freeze_begin(capture->connection, capture->domain.vir, marker, out, &error) < 0)
        return not_frozen_take(capture, mem_strdup(error_message(error)), err);
    return 0;
}

static int thaw(struct capture *capture, struct freeze *freeze, struct firn_error **err)
{
    struct freeze_result result;
    freeze_end(freeze, &result);
    capture->frozen = (capture->frozen < 0 ? 0 : capture->frozen) + result.milliseconds;
    capture->consistency = FIRN_FILESYSTEM_CONSISTENT;
    if (result.kept)
        return 0;
    return not_frozen_take(
        capture, mem_strdup("the guest had to be thawed before the backup job had started"), err);
}

/* Ends the job and deletes the checkpoint after a failure. Whatever resists is swept by the next run. */
static void undo(struct capture *capture)
{
    auto_error struct firn_error *error = NULL;
    virDomainPtr domain = capture->domain.vir;
    if (backup_job_end(capture->connection, domain, &error) < 0 ||
        (capture->checkpoint != NULL &&
         checkpoint_delete(domain, capture->checkpoint, &error) < 0) ||
        marker_clear(domain, &error) < 0)
        connection_log(capture->connection, WARNING, "%s: %s; the next run will try again",
                       virDomainGetName(domain), error_message(error));
}

static int start_job(struct capture *capture, const char *checkpoint_xml, struct firn_error **err)
{
    struct backup_job job = {
        .address = &capture->address,
        .run = capture->request->run_id,
        .disks = &capture->disks,
        .parent = capture->parent.checkpoint,
        .checkpoint_xml = checkpoint_xml,
    };
    connection_step(capture->connection, "starting the backup job");
    int result = backup_job_begin(capture->connection, capture->domain.vir, &job, err);
    capture->point_in_time = clock_now();
    return result;
}

/* One freeze, one start of the job, one thaw. */
static int attempt(struct capture *capture, const char *checkpoint_xml, struct firn_error **err)
{
    struct freeze *frozen = NULL;
    struct marker marker = {.checkpoint = capture->checkpoint};
    auto_free char *run = mem_strdup(capture->request->run_id);
    marker.run = run;
    if (marker_set(capture->domain.vir, &marker, err) < 0 ||
        freeze(capture, &marker, &frozen, err) < 0) {
        marker_clear(capture->domain.vir, NULL);
        return -1;
    }
    int result = start_job(capture, checkpoint_xml, err);
    if (frozen != NULL) {
        auto_error struct firn_error *late = NULL;
        int kept = thaw(capture, frozen, &late);
        if (result == 0 && kept < 0)
            result = fail(err, error_code(late), "%s", error_message(late));
    }
    if (result < 0)
        undo(capture);
    return result;
}

static bool any_incremental(const struct disks *disks)
{
    for (size_t i = 0; i < disks->count; i++) {
        if (disks->list[i].incremental)
            return true;
    }
    return false;
}

/* Starts the job; if libvirt refuses to build on the checkpoint after all, once more in full. */
static int begin(struct capture *capture, struct firn_error **err)
{
    auto_free char *xml = checkpoint_xml(capture->checkpoint, capture->lineage, &capture->disks);
    if (xml == NULL)
        free(steal(capture->checkpoint));
    auto_error struct firn_error *refused = NULL;
    if (!any_incremental(&capture->disks))
        return attempt(capture, xml, err);
    if (attempt(capture, xml, &refused) == 0)
        return 0;
    if (error_code(refused) == FIRN_RETRY || connection_cancelled(capture->connection, NULL) < 0)
        return fail(err, error_code(refused), "%s", error_message(refused));
    plan_full_take(capture, mem_strdup(error_message(refused)));
    checkpoint_delete(capture->domain.vir, capture->parent.checkpoint, NULL);
    return attempt(capture, xml, err);
}

static int read_disks(struct capture *capture, struct firn_error **err)
{
    auto_free struct nbd_target *targets = mem_array(capture->disks.count, sizeof(*targets));
    for (size_t i = 0; i < capture->disks.count; i++) {
        const struct disk *disk = &capture->disks.list[i];
        targets[i] = (struct nbd_target){
            .address = &capture->address,
            .export_name = disk->target,
            .bitmap = disk->incremental ? BACKUP_BITMAP : NULL,
        };
    }
    connection_step(capture->connection, "reading the disks");
    return volumes_capture(capture->connection, &capture->disks, targets, capture->sink, err);
}

int online_capture(struct capture *capture, struct firn_error **err)
{
    virDomainPtr domain = capture->domain.vir;
    capture->checkpoint = checkpoint_name(capture->request->run_id);
    if (address_choose(capture->connection, domain, &capture->address, err) < 0 ||
        plan_online(capture, err) < 0 || connection_cancelled(capture->connection, err) < 0 ||
        begin(capture, err) < 0)
        return -1;
    if (read_disks(capture, err) < 0 || backup_job_end(capture->connection, domain, err) < 0) {
        undo(capture);
        return -1;
    }
    if (capture->checkpoint != NULL &&
        checkpoint_describe(domain, capture->checkpoint, &capture->checkpoint_xml, err) < 0) {
        undo(capture);
        return -1;
    }
    return 0;
}
