/* SPDX-License-Identifier: Apache-2.0 */
#include "election.h"

#include "client.h"
#include "type.h"

#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/backoff.h"
#include "net/http.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define DURATION 15000
#define DEADLINE 10000
#define RETRY    2000
#define STACK    (256u << 10)

struct kube_election {
    struct kube_client *client;
    struct kube_election_options options;
    char *namespace;
    char *name;
    char *identity;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int_fast64_t until; /* we lead until then, by the monotonic clock; 0: we do not */
    int64_t request_until;     /* the request that runs has to end by then; 0: no matter */

    /* The lease as it was last seen. */
    struct json_object *lease;
    char *seen_spec;   /* its spec, as text: any change is a renewal */
    int64_t seen_when; /* that it was first seen so, by the monotonic clock */
    char *told_leader;
};

static bool is_stopped(void *context)
{
    struct kube_election *election = context;
    return election->stopping ||
           (election->request_until != 0 && clock_monotonic() >= election->request_until);
}

bool kube_election_leads(const struct kube_election *election)
{
    return clock_monotonic() < election->until;
}

/* ---- the lease */

static int ask(struct kube_election *election, const char *verb, const char *method,
               struct json_object *body, struct firn_error **err)
{
    const struct kube_target target = {&kube_leases, election->namespace,
                                       strcmp(verb, "create") == 0 ? NULL : election->name, NULL};
    const struct kube_request request = {
        .verb = verb,
        .method = method,
        .target = &target,
        .body = body,
        .stopped = is_stopped,
        .context = election,
    };
    struct json_object *answer = NULL;
    if (kube_request(election->client, &request, &answer, err) < 0)
        return -1;
    json_free(&election->lease);
    election->lease = answer;
    return 0;
}

/* Notes what the lease says now, and when that was first seen. */
static void look(struct kube_election *election)
{
    struct json_object *spec = json_at(election->lease, "spec");
    const char *text = spec == NULL ? "" : json_object_to_json_string(spec);
    if (election->seen_spec != NULL && strcmp(election->seen_spec, text) == 0)
        return;
    free(election->seen_spec);
    election->seen_spec = mem_strdup(text);
    election->seen_when = clock_monotonic();
}

static const char *holder(const struct kube_election *election)
{
    return json_string_or(election->lease, "spec.holderIdentity", "");
}

static void set_micro_time(struct json_object *spec, const char *member)
{
    char text[CLOCK_TEXT_LENGTH];
    clock_format(clock_now(), text);
    auto_free char *micro = mem_printf("%.23s000Z", text);
    json_set_string(spec, member, micro);
}

/* The spec of a lease that is ours. The rest of the object stays as it is. */
static void claim(const struct kube_election *election, struct json_object *lease)
{
    struct json_object *spec = json_at(lease, "spec");
    const char *before = json_string_or(spec, "holderIdentity", "");
    bool change = strcmp(before, election->identity) != 0;
    int64_t transitions = json_int_or(spec, "leaseTransitions", -1);
    if (spec == NULL) {
        spec = json_object_new_object();
        json_set_take(lease, "spec", spec);
    }
    if (change) {
        json_set_int(spec, "leaseTransitions", transitions + 1);
        set_micro_time(spec, "acquireTime");
    }
    json_set_string(spec, "holderIdentity", election->identity);
    json_set_int(spec, "leaseDurationSeconds", (election->options.duration + 999) / 1000);
    set_micro_time(spec, "renewTime");
}

/* Whether another one holds it still, as far as can be seen from here. */
static bool is_held(const struct kube_election *election)
{
    const char *name = holder(election);
    int64_t seconds = json_int_or(election->lease, "spec.leaseDurationSeconds", 0);
    int64_t duration = seconds > 0 && seconds < 86400 ? seconds * 1000 : election->options.duration;
    return *name != '\0' && strcmp(name, election->identity) != 0 &&
           clock_monotonic() < election->seen_when + duration;
}

/* 1: it is ours; 0: another's; -1: nobody knows. */
static int try_once(struct kube_election *election, struct firn_error **err)
{
    auto_error struct firn_error *failure = NULL;
    int64_t begun = clock_monotonic();
    bool led = kube_election_leads(election);
    /* A leader goes on from what it wrote last: if another wrote since, there is a conflict. */
    int result = led && election->lease != NULL ? 0 : ask(election, "get", "GET", NULL, &failure);
    if (result < 0 && error_code(failure) == FIRN_NOTFOUND) {
        auto_json struct json_object *lease =
            kube_object_new(&kube_leases, election->namespace, election->name);
        claim(election, lease);
        result = ask(election, "create", "POST", lease, err);
    } else if (result < 0) {
        if (err != NULL)
            *err = steal(failure);
        return -1;
    } else {
        look(election);
        if (is_held(election))
            return 0;
        auto_json struct json_object *lease = NULL;
        if (json_object_deep_copy(election->lease, &lease, NULL) < 0)
            return fail(err, FIRN_INTERNAL, "no memory for a lease");
        claim(election, lease);
        result = ask(election, "update", "PUT", lease, err);
    }
    if (result < 0) {
        json_free(&election->lease); /* read it again */
        return -1;
    }
    look(election);
    election->until = begun + election->options.deadline;
    return 1;
}

static void release(struct kube_election *election)
{
    auto_json struct json_object *lease = NULL;
    if (!kube_election_leads(election) || election->lease == NULL ||
        json_object_deep_copy(election->lease, &lease, NULL) < 0)
        return;
    struct json_object *spec = json_at(lease, "spec");
    json_set_string(spec, "holderIdentity", "");
    json_set_int(spec, "leaseDurationSeconds", 1);
    election->until = 0;
    election->stopping = false; /* for this last request */
    election->request_until = clock_monotonic() + election->options.deadline;
    ask(election, "update", "PUT", lease, NULL);
}

/* ---- the thread */

static void tell_leader(struct kube_election *election)
{
    const char *name = holder(election);
    if (election->told_leader != NULL && strcmp(election->told_leader, name) == 0)
        return;
    free(election->told_leader);
    election->told_leader = mem_strdup(name);
    if (election->options.leader != NULL && *name != '\0')
        election->options.leader(election->options.context, name);
}

/* One try, and what follows from it. 1: go on; 0: it is over. */
static int step(struct kube_election *election, bool *leading)
{
    auto_error struct firn_error *failure = NULL;
    election->request_until =
        *leading ? (int64_t)election->until : clock_monotonic() + election->options.deadline;
    int result = try_once(election, &failure);
    if (election->stopping)
        return 0;
    if (result < 0 && election->options.failed != NULL)
        election->options.failed(election->options.context, failure);
    if (result == 1 && !*leading) {
        *leading = true;
        election->options.led(election->options.context);
    } else if (*leading && (result == 0 || !kube_election_leads(election))) {
        election->until = 0;
        election->options.lost(election->options.context);
        return 0;
    } else if (result == 0) {
        tell_leader(election);
    }
    return 1;
}

static void *run(void *context)
{
    struct kube_election *election = context;
    const struct http_terms terms = {.stopped = is_stopped, .context = election};
    bool leading = false;
    while (!election->stopping && !cancel_requested()) {
        if (step(election, &leading) == 0)
            break;
        int64_t pause = election->options.retry;
        int64_t left = leading ? election->until - clock_monotonic() : pause;
        election->request_until = 0;
        if (backoff_wait(left < pause ? left : pause, &terms, NULL) < 0)
            break;
    }
    return NULL;
}

struct kube_election *kube_election_start(struct kube_client *client,
                                          const struct kube_election_options *options)
{
    struct kube_election *election = mem_zalloc(sizeof(*election));
    pthread_attr_t attributes;
    election->client = client;
    election->options = *options;
    election->namespace = mem_strdup(options->namespace);
    election->name = mem_strdup(options->name);
    election->identity = mem_strdup(options->identity);
    if (options->duration == 0)
        election->options.duration = DURATION;
    if (options->deadline == 0)
        election->options.deadline = DEADLINE;
    if (options->retry == 0)
        election->options.retry = RETRY;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    if (pthread_create(&election->thread, &attributes, run, election) != 0)
        abort();
    pthread_attr_destroy(&attributes);
    return election;
}

void kube_election_stop(struct kube_election *election)
{
    if (election == NULL)
        return;
    election->stopping = true;
    pthread_join(election->thread, NULL);
    release(election);
    json_free(&election->lease);
    free(election->seen_spec);
    free(election->told_leader);
    free(election->namespace);
    free(election->name);
    free(election->identity);
    free(election);
}
