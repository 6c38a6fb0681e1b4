/* SPDX-License-Identifier: Apache-2.0 */
#include "protection.h"

#include "pack.h"
#include "repo.h"
#include "snapshot.h"
#include "trailer_cache.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "store/lock.h"
#include "store/store.h"

#include <pthread.h>
#include <string.h>

#define THREADS      16u
#define DENIALS_MOST 32u /* without one success: then it is known that the right is not there */

struct protection {
    pthread_mutex_t mutex;
    int64_t since;  /* the beginning of the run by the store's clock; 0: none has begun */
    int64_t *known; /* by pack number: until when it is known to be locked; 0: it is not known */
    uint32_t count; /* of known */
};

struct protection *protection_new(void)
{
    struct protection *protection = mem_zalloc(sizeof(*protection));
    pthread_mutex_init(&protection->mutex, NULL);
    return protection;
}

void protection_free(struct protection *protection)
{
    if (protection == NULL)
        return;
    pthread_mutex_destroy(&protection->mutex);
    free(protection->known);
    free(protection);
}

/* ------------------------------------------------------------------------------------------------ what is known */

static void note(struct protection *protection, uint32_t pack, int64_t until)
{
    pthread_mutex_lock(&protection->mutex);
    if (pack >= protection->count) {
        uint32_t count = pack + 1 + pack / 2 + 64;
        protection->known = mem_resize(protection->known, count, sizeof(*protection->known));
        memset(protection->known + protection->count, 0,
               (count - protection->count) * sizeof(*protection->known));
        protection->count = count;
    }
    if (protection->known[pack] < until)
        protection->known[pack] = until;
    pthread_mutex_unlock(&protection->mutex);
}

static int64_t known(struct protection *protection, uint32_t pack)
{
    pthread_mutex_lock(&protection->mutex);
    int64_t until = pack < protection->count ? protection->known[pack] : 0;
    pthread_mutex_unlock(&protection->mutex);
    return until;
}

static void name_of(struct repo *repo, uint32_t pack, char name[PACK_NAME_LENGTH])
{
    uint8_t id[FORMAT_ID_LENGTH];
    pack_table_id(repo->packs, pack, id);
    pack_name(id, name);
}

void protection_note_written(struct repo *repo, uint32_t pack)
{
    char name[PACK_NAME_LENGTH];
    if (repo->lock.mode == STORE_UNLOCKED || repo->protection->since == 0)
        return;
    name_of(repo, pack, name);
    note(repo->protection, pack, lock_until(&repo->lock, name, repo->protection->since));
}

/* ------------------------------------------------------------------------------------------------ what a snapshot relies on */

struct pack_set {
    uint8_t *bits;
    uint32_t count; /* of bits */
};

/* Whether it was not in the set before. */
static bool add_pack(struct pack_set *set, uint32_t pack)
{
    if (pack >= set->count) {
        uint32_t count = (pack + pack / 2 + 1024) / 8 * 8;
        set->bits = mem_resize(set->bits, count / 8, 1);
        memset(set->bits + set->count / 8, 0, (count - set->count) / 8);
        set->count = count;
    }
    bool fresh = (set->bits[pack / 8] & 1u << pack % 8) == 0;
    set->bits[pack / 8] |= (uint8_t)(1u << pack % 8);
    return fresh;
}

static bool has_pack(const struct pack_set *set, uint32_t pack)
{
    return pack < set->count && (set->bits[pack / 8] & 1u << pack % 8) != 0;
}

static int add_stated(struct repo *repo, uint32_t meta_pack, struct pack_set *set,
                      struct firn_error **err)
{
    const struct pack_trailer *trailer = NULL;
    if (trailer_hold(repo, meta_pack, &trailer, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < trailer->reference_count && result == 0; i++) {
        uint32_t pack = 0;
        result = pack_table_number(repo->packs, trailer->references[i], &pack, err);
        if (result == 0)
            add_pack(set, pack);
    }
    trailer_release(repo, trailer);
    return result;
}

/* The meta packs that its maps lie in, and what they state to rely on. */
static int collect(struct repo *repo, const struct snapshot *snapshot, struct pack_set *set,
                   struct firn_error **err)
{
    struct pack_set read = {
        .count = 0}; /* a meta pack may be stated by another, and still is to be read */
    int result = 0;
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct map *map = &snapshot->objects[i].map;
        for (size_t j = 0; j < map->run_count; j++) {
            for (size_t k = 0; k < map->runs[j].span_count && result == 0; k++) {
                uint32_t pack = map->runs[j].spans[k].pack;
                add_pack(set, pack);
                if (add_pack(&read, pack))
                    result = add_stated(repo, pack, set, err);
            }
        }
    }
    free(read.bits);
    return result;
}

int protection_packs(struct repo *repo, const struct snapshot *snapshot, protection_each *each,
                     void *context, struct firn_error **err)
{
    struct pack_set set = {.count = 0};
    int result = collect(repo, snapshot, &set, err);
    for (uint32_t pack = 0; pack < set.count && result == 0; pack++)
        if (has_pack(&set, pack))
            each(context, pack);
    free(set.bits);
    return result;
}

struct trust {
    struct repo *repo;
    int64_t until; /* what the parent promises */
};

static void trust_pack(void *context, uint32_t pack)
{
    const struct trust *trust = context;
    struct repo *repo = trust->repo;
    char name[PACK_NAME_LENGTH];
    name_of(repo, pack, name);
    note(repo->protection, pack, lock_until(&repo->lock, name, trust->until - repo->lock.period));
}

int protection_begin(struct repo *repo, const struct snapshot *parent, struct firn_error **err)
{
    if (repo->lock.mode == STORE_UNLOCKED)
        return 0;
    if (store_now(repo->store, &repo->protection->since, err) < 0)
        return -1;
    store_set_lock_rule(repo->store, &repo->lock, repo->protection->since);
    if (parent == NULL || parent->protected_until < repo->protection->since)
        return 0;
    struct trust trust = {.repo = repo, .until = parent->protected_until};
    return protection_packs(repo, parent, trust_pack, &trust, err);
}

/* ------------------------------------------------------------------------------------------------ extending */

struct work {
    char *name;
    uint32_t pack; /* PACK_NONE: it is none */
    int64_t until; /* to be locked until then */
};

struct extension {
    struct repo *repo;
    struct work *works;
    size_t count;
    size_t done, denied;
    int64_t least; /* what can be promised: less than was wanted where something was denied */
    struct firn_error *denial; /* the first */
};

static void add_work_take(struct extension *extension, char *name, uint32_t pack, int64_t until)
{
    if (extension->count % 256 == 0)
        extension->works =
            mem_resize(extension->works, extension->count + 256, sizeof(*extension->works));
    extension->works[extension->count++] = (struct work){name, pack, until};
}

static int add_key(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct extension *extension = context;
    struct repo *repo = extension->repo;
    int64_t until = lock_until(&repo->lock, entry->name, repo->protection->since);
    (void)err;
    add_work_take(extension, mem_strdup(entry->name), PACK_NONE, until);
    return 0;
}

static void add_unless_known(void *context, uint32_t pack)
{
    struct extension *extension = context;
    struct repo *repo = extension->repo;
    char name[PACK_NAME_LENGTH];
    name_of(repo, pack, name);
    int64_t until = lock_until(&repo->lock, name, repo->protection->since);
    if (known(repo->protection, pack) < until)
        add_work_take(extension, mem_strdup(name), pack, until);
}

/* All that is not known to be locked for long enough. Config and keys are few: they are always asked for. */
static int plan(struct extension *extension, const struct snapshot *snapshot,
                struct firn_error **err)
{
    struct repo *repo = extension->repo;
    if (protection_packs(repo, snapshot, add_unless_known, extension, err) < 0)
        return -1;
    add_work_take(extension, mem_strdup("config"), PACK_NONE,
                  lock_until(&repo->lock, "config", repo->protection->since));
    return store_list(repo->store, "keys/", add_key, extension, err);
}

/* Until when the object is locked if it cannot be locked for longer: 1 if that is long enough. */
static int read_lock(struct extension *extension, const struct work *work, int64_t *until,
                     struct firn_error **err)
{
    struct store_lock lock;
    enum store_lock_mode mode = extension->repo->lock.mode;
    if (store_lock_read(extension->repo->store, work->name, &lock, err) < 0)
        return -1;
    *until = lock.mode < mode ? 0 : lock.until;
    return *until >= work->until;
}

/* Locking for shorter than it is locked is denied as well as locking without the right: then the lock is looked at. */
static int extend_one(struct extension *extension, const struct work *work, int64_t *until,
                      struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    *until = work->until;
    if (store_lock_extend(extension->repo->store, work->name, extension->repo->lock.mode,
                          work->until, &why) == 0)
        return 1;
    if (error_code(why) != FIRN_DENIED && error_code(why) != FIRN_INVALID)
        return fail(err, error_code(why), "%s", error_message(why));
    int enough = read_lock(extension, work, until, err);
    if (enough == 0)
        error_set(err, FIRN_DENIED, "%s", error_message(why));
    return enough;
}

/* The same without asking for more: what the parent promised is as good as an answer. */
static int settle_for(struct extension *extension, const struct work *work, int64_t *until,
                      struct firn_error **err)
{
    *until = work->pack == PACK_NONE ? 0 : known(extension->repo->protection, work->pack);
    return *until > 0 ? 0 : read_lock(extension, work, until, err);
}

/* result: 1, it is locked for long enough; 0: until `until` only; -1: nobody knows. */
static void account_take(struct extension *extension, const struct work *work, int result,
                         int64_t until, struct firn_error *why)
{
    struct protection *protection = extension->repo->protection;
    if (result >= 0 && work->pack != PACK_NONE)
        note(protection, work->pack, until);
    int64_t least = lock_floor(&extension->repo->lock, work->name, result < 0 ? 0 : until);
    pthread_mutex_lock(&protection->mutex);
    extension->done += result > 0;
    extension->denied += result <= 0;
    if (result <= 0 && least < extension->least)
        extension->least = least;
    if (result <= 0 && extension->denial == NULL)
        extension->denial = steal(why);
    pthread_mutex_unlock(&protection->mutex);
    error_clear(&why);
}

static int extend(void *context, size_t number, struct firn_error **err)
{
    struct extension *extension = context;
    struct protection *protection = extension->repo->protection;
    const struct work *work = &extension->works[number];
    struct firn_error *why = NULL;
    int64_t until = 0;
    pthread_mutex_lock(&protection->mutex);
    bool hopeless = extension->done == 0 && extension->denied >= DENIALS_MOST;
    pthread_mutex_unlock(&protection->mutex);
    int result = hopeless ? settle_for(extension, work, &until, &why)
                          : extend_one(extension, work, &until, &why);
    if (result < 0 && error_code(why) != FIRN_DENIED) {
        if (err != NULL)
            *err = steal(why);
        error_clear(&why);
        return -1;
    }
    account_take(extension, work, result, until, why);
    return 0;
}

/* What is promised holds for every object, and for the next run that builds on the promise. */
static int64_t promise(const struct extension *extension)
{
    struct repo *repo = extension->repo;
    char until[CLOCK_TEXT_LENGTH];
    log_debug("locks: %zu of %zu objects extended, %zu denied", extension->done, extension->count,
              extension->denied);
    if (extension->denied == 0)
        return extension->least;
    bool any = extension->least > repo->protection->since;
    clock_format(extension->least, until);
    log_warning("the snapshot is %s%s: %zu of the objects that it relies on cannot be locked for "
                "longer: %s",
                any ? "protected until " : "not protected", any ? until : "", extension->denied,
                error_message(extension->denial));
    return any ? extension->least : 0;
}

int protection_extend(struct repo *repo, struct snapshot *snapshot, struct firn_error **err)
{
    snapshot->protected_until = 0;
    if (repo->lock.mode == STORE_UNLOCKED)
        return 0;
    if (repo->protection->since == 0 && protection_begin(repo, NULL, err) < 0)
        return -1;
    struct extension extension = {.repo = repo,
                                  .least = repo->protection->since + repo->lock.period};
    int result = plan(&extension, snapshot, err);
    if (result == 0)
        result = parallel_run(extension.count, THREADS, extend, &extension, err);
    if (result == 0)
        snapshot->protected_until = promise(&extension);
    for (size_t i = 0; i < extension.count; i++)
        free(extension.works[i].name);
    free(extension.works);
    error_clear(&extension.denial);
    return result < 0 ? wrap(err, "lock what the snapshot relies on") : 0;
}
