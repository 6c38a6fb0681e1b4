/* SPDX-License-Identifier: Apache-2.0 */
#include "thaw.h"

#include "core/clock.h"
#include "core/file.h"
#include "lock.h"

/* How long thawing is tried, and how long the agent has for an answer. */
#define THAW_LIMIT  60000
#define AGENT_LIMIT 5
#define PAUSE_FIRST 100
#define PAUSE_LAST  1000

/* A daemon that was restarted in the meantime has closed the connection; the guest is frozen all the same. */
static void reconnect(const char *uri, virDomainPtr domain, virConnectPtr *connection,
                      virDomainPtr *fresh)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    virDomainPtr current = *fresh != NULL ? *fresh : domain;
    if (virConnectIsAlive(virDomainGetConnect(current)) == 1 || virDomainGetUUID(domain, uuid) < 0)
        return;
    vir_domain_release(fresh);
    vir_connect_release(connection);
    *connection = virConnectOpen(uri);
    *fresh = *connection == NULL ? NULL : virDomainLookupByUUID(*connection, uuid);
}

int thaw(const char *uri, virDomainPtr domain, struct firn_error **err)
{
    auto_connect virConnectPtr connection = NULL;
    auto_domain virDomainPtr fresh = NULL;
    int64_t end = clock_monotonic() + THAW_LIMIT;
    int64_t pause = PAUSE_FIRST;
    while (virDomainFSThaw(fresh != NULL ? fresh : domain, NULL, 0, 0) < 0) {
        vir_error(err, "thaw the guest");
        if (virDomainIsActive(fresh != NULL ? fresh : domain) == 0) {
            error_clear(err);
            return 0;
        }
        if (clock_monotonic() >= end)
            return -1;
        clock_sleep(pause);
        pause = pause * 2 < PAUSE_LAST ? pause * 2 : PAUSE_LAST;
        reconnect(uri, domain, &connection, &fresh);
        error_clear(err);
    }
    return 0;
}

int thaw_marked(const char *uri, virDomainPtr domain, struct marker *marker,
                struct firn_error **err)
{
    if (!marker->frozen)
        return 0;
    virDomainAgentSetResponseTimeout(domain, AGENT_LIMIT, 0);
    int result = thaw(uri, domain, err);
    virDomainAgentSetResponseTimeout(domain, VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, 0);
    if (result < 0)
        return -1;
    marker->frozen = false;
    return virDomainIsActive(domain) == 0 || marker_set(domain, marker, err) == 0 ? 1 : -1;
}

/* The marker is read under the lock: before, it may belong to a Firn that lives. */
int thaw_locked(const char *uri, virDomainPtr domain, struct firn_error **err)
{
    auto_marker struct marker marker = {.frozen = false};
    char uuid[VIR_UUID_STRING_BUFLEN];
    auto_close int lock = -1;
    if (virDomainGetUUIDString(domain, uuid) < 0)
        return fail_vir(err, "ask for the UUID of the domain");
    int taken = lock_try(uuid, &lock, err);
    if (taken == 0)
        return fail(err, FIRN_CONFLICT, "another firn is capturing %s right now",
                    virDomainGetName(domain));
    if (taken < 0 || marker_get(domain, &marker, err) < 0)
        return -1;
    return thaw_marked(uri, domain, &marker, err);
}

int thaw_left(const char *uri, virDomainPtr domain, struct firn_error **err)
{
    auto_marker struct marker marker = {.frozen = false};
    if (marker_get(domain, &marker, err) < 0)
        return -1;
    return marker.frozen && marker_is_ours(&marker) ? thaw_locked(uri, domain, err) : 0;
}
