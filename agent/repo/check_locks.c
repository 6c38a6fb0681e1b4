/* SPDX-License-Identifier: Apache-2.0 */
#include "check_locks.h"

#include "pack.h"
#include "protection.h"
#include "repo.h"
#include "snapshot.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "store/store.h"

#include <pthread.h>
#include <string.h>

#define THREADS 16u

/* ------------------------------------------------------------------------------------------------ locks */

/* An object, and until when it has to be locked. */
struct demand {
    char *name;
    uint32_t pack; /* PACK_NONE: it is none */
    char *
        affected; /* the snapshots that say so; NULL: of a pack, found when there is something to say */
    int64_t until;
};

struct proof {
    struct repo *repo;
    struct reach *reach;
    check_finding *finding;
    void *context;
    struct check_result *result;
    int64_t *promises; /* by pack number: the latest of a snapshot that relies on it */
    uint32_t pack_count;
    int64_t promise; /* of the snapshot that is looked at */
    struct demand *demands;
    size_t count;
    pthread_mutex_t lock; /* result, finding, reach */
    int64_t longest;      /* the latest promise of all */
    char *protected;      /* the snapshots that promise anything */
};

static void add_demand_take(struct proof *proof, char *name, char *affected, int64_t until)
{
    if (proof->count % 256 == 0)
        proof->demands = mem_resize(proof->demands, proof->count + 256, sizeof(*proof->demands));
    proof->demands[proof->count++] = (struct demand){name, PACK_NONE, affected, until};
}

static int add_key(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct proof *proof = context;
    (void)err;
    add_demand_take(proof, mem_strdup(entry->name), mem_strdup(proof->protected), proof->longest);
    return 0;
}

static void note_promise(void *context, uint32_t pack)
{
    struct proof *proof = context;
    if (pack < proof->pack_count && proof->promises[pack] < proof->promise)
        proof->promises[pack] = proof->promise;
}

/* What is damaged or missing is not for this to say: the rest of the check finds it. */
static int note_packs(struct proof *proof, const struct snapshot *snapshot, struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    proof->promise = snapshot->protected_until;
    if (protection_packs(proof->repo, snapshot, note_promise, proof, &why) == 0 ||
        error_code(why) == FIRN_CORRUPT)
        return 0;
    return fail(err, error_code(why), "%s", error_message(why));
}

static int add_snapshots(struct proof *proof, int64_t now, struct firn_error **err)
{
    size_t count = 0;
    int result = 0;
    struct snapshot *const *snapshots = reach_snapshots(proof->reach, &count);
    struct buf all = buf_new(65536);
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct snapshot *snapshot = snapshots[i];
        if (snapshot->protected_until <= now)
            continue;
        proof->result->snapshots_protected++;
        char *affected = mem_printf("%.*s", REACH_SHORT_ID, snapshot->id_text);
        buf_printf(&all, "%s%s", all.length == 0 ? "" : " ", affected);
        add_demand_take(proof, mem_printf("snapshots/%s", snapshot->id_text), affected,
                        snapshot->protected_until);
        if (snapshot->protected_until > proof->longest)
            proof->longest = snapshot->protected_until;
        result = note_packs(proof, snapshot, err);
    }
    proof->protected = buf_take(&all);
    return result;
}

static int add_demands(struct proof *proof, struct firn_error **err)
{
    struct repo *repo = proof->repo;
    int64_t now = 0;
    proof->pack_count = pack_table_count(repo->packs);
    proof->promises = mem_array(proof->pack_count + 1, sizeof(*proof->promises));
    if (store_now(repo->store, &now, err) < 0 || add_snapshots(proof, now, err) < 0)
        return -1;
    if (proof->longest == 0)
        return 0;
    for (uint32_t pack = 0; pack < proof->pack_count; pack++) {
        uint8_t id[FORMAT_ID_LENGTH];
        char name[PACK_NAME_LENGTH];
        if (proof->promises[pack] == 0)
            continue;
        pack_table_id(repo->packs, pack, id);
        pack_name(id, name);
        add_demand_take(proof, mem_strdup(name), NULL, proof->promises[pack]);
        proof->demands[proof->count - 1].pack = pack;
    }
    add_demand_take(proof, mem_strdup("config"), mem_strdup(proof->protected), proof->longest);
    return store_list(repo->store, "keys/", add_key, proof, err);
}

/* What is wrong with the lock, a new string; NULL: nothing. */
static char *find_fault(const struct proof *proof, const struct demand *demand,
                        const struct store_lock *lock)
{
    char until[CLOCK_TEXT_LENGTH], wanted[CLOCK_TEXT_LENGTH];
    clock_format(lock->until, until);
    clock_format(demand->until, wanted);
    if (lock->mode == STORE_UNLOCKED)
        return mem_printf("it is not locked, and should be until %s", wanted);
    if (lock->mode < proof->repo->lock.mode)
        return mem_printf("it is locked in mode %s only", store_lock_mode_name(lock->mode));
    if (lock->until < demand->until)
        return mem_printf("it is locked until %s only, and should be until %s", until, wanted);
    return NULL;
}

static int prove(void *context, size_t number, struct firn_error **err)
{
    struct proof *proof = context;
    const struct demand *demand = &proof->demands[number];
    struct store_lock lock;
    auto_error struct firn_error *why = NULL;
    int result = store_lock_read(proof->repo->store, demand->name, &lock, &why);
    auto_free char *fault = result < 0 ? NULL : find_fault(proof, demand, &lock);
    pthread_mutex_lock(&proof->lock);
    proof->result->locks_read++;
    if (fault != NULL) {
        auto_free char *affected = demand->pack != PACK_NONE
                                       ? reach_affected(proof->reach, demand->pack)
                                       : mem_strdup(demand->affected);
        proof->result->findings++;
        proof->finding(proof->context, demand->name, fault, affected);
    }
    pthread_mutex_unlock(&proof->lock);
    if (result < 0 && error_code(why) != FIRN_NOTFOUND)
        return fail(err, error_code(why), "%s", error_message(why));
    return 0;
}

int check_locks(struct repo *repo, struct reach *reach, check_finding *finding, void *context,
                struct check_result *result, struct firn_error **err)
{
    if (repo->lock.mode == STORE_UNLOCKED)
        return 0;
    struct proof proof = {
        .repo = repo, .reach = reach, .finding = finding, .context = context, .result = result};
    pthread_mutex_init(&proof.lock, NULL);
    int status = add_demands(&proof, err);
    if (status == 0)
        status = parallel_run(proof.count, THREADS, prove, &proof, err);
    for (size_t i = 0; i < proof.count; i++) {
        free(proof.demands[i].name);
        free(proof.demands[i].affected);
    }
    free(proof.demands);
    free(proof.promises);
    free(proof.protected);
    pthread_mutex_destroy(&proof.lock);
    return status < 0 ? wrap(err, "prove the locks") : 0;
}

/* ------------------------------------------------------------------------------------------------ versions */

struct overlaid {
    check_finding *finding;
    void *context;
    struct check_result *result;
};

static int report_overlaid(void *context, const struct store_overlaid *object,
                           struct firn_error **err)
{
    const struct overlaid *overlaid = context;
    char when[CLOCK_TEXT_LENGTH];
    (void)err;
    clock_format(object->when, when);
    auto_free char *what =
        mem_printf("somebody %s it at %s: Firn reads its first version, `firn repair --undelete` "
                   "shows that to others, too",
                   object->hidden ? "hid" : "overwrote", when);
    overlaid->result->findings++;
    overlaid->finding(overlaid->context, object->name, what, "");
    return 0;
}

int check_overlaid(struct repo *repo, check_finding *finding, void *context,
                   struct check_result *result, struct firn_error **err)
{
    struct overlaid overlaid = {.finding = finding, .context = context, .result = result};
    for (size_t i = 0; repo_places[i] != NULL; i++)
        if (store_list_overlaid(repo->store, repo_places[i], report_overlaid, &overlaid, err) < 0)
            return wrap(err, "look for what was overwritten");
    return 0;
}
