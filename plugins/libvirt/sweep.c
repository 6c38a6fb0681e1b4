/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include "backup_job.h"
#include "checkpoint.h"
#include "marker.h"
#include "thaw.h"

#include "core/clock.h"

#include <string.h>

#define FOREIGN_PAUSE 250
#define FOREIGN_GRACE 10000

static void say_thawed(struct connection *connection, virDomainPtr domain)
{
    connection_log(connection, WARNING, "%s: thawed the guest, which a Firn that died had frozen",
                   virDomainGetName(domain));
}

/* The lock of a Firn on another machine, or in another container, cannot be seen from here; but none keeps a guest frozen for
 * longer than its guard lets it. 1: the guest is frozen and that time is over. */
static int outlived(struct connection *connection, virDomainPtr domain, struct firn_error **err)
{
    auto_marker struct marker first = {.frozen = false};
    if (marker_get(domain, &first, err) < 0)
        return -1;
    if (!first.frozen || marker_is_ours(&first))
        return 0;
    int64_t end = clock_monotonic() + first.timeout + FOREIGN_GRACE;
    while (clock_monotonic() < end) {
        auto_marker struct marker now = {.frozen = false};
        clock_sleep(FOREIGN_PAUSE);
        if (connection_cancelled(connection, err) < 0 || marker_get(domain, &now, err) < 0)
            return -1;
        if (!now.frozen || first.run == NULL || now.run == NULL || strcmp(now.run, first.run) != 0)
            return 0;
    }
    return 1;
}

static int sweep_one(struct connection *connection, virDomainPtr domain, struct firn_error **err)
{
    int late = outlived(connection, domain, err);
    if (late < 0)
        return -1;
    int thawed = late == 1 ? thaw_locked(connection->uri, domain, err)
                           : thaw_left(connection->uri, domain, err);
    if (thawed == 1)
        say_thawed(connection, domain);
    return thawed;
}

void sweep_frozen(struct connection *connection)
{
    auto_domains struct vir_domains domains = {.count = 0};
    domains.count =
        virConnectListAllDomains(connection->vir, &domains.list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    for (int i = 0; i < domains.count; i++) {
        auto_error struct firn_error *error = NULL;
        if (sweep_one(connection, domains.list[i], &error) < 0 &&
            error_code(error) != FIRN_CONFLICT)
            connection_log(connection, WARNING, "%s: %s", virDomainGetName(domains.list[i]),
                           error_message(error));
    }
}

/* What another machine's Firn is doing is left alone: whether it lives cannot be told. */
static int take_over(struct connection *connection, virDomainPtr domain, struct marker *marker,
                     struct firn_error **err)
{
    const char *name = virDomainGetName(domain);
    if (!marker_is_ours(marker))
        return fail(err, FIRN_CONFLICT,
                    "a firn on another machine, or in another container, captures %s, or died; if "
                    "none runs any more: virsh domjobabort %s; virsh metadata %s --live "
                    "--uri " MARKER_NAMESPACE " --remove; then try again",
                    name, name, name);
    int thawed = thaw_marked(connection->uri, domain, marker, err);
    if (thawed == 1)
        say_thawed(connection, domain);
    return thawed;
}

int sweep_domain(struct connection *connection, virDomainPtr domain, const char *keep,
                 struct firn_error **err)
{
    auto_marker struct marker marker = {.frozen = false};
    int marked = virDomainIsActive(domain) == 1 ? marker_get(domain, &marker, err) : 0;
    if (marked < 0 || (marked == 1 && take_over(connection, domain, &marker, err) < 0))
        return -1;
    if (backup_job_sweep(connection, domain, err) < 0)
        return -1;
    if (marked == 0)
        return 0;
    if (marker.checkpoint != NULL && (keep == NULL || strcmp(marker.checkpoint, keep) != 0)) {
        connection_log(connection, INFO,
                       "%s: deleting the checkpoint %s, which no snapshot ended on",
                       virDomainGetName(domain), marker.checkpoint);
        if (checkpoint_delete(domain, marker.checkpoint, err) < 0)
            return -1;
    }
    return marker_clear(domain, err);
}
