/* SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"

#include "crypt.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

#include <openssl/crypto.h>
#include <string.h>

static const char *const role_names[] = {[KEY_FULL] = "full", [KEY_WRITE_ONLY] = "write-only"};

/* ---------------------------------------------------------------------------------------------------- seal of a slot */

/* Everything that a slot says in the clear and that its key does not already depend on. */
static void slot_aad(const struct slot *slot, struct buf *out)
{
    buf_putc(out, FORMAT_SLOT);
    buf_append(out, slot->repository, FORMAT_ID_LENGTH);
    buf_append(out, slot->id, FORMAT_ID_LENGTH);
    buf_putc(out, (char)slot->wrap.kind);
    buf_putc(out, (char)slot->role);
    buf_le64(out, (uint64_t)slot->created);
    buf_le32(out, slot->wrap.rounds);
    buf_puts(out, slot->label);
}

int slot_seal(struct slot *slot, const struct keyring *keyring,
              const uint8_t key[FORMAT_KEY_LENGTH], struct firn_error **err)
{
    auto_buf struct buf aad = buf_new(1024);
    slot_aad(slot, &aad);
    uint8_t plain[KEYRING_FULL_LENGTH];
    size_t length = 0;
    struct sealer *sealer = NULL;
    int result = keyring_encode(keyring, slot->role == KEY_FULL, plain, &length, err);
    if (result == 0)
        result = sealer_new(key, &sealer, err);
    if (result == 0)
        result = sealer_seal(sealer, aad.data, aad.length, plain, length, slot->sealed, err);
    slot->sealed_length = length + CRYPT_OVERHEAD;
    OPENSSL_cleanse(plain, sizeof(plain));
    sealer_free(sealer);
    return result;
}

/* A seal that does not open is what a wrong secret looks like. */
static int unseal(const struct slot *slot, const uint8_t key[FORMAT_KEY_LENGTH],
                  uint8_t plain[KEYRING_FULL_LENGTH], struct firn_error **err)
{
    auto_buf struct buf aad = buf_new(1024);
    auto_error struct firn_error *why = NULL;
    struct unsealer *unsealer = NULL;
    slot_aad(slot, &aad);
    int result = unsealer_new(key, &unsealer, &why);
    if (result == 0)
        result = unsealer_open(unsealer, aad.data, aad.length, slot->sealed, slot->sealed_length,
                               plain, &why);
    unsealer_free(unsealer);
    if (result == 0)
        return 0;
    if (error_code(why) == FIRN_CORRUPT)
        return fail(err, FIRN_DENIED, "the slot is not for this secret, or was changed");
    return fail(err, error_code(why), "%s", error_message(why));
}

int slot_unseal(const struct slot *slot, const uint8_t key[FORMAT_KEY_LENGTH], struct keyring *out,
                struct firn_error **err)
{
    uint8_t plain[KEYRING_FULL_LENGTH];
    int result = unseal(slot, key, plain, err);
    if (result == 0)
        result =
            keyring_decode(plain, slot->sealed_length - CRYPT_OVERHEAD, slot->repository, out, err);
    OPENSSL_cleanse(plain, sizeof(plain));
    if (result == 0 && out->can_read != (slot->role == KEY_FULL)) {
        keyring_wipe(out);
        return fail(err, FIRN_CORRUPT, "the slot does not hold what its role says");
    }
    return result;
}

/* -------------------------------------------------------------------------------------------------------------- JSON */

struct json_object *slot_to_json(const struct slot *slot)
{
    char repository[FORMAT_ID_TEXT], created[CLOCK_TEXT_LENGTH];
    hex_encode(slot->repository, sizeof(slot->repository), repository);
    clock_format(slot->created, created);
    auto_buf struct buf sealed = buf_new(2 * SLOT_SEALED_MOST);
    base64_encode(&sealed, slot->sealed, slot->sealed_length);
    struct json_object *json = json_object_new_object();
    json_set_uint(json, "firn", FORMAT_VERSION);
    json_set_string(json, "repository", repository);
    json_set_string(json, "role", role_names[slot->role]);
    json_set_string(json, "label", slot->label);
    json_set_string(json, "created", created);
    wrap_to_json(&slot->wrap, json);
    json_set_string(json, "sealed", buf_text(&sealed));
    return json;
}

static int slot_role(struct json_object *json, enum key_role *out, struct firn_error **err)
{
    const char *role = json_string_or(json, "role", "");
    for (size_t i = KEY_FULL; i <= KEY_WRITE_ONLY; i++) {
        if (strcmp(role, role_names[i]) == 0) {
            *out = (enum key_role)i;
            return 0;
        }
    }
    return fail(err, FIRN_CORRUPT, "its role is none that this version knows");
}

int slot_from_json(struct json_object *json, struct slot *out, struct firn_error **err)
{
    const char *label = json_string_or(json, "label", "");
    const char *sealed = json_string_or(json, "sealed", "");
    if (json_int_or(json, "firn", 0) != FORMAT_VERSION)
        return fail(err, FIRN_CORRUPT, "its format version is not %u", FORMAT_VERSION);
    if (!hex_decode(json_string_or(json, "repository", ""), out->repository,
                    sizeof(out->repository)))
        return fail(err, FIRN_CORRUPT, "it names no repository");
    if (strlen(label) > KEY_LABEL_MOST)
        return fail(err, FIRN_CORRUPT, "its label is too long");
    if (clock_parse(json_string_or(json, "created", ""), &out->created, NULL) < 0)
        return fail(err, FIRN_CORRUPT, "the time of its creation is none");
    if (!base64_decode(sealed, strlen(sealed), out->sealed, SLOT_SEALED_MOST,
                       &out->sealed_length) ||
        out->sealed_length < CRYPT_OVERHEAD)
        return fail(err, FIRN_CORRUPT, "what it seals is not Base64, or of no possible length");
    if (slot_role(json, &out->role, err) < 0 || wrap_from_json(json, &out->wrap, err) < 0)
        return -1;
    memcpy(out->label, label, strlen(label) + 1);
    return 0;
}
