/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packs a commit has to look at: the meta packs that its snapshot names, and what those of them name that this session
 * wrote. What older meta packs name needs no look: a collector that condemns a pack condemns every meta pack that names it, or
 * leaves it (docs/collection.md, "Closure").
 */
#include "gate.h"

#include "collection.h"
#include "pack_table.h"
#include "repo.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/store.h"

#include <pthread.h>
#include <string.h>

#define LOOKS_MOST 8u /* at records that change while they are read */

/* A record that names packs which are not to be relied on. */
struct obstacle {
    struct collection_record record; /* condemned, or the verdict if there is one */
    struct buf bytes;                /* that its packs lie in */
    int64_t modified;
};

/* A meta pack of this session. */
struct written {
    uint8_t id[FORMAT_ID_LENGTH];
    uint8_t (*references)[FORMAT_ID_LENGTH];
    size_t count;
};

struct gate {
    pthread_mutex_t lock;
    int64_t opened; /* by the store's clock, before the packs were listed; 0: never */
    struct obstacle *obstacles;
    size_t obstacle_count;
    struct written *written;
    size_t written_count;
};

struct gate *gate_new(void)
{
    struct gate *gate = mem_zalloc(sizeof(*gate));
    pthread_mutex_init(&gate->lock, NULL);
    return gate;
}

static void free_obstacles(struct obstacle *obstacles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_free(&obstacles[i].bytes);
    free(obstacles);
}

static void forget_written(struct gate *gate)
{
    for (size_t i = 0; i < gate->written_count; i++)
        free(gate->written[i].references);
    free(steal(gate->written));
    gate->written_count = 0;
}

void gate_free(struct gate *gate)
{
    free_obstacles(gate->obstacles, gate->obstacle_count);
    forget_written(gate);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* ------------------------------------------------------------------------------------------------ looking */

/* What is known of the record already, moved to *out. */
static bool take_known(struct gate *gate, enum collection_kind kind, const uint8_t *id,
                       struct obstacle *out)
{
    for (size_t i = 0; i < gate->obstacle_count; i++) {
        struct obstacle *known = &gate->obstacles[i];
        if (known->record.kind != kind || memcmp(known->record.id, id, FORMAT_ID_LENGTH) != 0)
            continue;
        *out = *known;
        known->bytes = buf_new(0);
        known->record = (struct collection_record){.count = 0};
        return true;
    }
    return false;
}

/* A damaged record condemns nothing that anybody could know; its pardon makes sure that it never will. */
static int pardon_damaged(struct repo *repo, const uint8_t *id, const struct firn_error *why,
                          struct firn_error **err)
{
    int64_t now = 0;
    log_warning("%s: whatever it condemned is pardoned", error_message(why));
    return store_now(repo->store, &now, err) < 0 ? -1 : collection_pardon(repo, id, now, err);
}

/* Reads the record that counts of a round. 1; 0: it is no longer there, or was pardoned: to be looked for again; -1. */
static int read_obstacle(struct repo *repo, const struct collection_entry *entry,
                         struct obstacle *out, struct firn_error **err)
{
    enum collection_kind kind =
        entry->modified[COLLECTION_REMOVED] != 0 ? COLLECTION_REMOVED : COLLECTION_CONDEMNED;
    if (take_known(repo->gate, kind, entry->id, out))
        return 1;
    auto_error struct firn_error *why = NULL;
    out->modified = entry->modified[kind];
    if (collection_read(repo, kind, entry->id, &out->bytes, &out->record, &why) == 0)
        return 1;
    buf_free(&out->bytes);
    if (error_code(why) == FIRN_NOTFOUND)
        return 0;
    if (error_code(why) == FIRN_CORRUPT && kind == COLLECTION_CONDEMNED)
        return pardon_damaged(repo, entry->id, why, err) < 0 ? -1 : 0;
    return fail(err, error_code(why), "%s%s", error_message(why),
                error_code(why) == FIRN_CORRUPT
                    ? ": while no backup runs, `firn prune --exclusive` removes it"
                    : "");
}

/* One look. 1; 0: something changed meanwhile; -1. */
static int look_once(struct repo *repo, struct firn_error **err)
{
    struct gate *gate = repo->gate;
    auto_collection_list struct collection_list list = {0};
    if (collection_list(repo, COLLECTION_REMOVED, &list, err) < 0)
        return -1;
    struct obstacle *found = mem_array(list.count + 1, sizeof(*found));
    size_t count = 0;
    int result = 1;
    for (; result > 0 && count<list.count; count += result> 0)
        result = read_obstacle(repo, &list.entries[count], &found[count], err);
    free_obstacles(gate->obstacles, gate->obstacle_count);
    gate->obstacles = found;
    gate->obstacle_count = count;
    return result;
}

static int look_locked(struct repo *repo, struct firn_error **err)
{
    int result = 0;
    for (unsigned i = 0; result == 0 && i < LOOKS_MOST; i++)
        result = look_once(repo, err);
    if (result == 0)
        return fail(err, FIRN_RETRY,
                    "collectors change their records faster than they can be read");
    return result < 0 ? -1 : 0;
}

int gate_look(struct repo *repo, struct firn_error **err)
{
    pthread_mutex_lock(&repo->gate->lock);
    int result = look_locked(repo, err);
    pthread_mutex_unlock(&repo->gate->lock);
    return result;
}

int gate_open(struct repo *repo, struct firn_error **err)
{
    struct gate *gate = repo->gate;
    pthread_mutex_lock(&gate->lock);
    forget_written(gate);
    int result = store_now(repo->store, &gate->opened, err);
    if (result == 0)
        result = pack_table_list(repo->packs, repo->store, err);
    if (result == 0)
        result = look_locked(repo, err);
    pthread_mutex_unlock(&gate->lock);
    return result;
}

/* ------------------------------------------------------------------------------------------------ relying */

static const struct obstacle *obstacle_of(const struct gate *gate, const uint8_t *pack)
{
    for (size_t i = 0; i < gate->obstacle_count; i++)
        if (collection_names(&gate->obstacles[i].record, pack))
            return &gate->obstacles[i];
    return NULL;
}

bool gate_names(struct repo *repo, const uint8_t pack[FORMAT_ID_LENGTH])
{
    pthread_mutex_lock(&repo->gate->lock);
    bool named = obstacle_of(repo->gate, pack) != NULL;
    pthread_mutex_unlock(&repo->gate->lock);
    return named;
}

bool gate_allows(struct repo *repo, uint32_t pack)
{
    uint8_t id[FORMAT_ID_LENGTH];
    if (!pack_table_present(repo->packs, pack))
        return false;
    pack_table_id(repo->packs, pack, id);
    return !gate_names(repo, id);
}

void gate_written(struct repo *repo, const uint8_t pack[FORMAT_ID_LENGTH],
                  const uint8_t (*references)[FORMAT_ID_LENGTH], size_t count)
{
    struct gate *gate = repo->gate;
    struct written written = {.references = mem_dup(references, count * FORMAT_ID_LENGTH),
                              .count = count};
    memcpy(written.id, pack, FORMAT_ID_LENGTH);
    pthread_mutex_lock(&gate->lock);
    if (gate->written_count % 64 == 0)
        gate->written = mem_resize(gate->written, gate->written_count + 64, sizeof(written));
    gate->written[gate->written_count++] = written;
    pthread_mutex_unlock(&gate->lock);
}

/* ------------------------------------------------------------------------------------------------ committing */

/* What a commit relies on is looked at pack by pack. */
struct passing {
    struct repo *repo;
    uint8_t *listed; /* bit set of pack numbers; NULL: the session is short enough to do without */
    uint32_t packs;  /* numbers below this are in it */
    int64_t deadline;
};

static int collected(const uint8_t *pack, struct firn_error **err)
{
    char name[PACK_NAME_LENGTH];
    pack_name(pack, name);
    return fail(err, FIRN_RETRY,
                "%s, which the backup relies on, was collected meanwhile: run it again", name);
}

static bool is_listed(const struct passing *passing, const uint8_t *pack)
{
    uint32_t number = 0;
    return pack_table_find(passing->repo->packs, pack, &number) && number < passing->packs &&
           (passing->listed[number / 8] & 1u << number % 8) != 0;
}

/* All records are asked: several may name a pack, of which one has a verdict and another has not. */
static int pass_pack(struct passing *passing, const uint8_t *pack, struct firn_error **err)
{
    const struct gate *gate = passing->repo->gate;
    if (passing->listed != NULL && !is_listed(passing, pack))
        return collected(pack, err);
    for (size_t i = 0; i < gate->obstacle_count; i++) {
        const struct obstacle *obstacle = &gate->obstacles[i];
        if (!collection_names(&obstacle->record, pack))
            continue;
        if (obstacle->record.kind == COLLECTION_REMOVED)
            return collected(pack, err);
        int64_t until = obstacle->modified + obstacle->record.limit - COLLECTION_MARGIN;
        if (until < passing->deadline)
            passing->deadline = until;
    }
    return 0;
}

static int pass_packs(struct passing *passing, const uint8_t (*packs)[FORMAT_ID_LENGTH],
                      size_t count, struct firn_error **err)
{
    for (size_t i = 0; i < count; i++)
        if (pass_pack(passing, packs[i], err) < 0)
            return -1;
    return 0;
}

static int pass_meta(struct passing *passing, const uint8_t *meta, struct firn_error **err)
{
    const struct gate *gate = passing->repo->gate;
    if (pass_pack(passing, meta, err) < 0)
        return -1;
    for (size_t i = 0; i < gate->written_count; i++) {
        const struct written *written = &gate->written[i];
        if (memcmp(written->id, meta, FORMAT_ID_LENGTH) == 0)
            return pass_packs(passing, (const void *)written->references, written->count, err);
    }
    return 0;
}

static int take_listed(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)err;
    struct passing *passing = context;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t number = 0;
    if (pack_name_parse(entry->name, id) && pack_table_find(passing->repo->packs, id, &number) &&
        number < passing->packs)
        passing->listed[number / 8] |= (uint8_t)(1u << number % 8);
    return 0;
}

/* Of what was removed longer ago than a session should last nobody tells any more: so a longer one sees for itself. */
static int list_again(struct passing *passing, struct firn_error **err)
{
    passing->packs = pack_table_count(passing->repo->packs);
    passing->listed = mem_array(passing->packs / 8 + 1, 1);
    return store_list(passing->repo->store, "packs/", take_listed, passing, err);
}

static int pass(struct passing *passing, const uint8_t (*meta)[FORMAT_ID_LENGTH], size_t count,
                struct firn_error **err)
{
    struct repo *repo = passing->repo;
    int64_t now = 0;
    if (store_now(repo->store, &now, err) < 0)
        return -1;
    if (now - repo->gate->opened > COLLECTION_SESSION &&
        (list_again(passing, err) < 0 || store_now(repo->store, &now, err) < 0))
        return -1;
    if (look_locked(repo, err) < 0)
        return -1;
    passing->deadline = now + COLLECTION_WINDOW;
    for (size_t i = 0; i < count; i++)
        if (pass_meta(passing, meta[i], err) < 0)
            return -1;
    if (passing->deadline >= now)
        return 0;
    return fail(err, FIRN_RETRY,
                "packs that the backup relies on are about to be removed: run it again");
}

int gate_pass(struct repo *repo, const uint8_t (*meta)[FORMAT_ID_LENGTH], size_t count,
              int64_t *deadline, struct firn_error **err)
{
    struct passing passing = {.repo = repo};
    pthread_mutex_lock(&repo->gate->lock);
    int result = pass(&passing, meta, count, err);
    pthread_mutex_unlock(&repo->gate->lock);
    free(passing.listed);
    *deadline = passing.deadline;
    return result;
}
