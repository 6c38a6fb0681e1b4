/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What opens a repository. The first byte says how the rest is taken:
 *
 *     0    `config`: what is taken, is written and taken again
 *     1    a key slot: what is taken, is written and taken again, and a key file is tried on it
 *     2    what a slot seals
 *     3    the text of a key file
 *     4    a keying, of either class
 */
#include "memory_store.h"

#include "core/json.h"
#include "repo/config.h"
#include "repo/slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOT "keys/0123456789abcdef0123456789abcdef"

static void try_config(const void *data, size_t size)
{
    struct store *store = memory_store_new(), *other = memory_store_new();
    struct config config, again;
    if (store_put(store, "config", data, size, NULL) < 0)
        abort();
    if (config_read(store, &config, NULL) == 0 &&
        (config_write(other, &config, NULL) < 0 || config_read(other, &again, NULL) < 0 ||
         memcmp(config.id, again.id, sizeof(config.id)) != 0 || config.created != again.created))
        abort();
    store_close(store);
    store_close(other);
}

static int rewrite_slot(const void *data, size_t size, struct buf *out)
{
    auto_json struct json_object *json = NULL;
    struct slot slot = {.role = KEY_FULL};
    if (json_parse(data, size, "slot", &json, NULL) < 0 || slot_from_json(json, &slot, NULL) < 0)
        return -1;
    auto_json struct json_object *written = slot_to_json(&slot);
    json_write(out, written);
    return slot.wrap.kind == KEY_FILE;
}

/* The key file does not fit, so nothing may open. */
static void try_key(const void *data, size_t size)
{
    static const char file[] = "firn-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    struct key_credential key = {.kind = KEY_FILE, .secret = file, .length = sizeof(file) - 1};
    struct store *store = memory_store_new();
    struct keyring keyring;
    static const uint8_t repository[FORMAT_ID_LENGTH];
    char id[FORMAT_ID_TEXT];
    if (store_put(store, SLOT, data, size, NULL) < 0)
        abort();
    if (keyring_open(store, repository, &key, &keyring, id, NULL) == 0)
        abort();
    store_close(store);
}

static void try_slot(const void *data, size_t size)
{
    auto_buf struct buf first = buf_new(SIZE_MAX);
    auto_buf struct buf second = buf_new(SIZE_MAX);
    int kind = rewrite_slot(data, size, &first);
    if (kind >= 0 && (rewrite_slot(first.data, first.length, &second) != kind ||
                      strcmp(buf_text(&first), buf_text(&second)) != 0))
        abort();
    try_key(data, size);
}

static void try_keyring(const uint8_t *data, size_t size)
{
    struct keyring keyring = {.can_read = false};
    const uint8_t *repository = size >= 20 ? data + 4 : (const uint8_t *)"0123456789abcdef";
    if (keyring_decode(data, size, repository, &keyring, NULL) < 0)
        return;
    uint8_t out[KEYRING_FULL_LENGTH];
    size_t length = 0;
    if (keyring_encode(&keyring, keyring.can_read, out, &length, NULL) < 0 || length != size ||
        memcmp(out, data, size) != 0)
        abort();
    keyring_wipe(&keyring);
}

static void try_keying(const uint8_t *data, size_t size)
{
    uint8_t keying[FORMAT_KEYING_LENGTH] = {0}, key[FORMAT_KEY_LENGTH];
    memcpy(keying, data, size < sizeof(keying) ? size : sizeof(keying));
    const struct keyring *keyring = &memory_repo()->keyring;
    keyring_key(keyring, FORMAT_DATA, keying, key, NULL);
    keyring_key(keyring, FORMAT_META, keying, key, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    if (size == 0)
        return 0;
    const uint8_t *rest = data + 1;
    size--;
    switch (data[0]) {
    case 0:
        try_config(rest, size);
        break;
    case 1:
        try_slot(rest, size);
        break;
    case 2:
        try_keyring(rest, size);
        break;
    case 3:
        key_file_parse(rest, size, key, NULL);
        break;
    case 4:
        try_keying(rest, size);
        break;
    }
    return 0;
}
