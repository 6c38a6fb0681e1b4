/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots, behind their seals. The first byte says how the rest is taken:
 *
 *     0    the JSON of the body
 *     1    u24 uncompressed length | the compressed body
 *     2    the whole object as it lies in the store
 *
 * What is taken is written and taken again, and then written the same.
 */
#include "memory_store.h"

#include "core/json.h"
#include "repo/compress.h"
#include "repo/crypt.h"
#include "repo/snapshot.h"
#include "repo/snapshot_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t snapshot_id[FORMAT_ID_LENGTH] = {0x12, 0x34, 0x56};
#define NAME "snapshots/12345600000000000000000000000000"
#define MOST (16u * 1024u * 1024u)

/* The object around a compressed body, as snapshot.h draws it. */
static void make_object(struct repo *repo, const void *body, size_t length, uint32_t raw,
                        struct buf *out)
{
    uint8_t keying[FORMAT_KEYING_LENGTH], key[FORMAT_KEY_LENGTH];
    struct sealer *sealer = NULL;
    if (keyring_new_key(&repo->keyring, FORMAT_META, keying, key, NULL) < 0 ||
        sealer_new(key, &sealer, NULL) < 0)
        abort();
    buf_append(out, "FIRNSNAP", 8);
    buf_le32(out, FORMAT_VERSION);
    buf_le32(out, 0);
    buf_append(out, repo->id, FORMAT_ID_LENGTH);
    buf_append(out, snapshot_id, FORMAT_ID_LENGTH);
    buf_append(out, keying, FORMAT_KEYING_LENGTH);
    buf_le32(out, (uint32_t)(length + CRYPT_OVERHEAD));
    buf_le32(out, raw);
    auto_free uint8_t *sealed = mem_alloc(length + CRYPT_OVERHEAD);
    if (sealer_seal(sealer, out->data, out->length, body, length, sealed, NULL) < 0)
        abort();
    sealer_free(sealer);
    buf_append(out, sealed, length + CRYPT_OVERHEAD);
    buf_le32(out, crypt_crc32c(0, out->data, out->length));
}

static void from_text(struct repo *repo, const void *text, size_t length, struct buf *out)
{
    auto_buf struct buf body = buf_new(MOST);
    if (compress_message(length == 0 ? "" : text, length, &body, NULL) < 0)
        abort();
    make_object(repo, body.data, body.length, (uint32_t)length, out);
}

/* Reads the object: the text of what was taken; -1 if it is refused. */
static int take(struct repo *repo, const struct buf *object, struct buf *text)
{
    struct snapshot *snapshot = NULL;
    uint8_t(*references)[FORMAT_ID_LENGTH] = NULL;
    size_t count = 0;
    if (store_put(repo->store, NAME, object->length == 0 ? "" : object->data, object->length,
                  NULL) < 0)
        abort();
    int result = snapshot_read(repo, snapshot_id, &snapshot, NULL);
    if (snapshot_references(repo, snapshot_id, &references, &count, NULL) == 0)
        free(references);
    else if (result == 0)
        abort();
    if (store_remove(repo->store, NAME, NULL) < 0)
        abort();
    if (result < 0)
        return -1;
    auto_json struct json_object *json = snapshot_body_write(repo, snapshot);
    json_write(text, json);
    struct json_object *shown = snapshot_to_json(snapshot);
    json_free(&shown);
    snapshot_free(snapshot);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct repo *repo = memory_repo();
    auto_buf struct buf object = buf_new(MOST);
    auto_buf struct buf again = buf_new(MOST);
    auto_buf struct buf first = buf_new(MOST);
    auto_buf struct buf second = buf_new(MOST);
    if (size == 0)
        return 0;
    if (data[0] == 0)
        from_text(repo, data + 1, size - 1, &object);
    else if (data[0] == 1 && size > 4)
        make_object(repo, data + 4, size - 4, (uint32_t)(data[1] | data[2] << 8 | data[3] << 16),
                    &object);
    else
        buf_append(&object, data + 1, size - 1);
    if (take(repo, &object, &first) < 0)
        return 0;
    from_text(repo, first.data, first.length, &again);
    if (take(repo, &again, &second) < 0 || first.length != second.length ||
        memcmp(first.data, second.data, first.length) != 0)
        abort();
    return 0;
}
