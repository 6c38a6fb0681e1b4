/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include "config.h"
#include "crypt.h"
#include "slot.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "store/store.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <string.h>

#define PREFIX        "keys/"
#define NAME_LENGTH   (sizeof(PREFIX) - 1 + FORMAT_ID_TEXT)
#define SLOT_MOST     16384u /* bytes of a slot; a reader refuses more */
#define KEY_FILE_WORD "firn-key-1 "

/* --------------------------------------------------------------------------------------------------------- key files */

void key_file_generate(struct buf *out)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    crypt_random_secret(key, sizeof(key));
    buf_puts(out, KEY_FILE_WORD);
    base64_encode(out, key, sizeof(key));
    buf_putc(out, '\n');
    OPENSSL_cleanse(key, sizeof(key));
}

int key_file_parse(const void *text, size_t length, uint8_t key[FORMAT_KEY_LENGTH],
                   struct firn_error **err)
{
    const char *at = text;
    size_t word = sizeof(KEY_FILE_WORD) - 1;
    while (length > 0 && isspace((unsigned char)at[length - 1]))
        length--;
    if (length < word || memcmp(at, KEY_FILE_WORD, word) != 0)
        return fail(err, FIRN_INVALID,
                    "this is not a key file: one is a line that begins with \"" KEY_FILE_WORD "\"");
    size_t made = 0;
    if (!base64_decode(at + word, length - word, key, FORMAT_KEY_LENGTH, &made) ||
        made != FORMAT_KEY_LENGTH)
        return fail(err, FIRN_INVALID,
                    "the key file is damaged: \"" KEY_FILE_WORD
                    "\" is not followed by %u bytes in Base64",
                    FORMAT_KEY_LENGTH);
    return 0;
}

/* ------------------------------------------------------------------------------------------------- reading the slots */

struct slot_names {
    char names[KEY_SLOTS_MOST][NAME_LENGTH];
    size_t count;
};

static int collect_name(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct slot_names *names = context;
    uint8_t id[FORMAT_ID_LENGTH];
    if (!hex_decode(entry->name + sizeof(PREFIX) - 1, id, sizeof(id)))
        return 0;
    if (names->count == KEY_SLOTS_MOST)
        return fail(err, FIRN_CORRUPT, "there are more than %u key slots", KEY_SLOTS_MOST);
    memcpy(names->names[names->count++], entry->name, NAME_LENGTH);
    return 0;
}

static int list_names(struct store *store, struct slot_names *out, struct firn_error **err)
{
    out->count = 0;
    return store_list(store, PREFIX, collect_name, out, err);
}

static int read_slot(struct store *store, const char *name, struct slot *out,
                     struct firn_error **err)
{
    uint64_t length = 0;
    if (store_stat(store, name, &length, NULL, err) < 0)
        return -1;
    if (length > SLOT_MOST)
        return fail(err, FIRN_CORRUPT, "the key slot %s is damaged: it is too long", name);
    auto_free char *text = mem_alloc((size_t)length);
    if (store_get(store, name, 0, text, (size_t)length, err) < 0)
        return -1;
    auto_json struct json_object *json = NULL;
    *out = (struct slot){.role = 0};
    if (!hex_decode(name + sizeof(PREFIX) - 1, out->id, sizeof(out->id)) ||
        json_parse(text, (size_t)length, name, &json, NULL) < 0)
        return fail(err, FIRN_CORRUPT, "the key slot %s is damaged: it is not JSON", name);
    if (slot_from_json(json, out, err) < 0)
        return wrap(err, "the key slot %s is damaged", name);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- opening */

struct attempt {
    struct store *store;
    const uint8_t *repository;
    const struct key_credential *credential;
    struct keyring *out;
    struct firn_error *damage; /* the first that was met */
};

static int open_slot(const struct attempt *attempt, const struct slot *slot,
                     struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    if (memcmp(slot->repository, attempt->repository, FORMAT_ID_LENGTH) != 0)
        return fail(err, FIRN_DENIED, "the slot is of another repository");
    int result = wrap_open(slot->repository, attempt->credential, &slot->wrap, key, err);
    if (result == 0)
        result = slot_unseal(slot, key, attempt->out, err);
    OPENSSL_cleanse(key, sizeof(key));
    return result;
}

/* Damage of one slot must not keep the others from opening: it is told only if none does. */
static int pass_over(struct attempt *attempt, struct firn_error **why, struct firn_error **err)
{
    enum firn_code code = error_code(*why);
    if (code != FIRN_CORRUPT && code != FIRN_DENIED && code != FIRN_NOTFOUND)
        return fail(err, code, "%s", error_message(*why));
    if (code == FIRN_CORRUPT && attempt->damage == NULL)
        attempt->damage = steal(*why);
    return 0;
}

/* 1: opened. 0: not this slot. -1: looking further makes no sense. */
static int try_slot(struct attempt *attempt, const char *name, struct firn_error **err)
{
    struct slot slot;
    auto_error struct firn_error *why = NULL;
    if (read_slot(attempt->store, name, &slot, &why) < 0) {
        if (error_code(why) == FIRN_DENIED) /* by the store: not by the slot */
            return fail(err, FIRN_DENIED, "%s", error_message(why));
        return pass_over(attempt, &why, err);
    }
    if (open_slot(attempt, &slot, &why) < 0)
        return pass_over(attempt, &why, err);
    return 1;
}

static int none_opened(const struct attempt *attempt, size_t slots, struct firn_error **err)
{
    static const char *const secrets[] = {
        [KEY_FILE] = "key file", [KEY_PASSPHRASE] = "passphrase", [KEY_PUBLIC] = "private key"};
    const char *secret = secrets[attempt->credential->kind];
    const char *location = store_location(attempt->store);
    if (slots == 0)
        return fail(err, FIRN_NOTFOUND,
                    "the repository in %s has no key slots: nothing can open it", location);
    if (attempt->damage != NULL)
        return fail(err, FIRN_CORRUPT, "the %s opens no key slot of the repository in %s, but %s",
                    secret, location, error_message(attempt->damage));
    return fail(err, FIRN_DENIED,
                "wrong %s: it opens none of the %zu key slots of the repository in %s", secret,
                slots, location);
}

int keyring_open(struct store *store, const uint8_t repository[FORMAT_ID_LENGTH],
                 const struct key_credential *credential, struct keyring *out,
                 char slot_id[FORMAT_ID_TEXT], struct firn_error **err)
{
    struct slot_names names;
    if (list_names(store, &names, err) < 0)
        return -1;
    struct attempt attempt = {
        .store = store, .repository = repository, .credential = credential, .out = out};
    int result = 0;
    for (size_t i = 0; i < names.count && result == 0; i++) {
        result = try_slot(&attempt, names.names[i], err);
        if (result == 1 && slot_id != NULL)
            memcpy(slot_id, names.names[i] + sizeof(PREFIX) - 1, FORMAT_ID_TEXT);
    }
    if (result == 0)
        result = none_opened(&attempt, names.count, err);
    error_clear(&attempt.damage);
    return result < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------------ adding */

static int refuse_addition(struct store *store, const struct keyring *keyring, enum key_role role,
                           const char *label, struct firn_error **err)
{
    struct slot_names names;
    if (role == KEY_FULL && !keyring->can_read)
        return fail(err, FIRN_DENIED, "a write-only key can add write-only keys only");
    if (strlen(label) > KEY_LABEL_MOST)
        return fail(err, FIRN_INVALID, "the label of a key has at most %u bytes", KEY_LABEL_MOST);
    if (list_names(store, &names, err) < 0)
        return -1;
    if (names.count == KEY_SLOTS_MOST)
        return fail(err, FIRN_CONFLICT, "there are %u key slots already: remove one first",
                    KEY_SLOTS_MOST);
    return 0;
}

static int write_slot(struct store *store, const struct slot *slot, char id_out[FORMAT_ID_TEXT],
                      struct firn_error **err)
{
    char name[NAME_LENGTH] = PREFIX;
    hex_encode(slot->id, sizeof(slot->id), name + sizeof(PREFIX) - 1);
    auto_json struct json_object *json = slot_to_json(slot);
    auto_buf struct buf text = buf_new(SLOT_MOST);
    json_write_pretty(&text, json);
    auto_json struct json_object *again = NULL;
    if (json_parse(text.data, text.length, name, &again, NULL) < 0)
        return fail(err, FIRN_INVALID, "the label is not UTF-8");
    if (buf_check(&text, name, err) < 0 || store_put(store, name, text.data, text.length, err) < 0)
        return -1;
    memcpy(id_out, name + sizeof(PREFIX) - 1, FORMAT_ID_TEXT);
    return 0;
}

int key_slot_add(struct store *store, const struct keyring *keyring,
                 const struct key_credential *credential, enum key_role role, const char *label,
                 char id_out[FORMAT_ID_TEXT], struct firn_error **err)
{
    label = label == NULL ? "" : label;
    if (refuse_addition(store, keyring, role, label, err) < 0)
        return wrap(err, "add a key");
    struct slot slot = {.role = role, .created = clock_now()};
    uint8_t key[FORMAT_KEY_LENGTH];
    crypt_random(slot.id, sizeof(slot.id));
    memcpy(slot.repository, keyring->repository, FORMAT_ID_LENGTH);
    memcpy(slot.label, label, strlen(label) + 1);
    int result = wrap_make(slot.repository, credential, &slot.wrap, key, err);
    if (result == 0)
        result = slot_seal(&slot, keyring, key, err);
    OPENSSL_cleanse(key, sizeof(key));
    if (result < 0 || write_slot(store, &slot, id_out, err) < 0)
        return wrap(err, "add a key");
    return 0;
}

/* ----------------------------------------------------------------------------------------------------- list, remove */

static int by_creation(const void *one, const void *other)
{
    const struct key_slot *a = one, *b = other;
    if (a->created != b->created)
        return a->created < b->created ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int list_slots(struct store *store, const struct config *config,
                      const struct slot_names *names, struct key_slot *out, size_t *count,
                      struct firn_error **err)
{
    for (size_t i = 0; i < names->count; i++) {
        struct slot slot;
        if (read_slot(store, names->names[i], &slot, err) < 0)
            return -1;
        /* An init that was killed leaves a slot of a repository that never came to be. */
        if (memcmp(slot.repository, config->id, FORMAT_ID_LENGTH) != 0)
            continue;
        struct key_slot *entry = &out[(*count)++];
        *entry = (struct key_slot){.kind = slot.wrap.kind,
                                   .role = slot.role,
                                   .label = mem_strdup(slot.label),
                                   .created = slot.created};
        hex_encode(slot.id, sizeof(slot.id), entry->id);
    }
    qsort(out, *count, sizeof(*out), by_creation);
    return 0;
}

int key_slots_list(struct store *store, struct key_slot **out, size_t *count,
                   struct firn_error **err)
{
    struct config config;
    struct slot_names names;
    if (config_read(store, &config, err) < 0 || list_names(store, &names, err) < 0)
        return -1;
    struct key_slot *slots = mem_array(names.count, sizeof(*slots));
    *count = 0;
    if (list_slots(store, &config, &names, slots, count, err) < 0) {
        key_slots_free(slots, *count);
        return -1;
    }
    *out = slots;
    return 0;
}

void key_slots_free(struct key_slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(slots[i].label);
    free(slots);
}

static int choose_slot(const struct key_slot *slots, size_t count, const char *id_prefix,
                       const struct key_slot **out, struct firn_error **err)
{
    size_t matches = 0, full = 0;
    for (size_t i = 0; i < count; i++) {
        full += slots[i].role == KEY_FULL;
        if (strncmp(slots[i].id, id_prefix, strlen(id_prefix)) != 0)
            continue;
        matches++;
        *out = &slots[i];
    }
    if (matches == 0)
        return fail(err, FIRN_NOTFOUND, "remove key %s: there is none of that id", id_prefix);
    if (matches > 1)
        return fail(err, FIRN_CONFLICT, "remove key %s: %zu keys have ids that begin so", id_prefix,
                    matches);
    if ((*out)->role == KEY_FULL && full == 1)
        return fail(err, FIRN_CONFLICT,
                    "remove key %s: it is the last one that can read the repository", (*out)->id);
    return 0;
}

int key_slot_remove(struct store *store, const char *id_prefix, struct firn_error **err)
{
    struct key_slot *slots = NULL;
    const struct key_slot *chosen = NULL;
    size_t count = 0;
    if (key_slots_list(store, &slots, &count, err) < 0)
        return -1;
    int result = choose_slot(slots, count, id_prefix, &chosen, err);
    if (result == 0) {
        auto_free char *name = mem_printf(PREFIX "%s", chosen->id);
        result = store_remove(store, name, err);
    }
    key_slots_free(slots, count);
    return result;
}
