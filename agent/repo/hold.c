/* SPDX-License-Identifier: Apache-2.0 */
#include "hold.h"

#include "pack.h"
#include "protection.h"
#include "repo.h"
#include "snapshot.h"

#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/parallel.h"

#include <string.h>

#define THREADS 16u

static char *name_in(const char *folder, const char *id)
{
    return mem_printf("%s/%s", folder, id);
}

/* ------------------------------------------------------------------------------------------------ by marks */

/* 1: there is a mark. */
static int is_marked(struct repo *repo, const char *id, struct firn_error **err)
{
    auto_free char *name = name_in("holds", id);
    uint64_t length = 0;
    auto_error struct firn_error *why = NULL;
    if (store_stat(repo->store, name, &length, NULL, &why) == 0)
        return 1;
    return error_code(why) == FIRN_NOTFOUND ? 0
                                            : fail(err, error_code(why), "%s", error_message(why));
}

static int set_mark(struct repo *repo, const char *id, struct firn_error **err)
{
    static const char text[] = "held\n";
    auto_free char *name = name_in("holds", id);
    int marked = is_marked(repo, id, err);
    if (marked != 0)
        return marked < 0 ? -1 : 0;
    return store_put(repo->store, name, text, sizeof(text) - 1, err);
}

static int remove_mark(struct repo *repo, const char *id, struct firn_error **err)
{
    auto_free char *name = name_in("holds", id);
    int marked = is_marked(repo, id, err);
    if (marked <= 0)
        return marked;
    return store_remove(repo->store, name, err);
}

/* ------------------------------------------------------------------------------------------------ by the server */

struct names {
    struct repo *repo;
    char **names;
    size_t count;
    bool
        *others; /* by pack number: another held snapshot relies on it; NULL: nothing is left out */
    uint32_t pack_count;
};

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    free(names->others);
}
#define auto_names __attribute__((cleanup(names_free)))

static void add_name_take(struct names *names, char *name)
{
    if (names->count % 256 == 0)
        names->names = mem_resize(names->names, names->count + 256, sizeof(*names->names));
    names->names[names->count++] = name;
}

static void add_pack(void *context, uint32_t pack)
{
    struct names *names = context;
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    if (names->others != NULL && pack < names->pack_count && names->others[pack])
        return;
    pack_table_id(names->repo->packs, pack, id);
    pack_name(id, name);
    add_name_take(names, mem_strdup(name));
}

static int add_key(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)err;
    add_name_take(context, mem_strdup(entry->name));
    return 0;
}

/* What no snapshot is restored without. */
static int add_common(struct names *names, struct firn_error **err)
{
    add_name_take(names, mem_strdup("config"));
    return store_list(names->repo->store, "keys/", add_key, names, err);
}

static int hold_one(void *context, size_t number, struct firn_error **err)
{
    struct names *names = context;
    return store_hold(names->repo->store, names->names[number], err);
}

static int release_one(void *context, size_t number, struct firn_error **err)
{
    struct names *names = context;
    return store_release(names->repo->store, names->names[number], err);
}

static int hold_all(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err)
{
    auto_names struct names names = {.repo = repo};
    auto_free char *own = name_in("snapshots", snapshot->id_text);
    if (protection_packs(repo, snapshot, add_pack, &names, err) < 0 ||
        add_common(&names, err) < 0 ||
        parallel_run(names.count, THREADS, hold_one, &names, err) < 0)
        return -1;
    return store_hold(repo->store, own, err);
}

static void mark_other(void *context, uint32_t pack)
{
    struct names *names = context;
    if (pack >= names->pack_count) {
        uint32_t count = pack + 1 + pack / 2 + 64;
        names->others = mem_resize(names->others, count, sizeof(*names->others));
        memset(names->others + names->pack_count, 0, count - names->pack_count);
        names->pack_count = count;
    }
    names->others[pack] = true;
}

/* Marks what the other held snapshots rely on. Returns how many there are. */
static int mark_others(struct names *names, const struct snapshot *snapshot,
                       struct firn_error **err)
{
    struct snapshot **list = NULL;
    size_t count = 0;
    int others = 0;
    if (snapshot_list(names->repo, NULL, NULL, &list, &count, err) < 0)
        return -1;
    auto_free bool *held = mem_array(count + 1, sizeof(*held));
    int result = hold_list(names->repo, list, count, held, err);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (!held[i] || memcmp(list[i]->id, snapshot->id, FORMAT_ID_LENGTH) == 0)
            continue;
        others++;
        result = protection_packs(names->repo, list[i], mark_other, names, err);
    }
    snapshot_list_free(list, count);
    return result < 0 ? -1 : others;
}

static int release_all(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err)
{
    auto_names struct names names = {.repo = repo};
    auto_free char *own = name_in("snapshots", snapshot->id_text);
    int others = mark_others(&names, snapshot, err);
    if (others < 0 || protection_packs(repo, snapshot, add_pack, &names, err) < 0 ||
        (others == 0 && add_common(&names, err) < 0) || store_release(repo->store, own, err) < 0)
        return -1;
    return parallel_run(names.count, THREADS, release_one, &names, err);
}

/* ------------------------------------------------------------------------------------------------ both */

int hold_set(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err)
{
    int result = repo->abilities.locks ? hold_all(repo, snapshot, err)
                                       : set_mark(repo, snapshot->id_text, err);
    return result < 0 ? wrap(err, "hold snapshot %.12s", snapshot->id_text) : 0;
}

int hold_release(struct repo *repo, const struct snapshot *snapshot, struct firn_error **err)
{
    int result = repo->abilities.locks ? release_all(repo, snapshot, err)
                                       : remove_mark(repo, snapshot->id_text, err);
    return result < 0 ? wrap(err, "release snapshot %.12s", snapshot->id_text) : 0;
}

struct reading {
    struct repo *repo;
    struct snapshot *const *snapshots;
    bool *held;
};

static int read_one(void *context, size_t number, struct firn_error **err)
{
    struct reading *reading = context;
    struct store_lock lock;
    if (hold_read(reading->repo, reading->snapshots[number]->id_text, &lock, err) < 0)
        return -1;
    reading->held[number] = lock.held;
    return 0;
}

int hold_list(struct repo *repo, struct snapshot *const *snapshots, size_t count, bool *held,
              struct firn_error **err)
{
    struct reading reading = {.repo = repo, .snapshots = snapshots, .held = held};
    return parallel_run(count, THREADS, read_one, &reading, err);
}

int hold_read(struct repo *repo, const char *snapshot_id, struct store_lock *out,
              struct firn_error **err)
{
    int64_t now = 0;
    *out = (struct store_lock){.mode = STORE_UNLOCKED};
    if (!repo->abilities.locks) {
        int marked = is_marked(repo, snapshot_id, err);
        out->held = marked > 0;
        return marked < 0 ? -1 : 0;
    }
    auto_free char *name = name_in("snapshots", snapshot_id);
    if (store_lock_read(repo->store, name, out, err) < 0 ||
        (out->until != 0 && store_now(repo->store, &now, err) < 0))
        return -1;
    if (out->until <= now)
        out->until = 0;
    return 0;
}

int hold_check(struct repo *repo, const char *snapshot_id, struct firn_error **err)
{
    struct store_lock lock;
    char until[CLOCK_TEXT_LENGTH];
    if (hold_read(repo, snapshot_id, &lock, err) < 0)
        return -1;
    clock_format(lock.until, until);
    if (lock.held)
        return fail(err, FIRN_DENIED, "snapshot %.12s is held: `firn hold --release` releases it",
                    snapshot_id);
    if (lock.until != 0)
        return fail(err, FIRN_DENIED, "snapshot %.12s is locked until %s (%s)", snapshot_id, until,
                    store_lock_mode_name(lock.mode));
    return 0;
}
