/* SPDX-License-Identifier: Apache-2.0 */
#include "freeze.h"

#include "core/clock.h"
#include "core/mem.h"
#include "thaw.h"
#include "watchdog.h"

#include <pthread.h>
#include <time.h>

/* How long the agent has for an answer to a question that costs it nothing. */
#define PROBE_LIMIT 5

struct freeze {
    struct connection *connection;
    virDomainPtr domain;
    struct marker marker;
    /* The guard's own way to the domain: the other one may hang in a call that does not come back. */
    virConnectPtr guard_connection;
    virDomainPtr guard_domain;
    struct watchdog watchdog;
    pthread_t guard;
    pthread_mutex_t mutex;
    pthread_cond_t ended_changed;
    bool ended;       /* under the mutex: the guard is not needed any more */
    bool guard_fired; /* the rest: the guard's until it is joined */
    bool guard_confirmed;
    int64_t requested; /* monotonic */
    int64_t ended_at;
    int64_t confirmed;
};

static int set_agent_timeout(virDomainPtr domain, int seconds, struct firn_error **err)
{
    if (virDomainAgentSetResponseTimeout(domain, seconds, 0) < 0)
        return fail_vir(err, "limit the time of the guest agent");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the guard */

static struct timespec deadline_of(int64_t milliseconds)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += milliseconds / 1000;
    deadline.tv_nsec += milliseconds % 1000 * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

static void *guard_main(void *argument)
{
    struct freeze *freeze = argument;
    struct timespec deadline = deadline_of(freeze->connection->freeze_timeout);
    pthread_mutex_lock(&freeze->mutex);
    int waited = 0;
    while (!freeze->ended && waited == 0)
        waited = pthread_cond_timedwait(&freeze->ended_changed, &freeze->mutex, &deadline);
    bool ended = freeze->ended;
    pthread_mutex_unlock(&freeze->mutex);
    if (ended)
        return NULL;
    freeze->guard_fired = true;
    freeze->guard_confirmed = thaw(freeze->connection->uri, freeze->guard_domain, NULL) == 0;
    freeze->confirmed = clock_monotonic();
    return NULL;
}

static int guard_start(struct freeze *freeze, const char *uuid, struct firn_error **err)
{
    freeze->guard_connection = virConnectOpen(freeze->connection->uri);
    if (freeze->guard_connection == NULL)
        return fail_vir(err, "connect to libvirt a second time");
    freeze->guard_domain = virDomainLookupByUUIDString(freeze->guard_connection, uuid);
    if (freeze->guard_domain == NULL)
        return fail_vir(err, "find the domain a second time");
    freeze->requested = clock_monotonic();
    if (pthread_create(&freeze->guard, NULL, guard_main, freeze) != 0)
        return fail(err, FIRN_INTERNAL, "start the thread that bounds the freeze");
    return 0;
}

/* A process that was stopped for a while may end the guard before that could fire. */
static void guard_end(struct freeze *freeze)
{
    freeze->ended_at = clock_monotonic();
    pthread_mutex_lock(&freeze->mutex);
    freeze->ended = true;
    pthread_cond_signal(&freeze->ended_changed);
    pthread_mutex_unlock(&freeze->mutex);
    pthread_join(freeze->guard, NULL);
}

/* ------------------------------------------------------------------------------------------------ begin and end */

static struct freeze *freeze_new(struct connection *connection, virDomainPtr domain,
                                 const struct marker *marker)
{
    struct freeze *freeze = mem_zalloc(sizeof(*freeze));
    freeze->connection = connection;
    freeze->domain = domain;
    freeze->marker.run = mem_strdup(marker->run);
    freeze->marker.checkpoint = mem_strdup(marker->checkpoint);
    freeze->marker.timeout = connection->freeze_timeout;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&freeze->ended_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&freeze->mutex, NULL);
    return freeze;
}

static void freeze_free(struct freeze *freeze)
{
    vir_domain_release(&freeze->guard_domain);
    vir_connect_release(&freeze->guard_connection);
    pthread_cond_destroy(&freeze->ended_changed);
    pthread_mutex_destroy(&freeze->mutex);
    marker_release(&freeze->marker);
    free(freeze);
}

/* An agent that does not answer a harmless question is not asked to freeze: nothing would have to be undone. The answer
 * also tells that nobody else holds the guest frozen, for then the agent refuses. */
static int probe(virDomainPtr domain, struct firn_error **err)
{
    if (set_agent_timeout(domain, PROBE_LIMIT, err) < 0)
        return -1;
    long long seconds = 0;
    unsigned nanoseconds = 0;
    if (virDomainGetTime(domain, &seconds, &nanoseconds, 0) < 0)
        return fail_vir(err, "ask the guest agent for the time");
    return 0;
}

/* Thaws after the guard was ended, and removes the "frozen" from the marker once that is sure. */
static bool settle(struct freeze *freeze)
{
    auto_error struct firn_error *error = NULL;
    bool thawed = freeze->guard_confirmed;
    if (!thawed) {
        thawed = thaw(freeze->connection->uri, freeze->domain, &error) == 0;
        freeze->confirmed = clock_monotonic();
    }
    set_agent_timeout(freeze->domain, VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, NULL);
    if (!thawed) {
        connection_log(
            freeze->connection, ERROR,
            "%s: the guest may be FROZEN: %s; every later run of firn on this libvirt tries again",
            virDomainGetName(freeze->domain), error_message(error));
        watchdog_leave(&freeze->watchdog);
        return false;
    }
    watchdog_end(&freeze->watchdog);
    freeze->marker.frozen = false;
    marker_set(freeze->domain, &freeze->marker, NULL);
    return true;
}

/* All that makes sure that the guest is thawed again. */
static int prepare(struct freeze *freeze, struct firn_error **err)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    int seconds = (int)((freeze->connection->freeze_timeout + 999) / 1000);
    freeze->marker.frozen = true;
    if (set_agent_timeout(freeze->domain, seconds, err) < 0 ||
        marker_set(freeze->domain, &freeze->marker, err) < 0)
        return -1;
    if (virDomainGetUUIDString(freeze->domain, uuid) < 0)
        return fail_vir(err, "ask for the UUID of the domain");
    if (watchdog_start(freeze->connection->uri, uuid, &freeze->watchdog, err) < 0)
        return -1;
    return guard_start(freeze, uuid, err);
}

static int request(struct freeze *freeze, struct firn_error **err)
{
    if (prepare(freeze, err) < 0) {
        watchdog_end(&freeze->watchdog);
        set_agent_timeout(freeze->domain, VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, NULL);
        marker_clear(freeze->domain, NULL);
        return -1;
    }
    int count = virDomainFSFreeze(freeze->domain, NULL, 0, 0);
    if (count > 0)
        return 0;
    if (count < 0)
        vir_error(err, "freeze the guest");
    else
        error_set(err, FIRN_NOTFOUND, "the guest agent froze no file system");
    guard_end(freeze);
    settle(freeze);
    return -1;
}

int freeze_begin(struct connection *connection, virDomainPtr domain, const struct marker *marker,
                 struct freeze **out, struct firn_error **err)
{
    if (probe(domain, err) < 0) {
        set_agent_timeout(domain, VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, NULL);
        return -1;
    }
    struct freeze *freeze = freeze_new(connection, domain, marker);
    if (request(freeze, err) < 0) {
        freeze_free(freeze);
        return -1;
    }
    *out = freeze;
    return 0;
}

void freeze_end(struct freeze *freeze, struct freeze_result *result)
{
    guard_end(freeze);
    bool thawed = settle(freeze);
    *result = (struct freeze_result){
        .milliseconds = freeze->confirmed - freeze->requested,
        .kept = !freeze->guard_fired &&
                freeze->ended_at - freeze->requested <= freeze->connection->freeze_timeout,
        .thawed = thawed,
    };
    freeze_free(freeze);
}
