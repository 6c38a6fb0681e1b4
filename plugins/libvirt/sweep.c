/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include "backup_job.h"
#include "checkpoint.h"
#include "freeze.h"
#include "lock.h"
#include "marker.h"

#include "core/file.h"

#include <string.h>

/* Thaws a marked guest, and takes "frozen" out of its marker. The caller holds the lock. */
static int thaw_marked(struct connection *connection, virDomainPtr domain, struct marker *marker,
                       struct firn_error **err)
{
    if (!marker->frozen)
        return 0;
    connection_log(connection, WARNING,
                   "%s: thawing the guest, which a Firn that died may have frozen",
                   virDomainGetName(domain));
    if (freeze_thaw(connection, domain, err) < 0)
        return -1;
    marker->frozen = false;
    return marker_set(domain, marker, err);
}

/* The marker is read again under the lock: until then it may belong to a Firn that lives. */
static int thaw_if_left(struct connection *connection, virDomainPtr domain, struct firn_error **err)
{
    auto_marker struct marker seen = {.frozen = false}, marker = {.frozen = false};
    char uuid[VIR_UUID_STRING_BUFLEN];
    auto_close int lock = -1;
    if (marker_get(domain, &seen, err) < 0)
        return -1;
    if (!seen.frozen || virDomainGetUUIDString(domain, uuid) < 0)
        return 0;
    int taken = lock_try(uuid, &lock, err);
    if (taken <= 0)
        return taken;
    if (marker_get(domain, &marker, err) < 0)
        return -1;
    return thaw_marked(connection, domain, &marker, err);
}

void sweep_frozen(struct connection *connection)
{
    auto_domains struct vir_domains domains = {.count = 0};
    domains.count =
        virConnectListAllDomains(connection->vir, &domains.list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    for (int i = 0; i < domains.count; i++) {
        auto_error struct firn_error *error = NULL;
        if (thaw_if_left(connection, domains.list[i], &error) < 0)
            connection_log(connection, WARNING, "%s: %s", virDomainGetName(domains.list[i]),
                           error_message(error));
    }
}

int sweep_domain(struct connection *connection, virDomainPtr domain, const char *keep,
                 struct firn_error **err)
{
    auto_marker struct marker marker = {.frozen = false};
    int marked = virDomainIsActive(domain) == 1 ? marker_get(domain, &marker, err) : 0;
    if (marked < 0 || (marked == 1 && thaw_marked(connection, domain, &marker, err) < 0))
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
