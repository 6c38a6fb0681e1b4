/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "store/store.h"

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
    return 0;
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
    auto_buf struct buf text = buf_new(CONFIG_MOST);
    json_write_pretty(&text, json);
    if (buf_check(&text, CONFIG_NAME, err) < 0)
        return -1;
    return store_put(store, CONFIG_NAME, text.data, text.length, err);
}
