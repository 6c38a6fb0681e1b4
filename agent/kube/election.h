/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a Lease (coordination.k8s.io/v1), as client-go does it: whoever holds the lease
 * renews it; another takes it once it has seen no renewal for `duration`, measured by its own
 * monotonic clock, so that clocks which disagree do no harm.
 *
 *     candidate ──lease free, or not renewed for `duration`──▶ leader ──not renewed for `deadline`──▶ lost
 *
 * deadline < duration: a leader that cannot renew stops before another begins. Whoever acts as
 * leader asks kube_election_leads() before each write; it looks at the clock, and is right even after
 * the process was stopped for a while.
 */
#ifndef KUBE_ELECTION_H
#define KUBE_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

struct kube_client;
struct kube_election;
struct firn_error;

/* All are called from the election's thread. Times in ms; 0: as client-go, 15 s, 10 s, 2 s. */
struct kube_election_options {
    const char *namespace; /* strings are copied */
    const char *name;
    const char *identity; /* unique to this process: pod name and a random part */
    uint32_t duration;    /* rounded up to whole seconds, as the Lease says it */
    uint32_t deadline;
    uint32_t retry;             /* between two tries */
    void (*led)(void *context); /* we are the leader */
    /* We were. It does not come back by itself: end what the leader does, usually the process. */
    void (*lost)(void *context);
    void (*leader)(void *context, const char *identity); /* somebody else leads; may be NULL */
    void (*failed)(void *context, const struct firn_error *error); /* a try; may be NULL */
    void *context;
};

/* The client is its own, so that no queue of other requests holds up a renewal. */
struct kube_election *kube_election_start(struct kube_client *client,
                                          const struct kube_election_options *options);
/* Gives the lease up, if it is held, so that the next one begins at once. Nothing is called once it
 * returns. NULL is fine. */
void kube_election_stop(struct kube_election *election);
bool kube_election_leads(const struct kube_election *election); /* any thread */

#endif
