/* SPDX-License-Identifier: Apache-2.0 */
#include "repo.h"

#include "config.h"
#include "crypt.h"
#include "gate.h"
#include "meta.h"
#include "protection.h"
#include "snapshot_cache.h"
#include "trailer_cache.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"

#include <string.h>

const char *const repo_places[] = {"config",   "keys/",     "packs/",   "snapshots/", "condemned/",
                                   "removed/", "finished/", "damaged/", "holds/",     NULL};

static struct repo *repo_new(struct store *store, const struct config *config)
{
    struct repo *repo = mem_zalloc(sizeof(*repo));
    repo->store = store;
    memcpy(repo->id, config->id, sizeof(repo->id));
    hex_encode(repo->id, sizeof(repo->id), repo->id_text);
    repo->created = config->created;
    repo->abilities = config->abilities;
    repo->lock = config->lock;
    repo->protection = protection_new();
    store_set_lock_rule(store, &repo->lock, 0);
    repo->packs = pack_table_new();
    repo->trailers = trailer_cache_new();
    repo->gate = gate_new();
    repo->meta = meta_shelf_new();
    return repo;
}

static int refuse_object(void *context, const struct store_entry *entry, struct firn_error **err)
{
    const struct store *store = context;
    return fail(err, FIRN_CONFLICT,
                "%s already holds %s, of a repository whose object config is missing",
                store_location(store), entry->name);
}

static int refuse_repository(struct store *store, struct firn_error **err)
{
    uint64_t length;
    auto_error struct firn_error *why = NULL;
    if (store_stat(store, "config", &length, NULL, &why) == 0)
        return fail(err, FIRN_CONFLICT, "there is a repository in %s already",
                    store_location(store));
    if (error_code(why) != FIRN_NOTFOUND)
        return fail(err, error_code(why), "%s", error_message(why));
    if (store_list(store, "packs/", refuse_object, store, err) < 0)
        return -1;
    return store_list(store, "snapshots/", refuse_object, store, err);
}

/* Whether what was put is locked is what the server says, not what it let pass. */
static int prove_lock(struct repo *repo, const char *slot, struct firn_error **err)
{
    struct store_lock lock;
    int64_t now = 0;
    if (repo->lock.mode == STORE_UNLOCKED)
        return 0;
    if (store_lock_read(repo->store, slot, &lock, err) < 0 || store_now(repo->store, &now, err) < 0)
        return -1;
    if (lock.mode == repo->lock.mode && lock.until >= now && repo->abilities.versions) {
        repo->abilities.locks = true; /* also if it may not be asked */
        return 0;
    }
    if (lock.mode == STORE_UNLOCKED)
        store_remove(repo->store, slot, NULL);
    return fail(err, FIRN_INVALID,
                "%s does not lock what is put into it, although it does not refuse to",
                store_location(repo->store));
}

/* The slot first: `config` is what makes it a repository, and it must never be one that nobody can open. */
static int write_new(struct repo *repo, const struct repo_options *options, struct firn_error **err)
{
    if (keyring_generate(repo->id, &repo->keyring, err) < 0)
        return -1;
    repo->unlocked = true;
    if (key_slot_add(repo->store, &repo->keyring, options->credential, KEY_FULL, options->label,
                     repo->slot_id, err) < 0)
        return -1;
    auto_free char *slot = mem_printf("keys/%s", repo->slot_id);
    if (store_probe(repo->store, slot, &repo->abilities, err) < 0 ||
        prove_lock(repo, slot, err) < 0)
        return -1;
    struct config config = {
        .created = repo->created, .abilities = repo->abilities, .lock = repo->lock};
    memcpy(config.id, repo->id, sizeof(config.id));
    return config_write(repo->store, &config, err);
}

int repo_init(struct store *store, const struct repo_options *options, struct repo **out,
              struct firn_error **err)
{
    if (refuse_repository(store, err) < 0 ||
        (options->lock.mode != STORE_UNLOCKED && store_can_lock(store, err) < 0))
        return -1;
    struct config config = {.created = clock_now(), .lock = options->lock};
    crypt_random(config.id, sizeof(config.id));
    struct repo *repo = repo_new(store, &config);
    if (write_new(repo, options, err) < 0) {
        repo_close(repo);
        return wrap(err, "make a repository");
    }
    *out = repo;
    return 0;
}

int repo_open(struct store *store, struct repo **out, struct firn_error **err)
{
    struct config config;
    if (config_read(store, &config, err) < 0)
        return -1;
    *out = repo_new(store, &config);
    return 0;
}

int repo_unlock(struct repo *repo, const struct key_credential *credential, struct firn_error **err)
{
    struct keyring keyring;
    if (keyring_open(repo->store, repo->id, credential, &keyring, repo->slot_id, err) < 0)
        return -1;
    keyring_wipe(&repo->keyring);
    repo->keyring = keyring;
    repo->unlocked = true;
    return 0;
}

void repo_set_cache(struct repo *repo, const char *directory)
{
    snapshot_cache_free(repo->snapshots);
    repo->snapshots = directory == NULL ? NULL : snapshot_cache_new(directory, repo->id_text);
}

void repo_close(struct repo *repo)
{
    if (repo == NULL)
        return;
    meta_shelf_free(repo->meta); /* its reader holds trailers */
    trailer_cache_free(repo->trailers);
    gate_free(repo->gate);
    snapshot_cache_free(repo->snapshots);
    keyring_wipe(&repo->keyring);
    pack_table_free(repo->packs);
    protection_free(repo->protection);
    free(repo);
}
