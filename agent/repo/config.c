/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

#include <string.h>

#define CONFIG_NAME "config"
#define CONFIG_MOST 4096u /* bytes; a reader refuses more */

static int corrupt(struct store *store, const char *why, struct firn_error **err)
{
    return fail(err, FIRN_CORRUPT, "the object config of %s is damaged: %s", store_location(store),
                why);
}

static int read_text(struct store *store, char text[CONFIG_MOST], size_t *length,
                     struct firn_error **err)
{
    uint64_t stored = 0;
    if (store_stat(store, CONFIG_NAME, &stored, NULL, err) < 0) {
        if (err != NULL && error_code(*err) == FIRN_NOTFOUND) {
            error_clear(err);
            return fail(err, FIRN_NOTFOUND, "there is no repository in %s (firn init makes one)",
                        store_location(store));
        }
        return -1;
    }
    if (stored > CONFIG_MOST)
        return corrupt(store, "it is too long", err);
    *length = (size_t)stored;
    return store_get(store, CONFIG_NAME, 0, text, *length, err);
}

static int check_format(struct json_object *json, struct store *store, struct firn_error **err)
{
    uint64_t version = 0, block = 0;
    if (json_get_uint(json, "firn", &version, NULL) < 0)
        return corrupt(store, "it names no format version", err);
    if (version != FORMAT_VERSION)
        return fail(err, FIRN_INVALID,
                    "the repository in %s has format version %llu; this Firn knows version %u: use "
                    "a newer one",
                    store_location(store), (unsigned long long)version, FORMAT_VERSION);
    if (json_get_uint(json, "blockSize", &block, NULL) < 0 || block != FORMAT_BLOCK_SIZE)
        return corrupt(store, "its block size is not that of the format", err);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ locks */

#define PERIOD_MOST (INT64_C(36500) * 86400000) /* a hundred years, which is as much as S3 takes */

static const char *const CONDITIONS[] = {[STORE_CONDITION_KEPT] = "kept",
                                         [STORE_CONDITION_IGNORED] = "ignored",
                                         [STORE_CONDITION_REFUSED] = "refused"};

static void read_abilities(struct json_object *json, struct store_abilities *out)
{
    const char *condition = json_string_or(json, "store.condition", "");
    *out = (struct store_abilities){.condition = STORE_CONDITION_IGNORED};
    for (size_t i = STORE_CONDITION_KEPT; i < array_length(CONDITIONS); i++)
        if (strcmp(condition, CONDITIONS[i]) == 0)
            out->condition = (enum store_condition)i;
    out->versions = json_bool_or(json, "store.versions", false);
    out->locks = json_bool_or(json, "store.locks", false);
    out->default_mode = store_lock_mode_parse(json_string_or(json, "store.default.mode", ""));
    out->default_period = json_int_or(json, "store.default.period", 0);
}

static void write_abilities(struct json_object *json, const struct store_abilities *abilities)
{
    struct json_object *store = json_object_new_object();
    json_set_string(store, "condition", CONDITIONS[abilities->condition]);
    json_set_bool(store, "versions", abilities->versions);
    json_set_bool(store, "locks", abilities->locks);
    if (abilities->default_mode != STORE_UNLOCKED) {
        struct json_object *rule = json_object_new_object();
        json_set_string(rule, "mode", store_lock_mode_name(abilities->default_mode));
        json_set_int(rule, "period", abilities->default_period);
        json_set_take(store, "default", rule);
    }
    json_set_take(json, "store", store);
}

static bool is_period(int64_t period)
{
    return period >= 1000 && period <= PERIOD_MOST && period % 1000 == 0;
}

static int read_lock(struct json_object *json, struct store *store, struct lock_rule *out,
                     struct firn_error **err)
{
    *out = (struct lock_rule){.mode = STORE_UNLOCKED};
    if (json_at(json, "lock") == NULL)
        return 0;
    out->mode = store_lock_mode_parse(json_string_or(json, "lock.mode", ""));
    out->period = json_int_or(json, "lock.period", 0);
    out->generation = json_int_or(json, "lock.generation", 0);
    if (out->mode == STORE_UNLOCKED || !is_period(out->period) || !is_period(out->generation))
        return corrupt(store, "what it says of locks makes no sense", err);
    return 0;
}

static void write_lock(struct json_object *json, const struct lock_rule *rule)
{
    struct json_object *lock = json_object_new_object();
    json_set_string(lock, "mode", store_lock_mode_name(rule->mode));
    json_set_int(lock, "period", rule->period);
    json_set_int(lock, "generation", rule->generation);
    json_set_take(json, "lock", lock);
}

/* ------------------------------------------------------------------------------------------------ the whole */

int config_read(struct store *store, struct config *out, struct firn_error **err)
{
    char text[CONFIG_MOST];
    size_t length = 0;
    if (read_text(store, text, &length, err) < 0)
        return -1;
    auto_json struct json_object *json = NULL;
    if (json_parse(text, length, CONFIG_NAME, &json, NULL) < 0)
        return corrupt(store, "it is not JSON", err);
    if (check_format(json, store, err) < 0)
        return -1;
    const char *id = json_string_or(json, "id", "");
    const char *created = json_string_or(json, "created", "");
    if (!hex_decode(id, out->id, sizeof(out->id)))
        return corrupt(store, "its id is none", err);
    if (clock_parse(created, &out->created, NULL) < 0)
        return corrupt(store, "the time of its creation is none", err);
    read_abilities(json, &out->abilities);
    return read_lock(json, store, &out->lock, err);
}

int config_write(struct store *store, const struct config *config, struct firn_error **err)
{
    char id[FORMAT_ID_TEXT], created[CLOCK_TEXT_LENGTH];
    hex_encode(config->id, sizeof(config->id), id);
    clock_format(config->created, created);
    auto_json struct json_object *json = json_object_new_object();
    json_set_uint(json, "firn", FORMAT_VERSION);
    json_set_string(json, "id", id);
    json_set_string(json, "created", created);
    json_set_uint(json, "blockSize", FORMAT_BLOCK_SIZE);
    write_abilities(json, &config->abilities);
    if (config->lock.mode != STORE_UNLOCKED)
        write_lock(json, &config->lock);
    auto_buf struct buf text = buf_new(CONFIG_MOST);
    json_write_pretty(&text, json);
    if (buf_check(&text, CONFIG_NAME, err) < 0)
        return -1;
    return store_put(store, CONFIG_NAME, text.data, text.length, err);
}
