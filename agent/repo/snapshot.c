/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot object:
 *     magic "FIRNSNAP" | u32 version | u32 references | repository 16 | snapshot 16 | keying 160 | u64 deadline
 *     | references × 16 | u32 sealed length | u32 raw length | sealed body | u32 crc of all before
 * The body is JSON, compressed; its associated data is everything in front of it.
 */
#include "snapshot.h"

#include "compress.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "crypt.h"
#include "gate.h"
#include "protection.h"
#include "repo.h"
#include "snapshot_body.h"
#include "snapshot_cache.h"
#include "store/store.h"

#include <openssl/crypto.h>
#include <string.h>

#define MAGIC        "FIRNSNAP"
#define FIXED_LENGTH 216u                  /* before the references */
#define NAME_LENGTH  (10 + FORMAT_ID_TEXT) /* "snapshots/…" */

static void snapshot_name(const uint8_t id[FORMAT_ID_LENGTH], char out[NAME_LENGTH])
{
    memcpy(out, "snapshots/", 10);
    hex_encode(id, FORMAT_ID_LENGTH, out + 10);
}

struct snapshot *snapshot_new(const char *item)
{
    struct snapshot *snapshot = mem_zalloc(sizeof(*snapshot));
    snapshot->item = mem_strdup(item);
    snapshot->frozen = -1;
    return snapshot;
}

void snapshot_object_free(struct snapshot_object *object)
{
    free(object->name);
    free(object->media_type);
    free(object->digest);
    map_free(&object->map);
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < snapshot->object_count; i++)
        snapshot_object_free(&snapshot->objects[i]);
    for (size_t i = 0; i < snapshot->tag_count; i++)
        free(snapshot->tags[i]);
    free(snapshot->objects);
    free(snapshot->tags);
    free(snapshot->item);
    free(snapshot->hostname);
    free(snapshot->state);
    free(snapshot->version);
    free(snapshot->method);
    free(snapshot->reason);
    free(snapshot);
}

void snapshot_free_pointer(struct snapshot **snapshot)
{
    snapshot_free(*snapshot);
}

const struct snapshot_object *snapshot_object(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->object_count; i++)
        if (strcmp(snapshot->objects[i].name, name) == 0)
            return &snapshot->objects[i];
    return NULL;
}

bool snapshot_is_late(const struct snapshot *snapshot)
{
    return snapshot->modified > snapshot->deadline;
}

bool snapshot_has_parent(const struct snapshot *snapshot)
{
    static const uint8_t none[FORMAT_ID_LENGTH];
    return memcmp(snapshot->parent, none, FORMAT_ID_LENGTH) != 0;
}

bool snapshot_has_tag(const struct snapshot *snapshot, const char *tag)
{
    for (size_t i = 0; i < snapshot->tag_count; i++)
        if (strcmp(snapshot->tags[i], tag) == 0)
            return true;
    return false;
}

bool snapshot_is_copy(const struct snapshot *snapshot)
{
    static const struct snapshot_origin none;
    return memcmp(&snapshot->origin, &none, sizeof(none)) != 0;
}

struct snapshot_origin snapshot_origin_of(const struct repo *repo, const struct snapshot *snapshot)
{
    struct snapshot_origin origin = snapshot->origin;
    if (!snapshot_is_copy(snapshot)) {
        memcpy(origin.repository, repo->id, FORMAT_ID_LENGTH);
        memcpy(origin.snapshot, snapshot->id, FORMAT_ID_LENGTH);
    }
    return origin;
}

uint64_t snapshot_object_units(const struct snapshot_object *object)
{
    return (object->length + FORMAT_BLOCK_SIZE - 1) / FORMAT_BLOCK_SIZE;
}

struct snapshot *snapshot_describe(const struct repo *repo, const struct snapshot *snapshot)
{
    struct snapshot *made = snapshot_new(snapshot->item);
    made->hostname = mem_strdup(snapshot->hostname);
    made->tags = mem_array(snapshot->tag_count + 1, sizeof(*made->tags));
    for (; made->tag_count < snapshot->tag_count; made->tag_count++)
        made->tags[made->tag_count] = mem_strdup(snapshot->tags[made->tag_count]);
    made->started = snapshot->started;
    made->committed = snapshot->committed;
    made->state = mem_strdup(snapshot->state);
    made->version = mem_strdup(snapshot->version);
    made->consistency = snapshot->consistency;
    made->method = mem_strdup(snapshot->method);
    made->reason = mem_strdup(snapshot->reason);
    made->point_in_time = snapshot->point_in_time;
    made->frozen = snapshot->frozen;
    made->origin = snapshot_origin_of(repo, snapshot);
    return made;
}

/* ------------------------------------------------------------------------------------------------ writing */

/* The meta packs that the maps of all objects lie in, each once. */
static void collect_references(struct repo *repo, const struct snapshot *snapshot, struct buf *ids)
{
    uint32_t packs = pack_table_count(repo->packs);
    auto_free uint8_t *seen = mem_array(packs, 1);
    for (size_t i = 0; i < snapshot->object_count; i++) {
        const struct map *map = &snapshot->objects[i].map;
        for (size_t j = 0; j < map->run_count; j++) {
            for (size_t k = 0; k < map->runs[j].span_count; k++) {
                uint32_t pack = map->runs[j].spans[k].pack;
                if (seen[pack])
                    continue;
                seen[pack] = 1;
                uint8_t id[FORMAT_ID_LENGTH];
                pack_table_id(repo->packs, pack, id);
                buf_append(ids, id, FORMAT_ID_LENGTH);
            }
        }
    }
}

static int make_body(struct repo *repo, const struct snapshot *snapshot, struct buf *body,
                     uint32_t *raw, struct firn_error **err)
{
    auto_json struct json_object *json = snapshot_body_write(repo, snapshot);
    auto_buf struct buf text = buf_new(SNAPSHOT_MAX);
    json_write(&text, json);
    if (buf_check(&text, "snapshot", err) < 0)
        return -1;
    *raw = (uint32_t)text.length;
    return compress_message(text.data, text.length, body, err);
}

static void write_front(struct repo *repo, const struct snapshot *snapshot, const uint8_t *keying,
                        const struct buf *references, uint32_t sealed, uint32_t raw,
                        struct buf *out)
{
    buf_append(out, MAGIC, 8);
    buf_le32(out, FORMAT_VERSION);
    buf_le32(out, (uint32_t)(references->length / FORMAT_ID_LENGTH));
    buf_append(out, repo->id, FORMAT_ID_LENGTH);
    buf_append(out, snapshot->id, FORMAT_ID_LENGTH);
    buf_append(out, keying, FORMAT_KEYING_LENGTH);
    buf_le64(out, (uint64_t)snapshot->deadline);
    buf_append(out, references->data, references->length);
    buf_le32(out, sealed);
    buf_le32(out, raw);
}

static int seal_body(const uint8_t *key, struct buf *out, const struct buf *body,
                     struct firn_error **err)
{
    struct sealer *sealer = NULL;
    size_t length = body->length + CRYPT_OVERHEAD;
    auto_free uint8_t *sealed = mem_alloc(length);
    int result = sealer_new(key, &sealer, err);
    if (result == 0)
        result = sealer_seal(sealer, out->data, out->length, body->data, body->length, sealed, err);
    sealer_free(sealer);
    if (result == 0)
        buf_append(out, sealed, length);
    return result;
}

static int encode(struct repo *repo, const struct snapshot *snapshot, const struct buf *references,
                  struct buf *out, struct firn_error **err)
{
    auto_buf struct buf body = buf_new(SNAPSHOT_MAX);
    uint32_t raw = 0;
    uint8_t keying[FORMAT_KEYING_LENGTH], key[FORMAT_KEY_LENGTH];
    if (make_body(repo, snapshot, &body, &raw, err) < 0)
        return -1;
    int result = keyring_new_key(&repo->keyring, FORMAT_META, keying, key, err);
    if (result == 0) {
        write_front(repo, snapshot, keying, references, (uint32_t)(body.length + CRYPT_OVERHEAD),
                    raw, out);
        result = seal_body(key, out, &body, err);
    }
    OPENSSL_cleanse(key, sizeof(key));
    if (result < 0)
        return -1;
    buf_le32(out, crypt_crc32c(0, out->data, out->length));
    return buf_check(out, "snapshot", err);
}

/* Writes it, if all that it relies on still stands. The store's time of it then tells whether a collector can have missed it. */
static int commit(struct repo *repo, struct snapshot *snapshot, const char *name, struct buf *bytes,
                  struct firn_error **err)
{
    uint64_t length = 0;
    auto_buf struct buf references = buf_new(SNAPSHOT_MAX);
    collect_references(repo, snapshot, &references);
    if (gate_pass(repo, (const void *)references.data, references.length / FORMAT_ID_LENGTH,
                  &snapshot->deadline, err) < 0 ||
        encode(repo, snapshot, &references, bytes, err) < 0 ||
        store_put(repo->store, name, bytes->data, bytes->length, err) < 0 ||
        store_stat(repo->store, name, &length, &snapshot->modified, err) < 0)
        return -1;
    if (snapshot_is_late(snapshot))
        return fail(err, FIRN_RETRY,
                    "%s landed too late, and is not to be relied on: run the backup again", name);
    return 0;
}

int snapshot_write(struct repo *repo, struct snapshot *snapshot, struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(SNAPSHOT_MAX);
    int64_t now = clock_now();
    if (!snapshot_is_copy(snapshot) && snapshot->committed < now)
        snapshot->committed = now;
    crypt_random(snapshot->id, FORMAT_ID_LENGTH);
    hex_encode(snapshot->id, FORMAT_ID_LENGTH, snapshot->id_text);
    char name[NAME_LENGTH];
    snapshot_name(snapshot->id, name);
    if (protection_extend(repo, snapshot, err) < 0 || commit(repo, snapshot, name, &bytes, err) < 0)
        return wrap(err, "write the snapshot");
    snapshot_cache_put(repo->snapshots, snapshot->id, bytes.data, bytes.length);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

/* The parts of a snapshot object. Pointers into the bytes. */
struct parts {
    uint32_t reference_count;
    const uint8_t *keying;
    uint64_t deadline;
    const uint8_t *references;
    const uint8_t *sealed;
    uint32_t sealed_length;
    uint32_t raw;
    size_t front; /* bytes in front of sealed */
};

static int take_apart(struct repo *repo, const uint8_t *id, const struct buf *bytes,
                      struct parts *parts, struct firn_error **err)
{
    struct cursor cursor = cursor_new(bytes->data, bytes->length);
    const uint8_t *magic = cursor_bytes(&cursor, 8);
    uint32_t version = cursor_le32(&cursor);
    parts->reference_count = cursor_le32(&cursor);
    const uint8_t *repository = cursor_bytes(&cursor, FORMAT_ID_LENGTH);
    const uint8_t *own_id = cursor_bytes(&cursor, FORMAT_ID_LENGTH);
    parts->keying = cursor_bytes(&cursor, FORMAT_KEYING_LENGTH);
    parts->deadline = cursor_le64(&cursor);
    parts->references = cursor_bytes(&cursor, (size_t)parts->reference_count * FORMAT_ID_LENGTH);
    parts->sealed_length = cursor_le32(&cursor);
    parts->raw = cursor_le32(&cursor);
    parts->front = bytes->length - cursor.length;
    parts->sealed = cursor_bytes(&cursor, parts->sealed_length);
    uint32_t crc = cursor_le32(&cursor);
    if (cursor.failed || cursor.length > 0 || memcmp(magic, MAGIC, 8) != 0 ||
        crc != crypt_crc32c(0, bytes->data, bytes->length - 4))
        return fail(err, FIRN_CORRUPT, "it is damaged or cut off");
    if (version != FORMAT_VERSION)
        return fail(err, FIRN_INVALID, "version %u; this Firn reads version %u: use a newer one",
                    version, FORMAT_VERSION);
    if (memcmp(repository, repo->id, FORMAT_ID_LENGTH) != 0 ||
        memcmp(own_id, id, FORMAT_ID_LENGTH) != 0)
        return fail(err, FIRN_CORRUPT, "it is another snapshot, or of another repository");
    if (parts->sealed_length < CRYPT_OVERHEAD || parts->raw > SNAPSHOT_MAX ||
        parts->deadline > INT64_MAX)
        return fail(err, FIRN_CORRUPT, "it states impossible lengths or times");
    return 0;
}

static int open_body(struct repo *repo, const struct parts *parts, const struct buf *bytes,
                     struct buf *text, struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    struct unsealer *unsealer = NULL;
    size_t length = parts->sealed_length - CRYPT_OVERHEAD;
    auto_free uint8_t *body = mem_alloc(length);
    int result = keyring_key(&repo->keyring, FORMAT_META, parts->keying, key, err);
    if (result == 0)
        result = unsealer_new(key, &unsealer, err);
    OPENSSL_cleanse(key, sizeof(key));
    if (result == 0)
        result = unsealer_open(unsealer, bytes->data, parts->front, parts->sealed,
                               parts->sealed_length, body, err);
    unsealer_free(unsealer);
    return result < 0 ? -1 : compress_undo(body, length, true, parts->raw, text, err);
}

int snapshot_fetch(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], uint64_t length,
                   struct buf *bytes, struct firn_error **err)
{
    char name[NAME_LENGTH];
    snapshot_name(id, name);
    if (length < FIXED_LENGTH || length > SNAPSHOT_MAX)
        return fail(err, FIRN_CORRUPT, "it has %llu bytes", (unsigned long long)length);
    auto_free void *data = NULL;
    if (mem_try(&data, length, 1, "a snapshot", err) < 0 ||
        store_get(repo->store, name, 0, data, length, err) < 0)
        return -1;
    buf_append(bytes, data, length);
    return buf_check(bytes, "snapshot", err);
}

static int decode(struct repo *repo, const struct buf *bytes, struct snapshot *snapshot,
                  struct firn_error **err)
{
    auto_buf struct buf text = buf_new(SNAPSHOT_MAX);
    struct parts parts;
    if (take_apart(repo, snapshot->id, bytes, &parts, err) < 0 ||
        open_body(repo, &parts, bytes, &text, err) < 0)
        return -1;
    snapshot->deadline = (int64_t)parts.deadline;
    auto_json struct json_object *json = NULL;
    if (json_parse(text.data, text.length, "body", &json, err) == 0 &&
        snapshot_body_read(repo, json, snapshot, err) == 0)
        return 0;
    if (error_code(err == NULL ? NULL : *err) == FIRN_INVALID)
        (*err)->code = FIRN_CORRUPT; /* a foreign document that makes no sense is damage here */
    return -1;
}

int snapshot_decode(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], const struct buf *bytes,
                    struct snapshot **out, struct firn_error **err)
{
    struct snapshot *snapshot = snapshot_new(NULL);
    memcpy(snapshot->id, id, FORMAT_ID_LENGTH);
    hex_encode(id, FORMAT_ID_LENGTH, snapshot->id_text);
    if (decode(repo, bytes, snapshot, err) < 0) {
        snapshot_free(snapshot);
        return -1;
    }
    *out = snapshot;
    return 0;
}

/* An object whose length nobody told. */
static int look_up(struct repo *repo, const char *name, const uint8_t id[FORMAT_ID_LENGTH],
                   struct buf *bytes, int64_t *modified, struct firn_error **err)
{
    uint64_t length = 0;
    return store_stat(repo->store, name, &length, modified, err) < 0
               ? -1
               : snapshot_fetch(repo, id, length, bytes, err);
}

int snapshot_read(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], struct snapshot **out,
                  struct firn_error **err)
{
    char name[NAME_LENGTH];
    snapshot_name(id, name);
    auto_buf struct buf bytes = buf_new(SNAPSHOT_MAX);
    int64_t modified = 0;
    if (look_up(repo, name, id, &bytes, &modified, err) < 0 ||
        snapshot_decode(repo, id, &bytes, out, err) < 0)
        return wrap(err, "%s", name);
    (*out)->modified = modified;
    return 0;
}

int snapshot_references(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH],
                        uint8_t (**out)[FORMAT_ID_LENGTH], size_t *count, struct firn_error **err)
{
    char name[NAME_LENGTH];
    snapshot_name(id, name);
    auto_buf struct buf bytes = buf_new(SNAPSHOT_MAX);
    struct parts parts;
    if (look_up(repo, name, id, &bytes, NULL, err) < 0 ||
        take_apart(repo, id, &bytes, &parts, err) < 0)
        return wrap(err, "%s", name);
    *count = parts.reference_count;
    *out = mem_dup(parts.references, (size_t)parts.reference_count * FORMAT_ID_LENGTH);
    return 0;
}

int snapshot_remove(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], struct firn_error **err)
{
    char name[NAME_LENGTH];
    snapshot_name(id, name);
    return store_remove(repo->store, name, err);
}
