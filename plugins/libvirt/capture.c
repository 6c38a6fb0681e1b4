/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include "checkpoint.h"
#include "lock.h"
#include "marker.h"
#include "sweep.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/mem.h"

#include <string.h>

#define LOCK_PATIENCE 5000
#define LOCK_PAUSE    100

#define auto_capture __attribute__((cleanup(capture_release)))

static void capture_release(struct capture *capture)
{
    domain_release(&capture->domain);
    disks_release(&capture->disks);
    address_release(&capture->address);
    state_release(&capture->parent);
    file_close_pointer(&capture->lock);
    free(capture->lineage);
    free(capture->checkpoint);
    free(capture->checkpoint_xml);
    free(capture->full_reason);
    free(capture->consistency_reason);
}

/* ------------------------------------------------------------------------------------------------ before */

/* A parent that cannot be built on is no error: the capture is a full one and says why. */
static void read_parent(struct capture *capture, const char *uuid)
{
    auto_error struct firn_error *error = NULL;
    const char *json = capture->request->parent_state;
    if (capture->request->parent_id == NULL)
        return;
    if (json == NULL)
        plan_full_take(capture, mem_strdup("the parent snapshot says nothing of a checkpoint"));
    else if (state_read(json, &capture->parent, &error) < 0)
        plan_full_take(capture, mem_strdup(error_message(error)));
    else if (strcmp(capture->parent.uuid, uuid) != 0)
        plan_full_take(capture, mem_strdup("the parent snapshot is of a domain with another UUID"));
    else if (capture->parent.checkpoint == NULL)
        plan_full_take(capture, mem_strdup("the parent snapshot ended on no checkpoint"));
    if (capture->full_reason != NULL)
        state_release(&capture->parent);
}

/* Whoever only thaws, as a watchdog does, holds the lock for a moment. */
static int take_lock(struct capture *capture, const char *uuid, struct firn_error **err)
{
    int64_t end = clock_monotonic() + LOCK_PATIENCE;
    int taken = 0;
    while ((taken = lock_try(uuid, &capture->lock, err)) == 0 && clock_monotonic() < end) {
        if (connection_cancelled(capture->connection, err) < 0)
            return -1;
        clock_sleep(LOCK_PAUSE);
    }
    if (taken == 0)
        return fail(err, FIRN_CONFLICT, "another firn is capturing %s right now",
                    capture->request->reference);
    return taken < 0 ? -1 : 0;
}

/* Locks and cleans the domain, then looks at it. */
static int open_domain(struct capture *capture, struct firn_error **err)
{
    struct connection *connection = capture->connection;
    auto_domain virDomainPtr vir = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];
    if (connection_domain(connection, capture->request->reference, &vir, err) < 0)
        return -1;
    if (virDomainGetUUIDString(vir, uuid) < 0)
        return fail_vir(err, "ask for the UUID of the domain");
    if (take_lock(capture, uuid, err) < 0)
        return -1;
    read_parent(capture, uuid);
    if (sweep_domain(connection, vir, capture->parent.checkpoint, err) < 0)
        return -1;
    return domain_load_take(steal(vir), &capture->domain, err);
}

/* The repository; one that does not say who it is goes on with the parent's lineage. */
static char *choose_lineage(const struct capture *capture)
{
    if (capture->request->repository_id != NULL)
        return mem_strdup(capture->request->repository_id);
    if (capture->parent.lineage != NULL)
        return mem_strdup(capture->parent.lineage);
    return mem_strdup(capture->request->run_id);
}

static int choose_disks(struct capture *capture, struct firn_error **err)
{
    struct disks *disks = &capture->disks;
    if (disks_read(capture->connection, capture->domain.document, disks, err) < 0)
        return -1;
    for (size_t i = 0; i < disks->count; i++) {
        if (disks->list[i].skipped != NULL)
            connection_log(capture->connection, INFO, "%s: disk %s is not captured: %s",
                           capture->request->reference, disks->list[i].target,
                           disks->list[i].skipped);
    }
    if (disks_captured(disks) == 0)
        return fail(err, FIRN_NOTFOUND, "%s has no disk that could be captured",
                    capture->request->reference);
    capture->lineage = choose_lineage(capture);
    if (capture->request->changed != NULL)
        connection_log(capture->connection, WARNING,
                       "the ranges given by --changed are not used: libvirt knows what changed");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ after */

/* The checkpoint that the next capture can build on: this run's, or, of a domain that is off, still the parent's. */
static const char *kept_checkpoint(const struct capture *capture)
{
    if (capture->domain.active)
        return capture->checkpoint;
    return capture->parent.checkpoint;
}

static int give_state(struct capture *capture)
{
    const char *xml =
        capture->domain.active ? capture->checkpoint_xml : capture->parent.checkpoint_xml;
    auto_free char *json = state_write(capture->domain.uuid, capture->lineage,
                                       kept_checkpoint(capture), xml, &capture->disks);
    return capture->sink->state(capture->sink, json);
}

static bool any_incremental(const struct disks *disks)
{
    for (size_t i = 0; i < disks->count; i++) {
        if (disks->list[i].incremental)
            return true;
    }
    return false;
}

static int give_outcome(struct capture *capture)
{
    auto_free char *both = NULL;
    const char *reason = capture->full_reason;
    if (reason == NULL)
        reason = capture->consistency_reason;
    else if (capture->consistency_reason != NULL)
        reason = both = mem_printf("%s; %s", reason, capture->consistency_reason);
    struct firn_outcome outcome = {
        .size = sizeof(outcome),
        .consistency = capture->consistency,
        .method = any_incremental(&capture->disks) ? "incremental" : "full",
        .reason = reason,
        .point_in_time = capture->point_in_time,
        .frozen = capture->frozen,
    };
    return capture->sink->outcome(capture->sink, &outcome);
}

static struct settlement *settlement_new(struct capture *capture)
{
    struct settlement *settlement = mem_zalloc(sizeof(*settlement));
    settlement->kept = mem_strdup(kept_checkpoint(capture));
    settlement->made = steal(capture->checkpoint);
    settlement->lineage = steal(capture->lineage);
    settlement->domain = steal(capture->domain.vir);
    settlement->lock = capture->lock;
    capture->lock = -1;
    return settlement;
}

/* What the sink or a document refused after the disks were read. */
static void drop_checkpoint(struct capture *capture)
{
    if (capture->checkpoint == NULL)
        return;
    auto_error struct firn_error *error = NULL;
    if (checkpoint_delete(capture->domain.vir, capture->checkpoint, &error) < 0 ||
        marker_clear(capture->domain.vir, &error) < 0)
        connection_log(capture->connection, WARNING, "%s", error_message(error));
}

static int capture_domain(struct capture *capture, struct firn_error **err)
{
    int result =
        capture->domain.active ? online_capture(capture, err) : offline_capture(capture, err);
    if (result < 0)
        return -1;
    if (documents_capture(capture, err) < 0 || give_state(capture) < 0 ||
        give_outcome(capture) < 0) {
        drop_checkpoint(capture);
        return -1;
    }
    return 0;
}

int capture_run(struct connection *connection, const struct firn_capture *request,
                struct firn_sink *sink, struct settlement **out, struct firn_error **err)
{
    auto_capture struct capture capture = {
        .connection = connection,
        .request = request,
        .sink = sink,
        .lock = -1,
        .frozen = -1,
        .consistency = FIRN_CRASH_CONSISTENT,
    };
    sweep_frozen(connection);
    if (open_domain(&capture, err) < 0 || choose_disks(&capture, err) < 0 ||
        capture_domain(&capture, err) < 0)
        return -1;
    *out = settlement_new(&capture);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ settlement */

void settlement_free(struct settlement *settlement)
{
    if (settlement == NULL)
        return;
    vir_domain_release(&settlement->domain);
    file_close_pointer(&settlement->lock);
    free(settlement->lineage);
    free(settlement->made);
    free(settlement->kept);
    free(settlement);
}

int settlement_finish(struct connection *connection, struct settlement *settlement, int committed,
                      struct firn_error **err)
{
    int result = 0;
    /* Of a domain that is off, libvirt can delete no checkpoint; its next capture while it runs will. */
    bool active = virDomainIsActive(settlement->domain) == 1;
    if (active && committed)
        checkpoint_sweep(connection, settlement->domain, settlement->lineage, settlement->kept);
    else if (active && settlement->made != NULL)
        result = checkpoint_delete(settlement->domain, settlement->made, err);
    if (result == 0)
        result = marker_clear(settlement->domain, err);
    settlement_free(settlement);
    return result;
}
