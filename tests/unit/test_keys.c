/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: what each credential opens, what a write-only keyring can and cannot do, and slots and keyings that somebody changed.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/json.h"
#include "repo/agree.h"
#include "repo/crypt.h"
#include "repo/wrap.h"

#include <openssl/pem.h>

static struct fixture fixture;

/* ------------------------------------------------------------------------------------------------ tools */

static struct key_credential credential(enum key_kind kind, const struct buf *secret)
{
    return (struct key_credential){
        .kind = kind, .secret = buf_text(secret), .length = secret->length};
}

static struct key_credential passphrase(const char *text)
{
    return (struct key_credential){.kind = KEY_PASSPHRASE, .secret = text, .length = strlen(text)};
}

static void append_bio(struct buf *out, BIO *bio)
{
    char *text = NULL;
    long length = BIO_get_mem_data(bio, &text);
    buf_append(out, text, (size_t)length);
    BIO_free(bio);
}

struct pair {
    struct buf private_pem, public_pem;
};

static struct pair pair_of(EVP_PKEY *key)
{
    struct pair pair = {buf_new(65536), buf_new(65536)};
    BIO *private_bio = BIO_new(BIO_s_mem()), *public_bio = BIO_new(BIO_s_mem());
    CU_ASSERT_FATAL(key != NULL);
    CU_ASSERT_FATAL(PEM_write_bio_PrivateKey(private_bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    CU_ASSERT_FATAL(PEM_write_bio_PUBKEY(public_bio, key) == 1);
    append_bio(&pair.private_pem, private_bio);
    append_bio(&pair.public_pem, public_bio);
    EVP_PKEY_free(key);
    return pair;
}

static void pair_free(struct pair *pair)
{
    buf_free(&pair->private_pem);
    buf_free(&pair->public_pem);
}

/* What the keyring of the fixture opens with, or the error's code. */
static enum firn_code try_open(const struct key_credential *key, struct keyring *out, char *slot_id)
{
    auto_error struct firn_error *why = NULL;
    keyring_open(fixture.store, fixture.repo->id, key, out, slot_id, &why);
    return error_code(why);
}

static void expect_same_keys(const struct keyring *a, const struct keyring *b)
{
    CU_ASSERT(memcmp(a->repository, b->repository, FORMAT_ID_LENGTH) == 0);
    CU_ASSERT(memcmp(a->index_key, b->index_key, FORMAT_KEY_LENGTH) == 0);
    CU_ASSERT(a->can_read == b->can_read);
    CU_ASSERT(memcmp(a->data_key, b->data_key, FORMAT_KEY_LENGTH) == 0);
    CU_ASSERT(EVP_PKEY_eq(a->reader_public, b->reader_public) == 1);
}

static char *slot_text(const char *id)
{
    auto_free char *path = mem_printf("%s/repository/keys/%s", fixture.directory, id);
    char text[16384] = "";
    FILE *file = fopen(path, "r");
    CU_ASSERT_FATAL(file != NULL);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    return mem_dup(text, length);
}

static void replace_slot(const char *id, const char *text)
{
    auto_free char *name = mem_printf("keys/%s", id);
    expect_ok(store_remove(fixture.store, name, err));
    expect_ok(store_put(fixture.store, name, text, strlen(text), err));
}

/* --------------------------------------------------------------------------------------------- credentials */

static void key_files(void)
{
    uint8_t key[FORMAT_KEY_LENGTH], again[FORMAT_KEY_LENGTH];
    auto_buf struct buf text = buf_new(256), other = buf_new(256);
    key_file_generate(&text);
    key_file_generate(&other);
    CU_ASSERT(strcmp(buf_text(&text), buf_text(&other)) != 0);
    CU_ASSERT(text.length == 11 + 44 + 1 && text.data[text.length - 1] == '\n');
    expect_ok(key_file_parse(text.data, text.length, key, err));
    expect_ok(key_file_parse(text.data, text.length - 1, again, err));
    CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    buf_puts(&text, "\r\n  \n");
    expect_ok(key_file_parse(text.data, text.length, key, err));
    static const char *const wrong[] = {
        "",
        "\n",
        "firn-key-1",
        "firn-key-1 ",
        "firn-key-2 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "firn-key-1 AAAA",
        "firn-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "firn-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-=",
        "hunter2",
        "firn-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= more",
        " firn-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    for (size_t i = 0; i < array_length(wrong); i++)
        expect_error(FIRN_INVALID, key_file_parse(wrong[i], strlen(wrong[i]), key, err));
}

/* Adds the key, opens with it, and expects that keyring of the role. */
static void add_and_open(const struct key_credential *add, const struct key_credential *open,
                         enum key_role role)
{
    char id[FORMAT_ID_TEXT], opened[FORMAT_ID_TEXT] = "";
    struct keyring keyring;
    expect_ok(key_slot_add(fixture.store, &fixture.repo->keyring, add, role, "a label, \xc3\xa4",
                           id, err));
    CU_ASSERT_FATAL(try_open(open, &keyring, opened) == 0);
    expect_text(opened, id);
    if (role == KEY_FULL) {
        expect_same_keys(&keyring, &fixture.repo->keyring);
    } else {
        static const uint8_t none[FORMAT_KEY_LENGTH];
        CU_ASSERT(!keyring.can_read && keyring.reader_private == NULL);
        CU_ASSERT(memcmp(keyring.data_key, none, sizeof(none)) == 0);
    }
    keyring_wipe(&keyring);
    expect_ok(key_slot_remove(fixture.store, id, err));
    CU_ASSERT_EQUAL(try_open(open, &keyring, NULL), FIRN_DENIED);
}

static void slots_of_every_kind(void)
{
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)};
    auto_buf struct buf file = buf_new(256);
    fixture_open(&fixture);
    key_file_generate(&file);
    struct key_credential key = credential(KEY_FILE, &file);
    add_and_open(&key, &key, KEY_FULL);
    add_and_open(&key, &key, KEY_WRITE_ONLY);
    key = passphrase("correct horse battery staple");
    add_and_open(&key, &key, KEY_FULL);
    for (size_t i = 0; i < array_length(keys); i++) {
        struct pair pair = pair_of(keys[i]);
        struct key_credential public = credential(KEY_PUBLIC, &pair.public_pem);
        struct key_credential private = credential(KEY_PUBLIC, &pair.private_pem);
        add_and_open(&public, &private, KEY_FULL);
        add_and_open(&public, &private, KEY_WRITE_ONLY);
        pair_free(&pair);
    }
    fixture_close(&fixture);
}

static void wrong_secrets(void)
{
    struct keyring keyring;
    struct pair right, wrong;
    auto_buf struct buf file = buf_new(256);
    auto_error struct firn_error *why = NULL;
    char id[FORMAT_ID_TEXT];
    fixture_open(&fixture);
    key_file_generate(&file);
    struct key_credential key = credential(KEY_FILE, &file);
    CU_ASSERT(keyring_open(fixture.store, fixture.repo->id, &key, &keyring, NULL, &why) < 0);
    CU_ASSERT(error_code(why) == FIRN_DENIED &&
              strstr(error_message(why), "wrong key file") != NULL);
    key = passphrase("right");
    expect_ok(key_slot_add(fixture.store, &fixture.repo->keyring, &key, KEY_FULL, NULL, id, err));
    key = passphrase("wrong");
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_DENIED);
    for (int rsa = 0; rsa < 2; rsa++) {
        right = pair_of(rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                            : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
        wrong = pair_of(rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                            : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
        key = credential(KEY_PUBLIC, &right.public_pem);
        expect_ok(
            key_slot_add(fixture.store, &fixture.repo->keyring, &key, KEY_FULL, NULL, id, err));
        key = credential(KEY_PUBLIC, &wrong.private_pem);
        CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_DENIED);
        key = credential(KEY_PUBLIC, &right.public_pem); /* the public half opens nothing */
        CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_INVALID);
        pair_free(&right);
        pair_free(&wrong);
    }
    fixture_close(&fixture);
}

static void unfit_credentials(void)
{
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)};
    char id[FORMAT_ID_TEXT];
    fixture_open(&fixture);
    const struct keyring *keyring = &fixture.repo->keyring;
    for (size_t i = 0; i < array_length(keys); i++) {
        struct pair pair = pair_of(keys[i]);
        struct key_credential key = credential(KEY_PUBLIC, &pair.public_pem);
        expect_error(FIRN_INVALID,
                     key_slot_add(fixture.store, keyring, &key, KEY_FULL, "x", id, err));
        key = credential(KEY_PUBLIC, &pair.private_pem);
        expect_error(FIRN_INVALID,
                     key_slot_add(fixture.store, keyring, &key, KEY_FULL, "x", id, err));
        pair_free(&pair);
    }
    struct key_credential key = passphrase("");
    expect_error(FIRN_INVALID, key_slot_add(fixture.store, keyring, &key, KEY_FULL, "x", id, err));
    key = credential(KEY_FILE, &fixture.key);
    expect_error(FIRN_INVALID,
                 key_slot_add(fixture.store, keyring, &key, KEY_FULL, "not UTF-8: \xff", id, err));
    char label[KEY_LABEL_MOST + 2];
    memset(label, 'l', sizeof(label));
    label[KEY_LABEL_MOST + 1] = '\0';
    expect_error(FIRN_INVALID,
                 key_slot_add(fixture.store, keyring, &key, KEY_FULL, label, id, err));
    key = (struct key_credential){
        .kind = KEY_PUBLIC, .secret = "-----BEGIN PUBLIC KEY-----\nAAAA\n", .length = 32};
    expect_error(FIRN_INVALID, key_slot_add(fixture.store, keyring, &key, KEY_FULL, "x", id, err));
    fixture_close(&fixture);
}

/* ------------------------------------------------------------------------------------------------- list, remove */

static void list_and_remove(void)
{
    struct key_slot *slots = NULL;
    size_t count = 0;
    char full[FORMAT_ID_TEXT], write_only[FORMAT_ID_TEXT];
    fixture_open(&fixture);
    const struct keyring *keyring = &fixture.repo->keyring;
    struct key_credential key = credential(KEY_FILE, &fixture.key);
    expect_ok(key_slot_add(fixture.store, keyring, &key, KEY_WRITE_ONLY, "for the node", write_only,
                           err));
    expect_error(FIRN_CONFLICT, key_slot_remove(fixture.store, fixture.repo->slot_id, err));
    expect_ok(key_slot_add(fixture.store, keyring, &key, KEY_FULL, NULL, full, err));
    expect_ok(key_slots_list(fixture.store, &slots, &count, err));
    CU_ASSERT_FATAL(count == 3);
    size_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(!slots[i].current && (i == 0 || slots[i].created >= slots[i - 1].created));
        if (strcmp(slots[i].id, write_only) == 0)
            seen += slots[i].role == KEY_WRITE_ONLY && slots[i].kind == KEY_FILE &&
                    strcmp(slots[i].label, "for the node") == 0;
        if (strcmp(slots[i].id, full) == 0)
            seen += slots[i].role == KEY_FULL && slots[i].label[0] == '\0';
        if (strcmp(slots[i].id, fixture.repo->slot_id) == 0)
            seen += slots[i].kind == KEY_FILE && strcmp(slots[i].label, "test") == 0;
    }
    CU_ASSERT_EQUAL(seen, 3);
    key_slots_free(slots, count);
    expect_error(FIRN_CONFLICT, key_slot_remove(fixture.store, "", err));
    expect_error(FIRN_NOTFOUND, key_slot_remove(fixture.store, "nothing", err));
    expect_ok(key_slot_remove(fixture.store, fixture.repo->slot_id, err));
    expect_error(FIRN_CONFLICT, key_slot_remove(fixture.store, full, err));
    expect_ok(key_slot_remove(fixture.store, write_only, err));
    fixture.repo->slot_id[0] = '\0';
    fixture_close(&fixture);
}

static void too_many_slots(void)
{
    char id[FORMAT_ID_TEXT];
    fixture_open(&fixture);
    struct key_credential key = credential(KEY_FILE, &fixture.key);
    struct key_slot *slots = NULL;
    struct keyring keyring;
    size_t count;
    for (unsigned i = 1; i < KEY_SLOTS_MOST; i++)
        expect_ok(
            key_slot_add(fixture.store, &fixture.repo->keyring, &key, KEY_FULL, "x", id, err));
    expect_error(FIRN_CONFLICT,
                 key_slot_add(fixture.store, &fixture.repo->keyring, &key, KEY_FULL, "x", id, err));
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), 0);
    keyring_wipe(&keyring);
    expect_ok(store_put(fixture.store, "keys/00000000000000000000000000000000", "x", 1, err));
    expect_error(FIRN_CORRUPT, key_slots_list(fixture.store, &slots, &count, err));
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_CORRUPT);
    fixture_close(&fixture);
}

static void no_slots(void)
{
    struct keyring keyring;
    fixture_open(&fixture);
    struct key_credential key = credential(KEY_FILE, &fixture.key);
    auto_free char *name = mem_printf("keys/%s", fixture.repo->slot_id);
    expect_ok(store_remove(fixture.store, name, err));
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_NOTFOUND);
    fixture_close(&fixture);
}

/* --------------------------------------------------------------------------------------------------- write-only */

/* A write-only keyring of the fixture's repository. */
static void open_write_only(struct keyring *out)
{
    uint8_t encoded[KEYRING_FULL_LENGTH];
    size_t length = 0;
    expect_ok(keyring_encode(&fixture.repo->keyring, false, encoded, &length, err));
    CU_ASSERT_EQUAL(length, KEYRING_WRITE_ONLY_LENGTH);
    expect_ok(keyring_decode(encoded, length, fixture.repo->id, out, err));
}

static void write_only_cannot_read(void)
{
    struct keyring writer;
    uint8_t keying[FORMAT_KEYING_LENGTH], key[32], again[32];
    char id[FORMAT_ID_TEXT];
    fixture_open(&fixture);
    const struct keyring *reader = &fixture.repo->keyring;
    open_write_only(&writer);
    for (int i = 0; i < 5; i++) {
        expect_ok(keyring_new_key(&writer, FORMAT_DATA, keying, key, err));
        CU_ASSERT_EQUAL(keying[0], 2);
        expect_error(FIRN_DENIED, keyring_key(&writer, FORMAT_DATA, keying, again, err));
        expect_ok(keyring_key(reader, FORMAT_DATA, keying, again, err));
        CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    }
    /* What a full keyring wrote it cannot read, either; maps both can. */
    expect_ok(keyring_new_key(reader, FORMAT_DATA, keying, key, err));
    expect_error(FIRN_DENIED, keyring_key(&writer, FORMAT_DATA, keying, again, err));
    expect_ok(keyring_new_key(&writer, FORMAT_META, keying, key, err));
    expect_ok(keyring_key(reader, FORMAT_META, keying, again, err));
    CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    expect_ok(keyring_key(&writer, FORMAT_META, keying, again, err));
    CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    /* It deduplicates: the same fingerprints and trailers. */
    expect_ok(keyring_fingerprint_key(&writer, key, err));
    expect_ok(keyring_fingerprint_key(reader, again, err));
    CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    expect_ok(keyring_trailer_key(&writer, keying, key, err));
    expect_ok(keyring_trailer_key(reader, keying, again, err));
    CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    struct key_credential words = credential(KEY_FILE, &fixture.key);
    expect_error(FIRN_DENIED, key_slot_add(fixture.store, &writer, &words, KEY_FULL, "x", id, err));
    expect_ok(key_slot_add(fixture.store, &writer, &words, KEY_WRITE_ONLY, "x", id, err));
    keyring_wipe(&writer);
    fixture_close(&fixture);
}

static void keys_differ(void)
{
    struct keyring other;
    uint8_t keying[FORMAT_KEYING_LENGTH], second[FORMAT_KEYING_LENGTH], keys[6][32], salt[32] = {0};
    fixture_open(&fixture);
    struct keyring *keyring = &fixture.repo->keyring;
    expect_ok(keyring_new_key(keyring, FORMAT_DATA, keying, keys[0], err));
    expect_ok(keyring_key(keyring, FORMAT_META, keying, keys[1], err));
    expect_ok(keyring_trailer_key(keyring, keying, keys[2], err));
    expect_ok(keyring_fingerprint_key(keyring, keys[3], err));
    expect_ok(keyring_new_key(keyring, FORMAT_DATA, second, keys[4], err));
    CU_ASSERT(memcmp(keying + 8, salt, sizeof(salt)) != 0 &&
              memcmp(keying, second, sizeof(keying)) != 0);
    other = *keyring; /* the same keys in another repository */
    other.repository[3] ^= 1;
    expect_ok(keyring_key(&other, FORMAT_DATA, keying, keys[5], err));
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            CU_ASSERT(memcmp(keys[i], keys[j], 32) != 0);
    fixture_close(&fixture);
}

/* ---------------------------------------------------------------------------------------------------- changed bytes */

static void keyings_that_are_none(void)
{
    struct keyring writer;
    uint8_t keying[FORMAT_KEYING_LENGTH], key[32], right[32];
    fixture_open(&fixture);
    const struct keyring *reader = &fixture.repo->keyring;
    open_write_only(&writer);
    expect_ok(keyring_new_key(&writer, FORMAT_DATA, keying, right, err));
    expect_error(FIRN_CORRUPT, keyring_key(reader, FORMAT_META, keying, key, err));
    for (size_t i = 0; i < sizeof(keying); i++) {
        auto_error struct firn_error *why = NULL;
        keying[i] ^= 1;
        /* Another salt gives another key; everything else is refused: the point is no longer on the curve. */
        int result = keyring_key(reader, FORMAT_DATA, keying, key, &why);
        bool salt = i >= 8 && i < 40;
        CU_ASSERT(salt ? result == 0 && memcmp(key, right, 32) != 0
                       : error_code(why) == FIRN_CORRUPT);
        keying[i] ^= 1;
    }
    expect_ok(keyring_key(reader, FORMAT_DATA, keying, key, err));
    CU_ASSERT(memcmp(key, right, sizeof(key)) == 0);
    memset(keying, 0, sizeof(keying));
    expect_error(FIRN_CORRUPT, keyring_key(reader, FORMAT_DATA, keying, key, err));
    keying[0] = 2; /* the point at infinity is none */
    expect_error(FIRN_CORRUPT, keyring_key(reader, FORMAT_DATA, keying, key, err));
    keyring_wipe(&writer);
    fixture_close(&fixture);
}

static void keyrings_that_are_none(void)
{
    uint8_t encoded[KEYRING_FULL_LENGTH];
    size_t length = 0;
    struct keyring keyring;
    fixture_open(&fixture);
    expect_ok(keyring_encode(&fixture.repo->keyring, true, encoded, &length, err));
    for (size_t cut = 0; cut < length; cut++)
        expect_error(FIRN_CORRUPT, keyring_decode(encoded, cut, fixture.repo->id, &keyring, err));
    for (size_t i = 0; i < 20; i++) {
        encoded[i] ^= 0x40;
        expect_error(FIRN_CORRUPT,
                     keyring_decode(encoded, length, fixture.repo->id, &keyring, err));
        encoded[i] ^= 0x40;
    }
    encoded[60] ^= 1; /* in the point */
    expect_error(FIRN_CORRUPT, keyring_decode(encoded, length, fixture.repo->id, &keyring, err));
    encoded[60] ^= 1;
    expect_ok(keyring_decode(encoded, length, fixture.repo->id, &keyring, err));
    expect_same_keys(&keyring, &fixture.repo->keyring);
    keyring_wipe(&keyring);
    fixture_close(&fixture);
}

/* Sets a member of the slot to the JSON value, and says how opening ends. */
static enum firn_code open_changed(const char *original, const char *member, const char *value)
{
    struct json_object *json = NULL, *set = NULL;
    struct keyring keyring;
    struct key_credential key = credential(KEY_FILE, &fixture.key);
    auto_buf struct buf text = buf_new(65536);
    expect_ok(json_parse(original, strlen(original), "slot", &json, err));
    expect_ok(json_parse(value, strlen(value), "value", &set, err));
    json_set_take(json, member, set);
    json_write(&text, json);
    replace_slot(fixture.repo->slot_id, buf_text(&text));
    json_free(&json);
    enum firn_code code = try_open(&key, &keyring, NULL);
    if (code == 0)
        keyring_wipe(&keyring);
    return code;
}

struct change {
    const char *member, *value;
    enum firn_code code;
};

static void changed_slots(void)
{
    static const struct change changes[] = {
        {"unknown", "1", (enum firn_code)0},
        {"firn", "2", FIRN_CORRUPT},
        {"repository", "\"0123456789abcdef0123456789abcdef\"", FIRN_DENIED},
        {"repository", "\"x\"", FIRN_CORRUPT},
        {"role", "\"write-only\"", FIRN_DENIED},
        {"role", "\"root\"", FIRN_CORRUPT},
        {"role", "null", FIRN_CORRUPT},
        {"label", "\"another\"", FIRN_DENIED},
        {"created", "\"2020-01-01T00:00:00.000Z\"", FIRN_DENIED},
        {"created", "1", FIRN_CORRUPT},
        {"kind", "\"passphrase\"", FIRN_CORRUPT}, /* has no rounds */
        {"kind", "\"public\"", FIRN_CORRUPT},     /* has no exchange */
        {"kind", "\"biometric\"", FIRN_CORRUPT},
        {"salt", "\"00\"", FIRN_CORRUPT},
        {"salt", "\"0000000000000000000000000000000000000000000000000000000000000000\"",
         FIRN_DENIED},
        {"sealed", "\"\"", FIRN_CORRUPT},
        {"sealed", "\"AAAA\"", FIRN_CORRUPT},
        {"sealed", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", FIRN_DENIED},
        {"sealed", "\"not base64\"", FIRN_CORRUPT},
    };
    fixture_open(&fixture);
    auto_free char *original = slot_text(fixture.repo->slot_id);
    for (size_t i = 0; i < array_length(changes); i++) {
        enum firn_code code = open_changed(original, changes[i].member, changes[i].value);
        if (code != changes[i].code)
            printf("\n    %s = %s: %s", changes[i].member, changes[i].value, error_code_name(code));
        CU_ASSERT_EQUAL(code, changes[i].code);
    }
    replace_slot(fixture.repo->slot_id, original);
    fixture_reopen(&fixture);
    fixture_close(&fixture);
}

/* The same slot under another name does not open, and damage of one slot does not keep another from opening. */
static void moved_and_damaged_slots(void)
{
    struct keyring keyring;
    fixture_open(&fixture);
    struct key_credential key = credential(KEY_FILE, &fixture.key);
    auto_free char *original = slot_text(fixture.repo->slot_id);
    auto_free char *name = mem_printf("keys/%s", fixture.repo->slot_id);
    expect_ok(store_put(fixture.store, "keys/00000000000000000000000000000000", "{", 1, err));
    expect_ok(store_put(fixture.store, "keys/foreign", "{", 1, err));
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), 0);
    keyring_wipe(&keyring);
    expect_ok(store_remove(fixture.store, name, err));
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_CORRUPT);
    expect_ok(store_remove(fixture.store, "keys/00000000000000000000000000000000", err));
    expect_ok(store_put(fixture.store, "keys/11111111111111111111111111111111", original,
                        strlen(original), err));
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_DENIED);
    auto_free char *large = mem_alloc(20001);
    memset(large, ' ', 20000);
    large[20000] = '\0';
    replace_slot("11111111111111111111111111111111", large);
    CU_ASSERT_EQUAL(try_open(&key, &keyring, NULL), FIRN_CORRUPT);
    fixture_close(&fixture);
}

static enum firn_code wrap_code(const char *text)
{
    auto_json struct json_object *json = NULL;
    auto_error struct firn_error *why = NULL;
    struct wrap wrap;
    expect_ok(json_parse(text, strlen(text), "wrap", &json, err));
    wrap_from_json(json, &wrap, &why);
    return error_code(why);
}

#define SALT "\"salt\":\"0000000000000000000000000000000000000000000000000000000000000000\""

/* A hostile slot can neither hang its reader nor weaken a passphrase, nor overrun a buffer. */
static void hostile_wraps(void)
{
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"passphrase\"," SALT ",\"rounds\":600000}"), 0);
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"passphrase\"," SALT ",\"rounds\":10000}"), 0);
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"passphrase\"," SALT ",\"rounds\":9999}"), FIRN_CORRUPT);
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"passphrase\"," SALT ",\"rounds\":10000001}"),
                    FIRN_CORRUPT);
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"passphrase\"," SALT ",\"rounds\":4295567296}"),
                    FIRN_CORRUPT);
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"passphrase\"," SALT ",\"rounds\":-1}"), FIRN_CORRUPT);
    CU_ASSERT_EQUAL(
        wrap_code("{\"kind\":\"public\"," SALT ",\"exchange\":\"ecdh-p384\",\"wrapped\":\"BAAA\"}"),
        0);
    CU_ASSERT_EQUAL(
        wrap_code("{\"kind\":\"public\"," SALT ",\"exchange\":\"x25519\",\"wrapped\":\"BAAA\"}"),
        FIRN_CORRUPT);
    CU_ASSERT_EQUAL(wrap_code("{\"kind\":\"public\"," SALT ",\"exchange\":\"ecdh-p384\"}"), 0);
    static const struct {
        const char *exchange;
        size_t length;
        enum firn_code code;
    } sizes[] = {{"ecdh-p384", 96, (enum firn_code)0},
                 {"ecdh-p384", 99, FIRN_CORRUPT},
                 {"rsa-oaep-sha256", 1023, (enum firn_code)0},
                 {"rsa-oaep-sha256", 1026, FIRN_CORRUPT}};
    for (size_t i = 0; i < array_length(sizes); i++) {
        auto_buf struct buf text = buf_new(4096);
        buf_printf(&text, "{\"kind\":\"public\"," SALT ",\"exchange\":\"%s\",\"wrapped\":\"",
                   sizes[i].exchange);
        for (size_t at = 0; at < sizes[i].length; at += 3)
            buf_puts(&text, "AAAA");
        buf_puts(&text, "\"}");
        CU_ASSERT_EQUAL(wrap_code(buf_text(&text)), sizes[i].code);
    }
}

/* A point that is too short, or not on the curve, is damage; one of another curve is too. */
static void hostile_points(void)
{
    uint8_t repository[FORMAT_ID_LENGTH] = {1}, key[32];
    struct pair pair = pair_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
    struct key_credential public = credential(KEY_PUBLIC, &pair.public_pem);
    struct key_credential private = credential(KEY_PUBLIC, &pair.private_pem);
    struct wrap wrap;
    expect_ok(wrap_make(repository, &public, &wrap, key, err));
    expect_ok(wrap_open(repository, &private, &wrap, key, err));
    wrap.wrapped[50] ^= 1;
    expect_error(FIRN_CORRUPT, wrap_open(repository, &private, &wrap, key, err));
    wrap.wrapped[50] ^= 1;
    wrap.wrapped[0] = 2; /* compressed */
    expect_error(FIRN_CORRUPT, wrap_open(repository, &private, &wrap, key, err));
    wrap.wrapped[0] = 4;
    for (wrap.wrapped_length = 0; wrap.wrapped_length < 97; wrap.wrapped_length++)
        expect_error(FIRN_CORRUPT, wrap_open(repository, &private, &wrap, key, err));
    wrap.exchange = WRAP_ECDH_P256;
    expect_error(FIRN_DENIED, wrap_open(repository, &private, &wrap, key, err));
    pair_free(&pair);
}

/* The two sides of an agreement make one key, and another label, salt or repository another. */
static void agreements(void)
{
    EVP_PKEY *pair = NULL;
    uint8_t salt[32] = {1}, other_salt[32] = {2}, repository[16] = {3}, other_repository[16] = {4},
            key[32], again[32];
    struct agree_point point;
    struct agree_terms terms = {.label = "a", .repository = repository, .salt = salt};
    expect_ok(agree_generate(&pair, err));
    expect_ok(agree_send(pair, &terms, &point, key, err));
    CU_ASSERT_EQUAL(point.length, AGREE_POINT_LENGTH);
    expect_ok(agree_receive(pair, &terms, &point, again, err));
    CU_ASSERT(memcmp(key, again, sizeof(key)) == 0);
    const struct agree_terms others[] = {
        {.label = "b", .repository = repository, .salt = salt},
        {.label = "a", .repository = other_repository, .salt = salt},
        {.label = "a", .repository = repository, .salt = other_salt}};
    for (size_t i = 0; i < array_length(others); i++) {
        expect_ok(agree_receive(pair, &others[i], &point, again, err));
        CU_ASSERT(memcmp(key, again, sizeof(key)) != 0);
    }
    EVP_PKEY_free(pair);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"key files", key_files},
        {"slots of every kind", slots_of_every_kind},
        {"wrong secrets", wrong_secrets},
        {"unfit credentials", unfit_credentials},
        {"list and remove", list_and_remove},
        {"too many slots", too_many_slots},
        {"no slots", no_slots},
        {"a write-only key cannot read", write_only_cannot_read},
        {"keys differ", keys_differ},
        {"keyings that are none", keyings_that_are_none},
        {"keyrings that are none", keyrings_that_are_none},
        {"changed slots", changed_slots},
        {"moved and damaged slots", moved_and_damaged_slots},
        {"hostile wraps", hostile_wraps},
        {"hostile points", hostile_points},
        {"agreements", agreements},
    };
    return unit_run("keys", tests, array_length(tests));
}
