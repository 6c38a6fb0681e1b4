/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record:
 *     magic "FIRNCOLL" | u32 version | u32 kind | repository 16 | id 16 | u64 limit | u32 packs | u32 zero | packs × 16
 *     | u32 crc of all before
 */
#include "collection.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "repo.h"
#include "store/store.h"

#include <assert.h>
#include <string.h>

#define MAGIC        "FIRNCOLL"
#define FRONT_LENGTH 64u /* before the packs */
#define RECORD_MAX   (FRONT_LENGTH + COLLECTION_PACKS_MAX * FORMAT_ID_LENGTH + 4)

static const char *const folders[COLLECTION_KINDS] = {"", "condemned/", "removed/", "finished/"};

void collection_name(enum collection_kind kind, const uint8_t id[FORMAT_ID_LENGTH],
                     char out[COLLECTION_NAME_LENGTH])
{
    size_t length = strlen(folders[kind]);
    memcpy(out, folders[kind], length);
    hex_encode(id, FORMAT_ID_LENGTH, out + length);
}

int collection_by_id(const void *a, const void *b)
{
    return memcmp(a, b, FORMAT_ID_LENGTH);
}

bool collection_names(const struct collection_record *record, const uint8_t pack[FORMAT_ID_LENGTH])
{
    return record->count > 0 &&
           bsearch(pack, record->packs, record->count, FORMAT_ID_LENGTH, collection_by_id) != NULL;
}

/* ------------------------------------------------------------------------------------------------ the bytes */

void collection_encode(const uint8_t repository[FORMAT_ID_LENGTH],
                       const struct collection_record *record, struct buf *out)
{
    assert(record->count <= COLLECTION_PACKS_MAX && record->limit >= 0);
    buf_append(out, MAGIC, 8);
    buf_le32(out, FORMAT_VERSION);
    buf_le32(out, record->kind);
    buf_append(out, repository, FORMAT_ID_LENGTH);
    buf_append(out, record->id, FORMAT_ID_LENGTH);
    buf_le64(out, (uint64_t)record->limit);
    buf_le32(out, (uint32_t)record->count);
    buf_le32(out, 0);
    buf_append(out, record->packs, record->count * FORMAT_ID_LENGTH);
    buf_le32(out, crypt_crc32c(0, out->data, out->length));
}

static bool is_rising(const struct collection_record *record)
{
    for (size_t i = 1; i < record->count; i++)
        if (memcmp(record->packs[i - 1], record->packs[i], FORMAT_ID_LENGTH) >= 0)
            return false;
    return true;
}

int collection_decode(const uint8_t repository[FORMAT_ID_LENGTH], const struct buf *bytes,
                      struct collection_record *record, struct firn_error **err)
{
    struct cursor cursor = cursor_new(bytes->data, bytes->length);
    const uint8_t *magic = cursor_bytes(&cursor, 8);
    uint32_t version = cursor_le32(&cursor);
    uint32_t kind = cursor_le32(&cursor);
    const uint8_t *own_repository = cursor_bytes(&cursor, FORMAT_ID_LENGTH);
    const uint8_t *own_id = cursor_bytes(&cursor, FORMAT_ID_LENGTH);
    uint64_t limit = cursor_le64(&cursor);
    record->count = cursor_le32(&cursor);
    uint32_t reserved = cursor_le32(&cursor);
    record->packs = (const void *)cursor_bytes(&cursor, record->count * FORMAT_ID_LENGTH);
    uint32_t crc = cursor_le32(&cursor);
    if (cursor.failed || cursor.length > 0 || memcmp(magic, MAGIC, 8) != 0 ||
        crc != crypt_crc32c(0, bytes->data, bytes->length - 4))
        return fail(err, FIRN_CORRUPT, "it is damaged or cut off");
    if (version != FORMAT_VERSION)
        return fail(err, FIRN_INVALID, "version %u; this Firn reads version %u: use a newer one",
                    version, FORMAT_VERSION);
    if (memcmp(own_repository, repository, FORMAT_ID_LENGTH) != 0 ||
        memcmp(own_id, record->id, FORMAT_ID_LENGTH) != 0 || kind != record->kind)
        return fail(err, FIRN_CORRUPT, "it is another record, or of another repository");
    record->limit = (int64_t)limit;
    if (record->limit < 0 || record->limit > INT64_MAX / 4 || reserved != 0 ||
        record->count > COLLECTION_PACKS_MAX || !is_rising(record))
        return fail(err, FIRN_CORRUPT, "what it says makes no sense");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ in the store */

int collection_put(struct repo *repo, const struct collection_record *record,
                   struct firn_error **err)
{
    char name[COLLECTION_NAME_LENGTH];
    auto_buf struct buf bytes = buf_new(RECORD_MAX);
    collection_name(record->kind, record->id, name);
    collection_encode(repo->id, record, &bytes);
    return store_put(repo->store, name, bytes.data, bytes.length, err);
}

static int fetch(struct repo *repo, const char *name, struct buf *bytes, struct firn_error **err)
{
    uint64_t length = 0;
    if (store_stat(repo->store, name, &length, NULL, err) < 0)
        return -1;
    if (length < FRONT_LENGTH || length > RECORD_MAX)
        return fail(err, FIRN_CORRUPT, "%s: it has %llu bytes", name, (unsigned long long)length);
    auto_free void *data = NULL;
    if (mem_try(&data, length, 1, "a record of a collection", err) < 0 ||
        store_get(repo->store, name, 0, data, length, err) < 0)
        return -1;
    buf_append(bytes, data, length);
    return 0;
}

int collection_read(struct repo *repo, enum collection_kind kind,
                    const uint8_t id[FORMAT_ID_LENGTH], struct buf *bytes,
                    struct collection_record *out, struct firn_error **err)
{
    char name[COLLECTION_NAME_LENGTH];
    collection_name(kind, id, name);
    *bytes = buf_new(RECORD_MAX);
    *out = (struct collection_record){.kind = kind};
    memcpy(out->id, id, FORMAT_ID_LENGTH);
    if (fetch(repo, name, bytes, err) < 0)
        return -1;
    if (collection_decode(repo->id, bytes, out, err) < 0)
        return wrap(err, "%s", name);
    return 0;
}

int collection_remove(struct repo *repo, enum collection_kind kind,
                      const uint8_t id[FORMAT_ID_LENGTH], struct firn_error **err)
{
    char name[COLLECTION_NAME_LENGTH];
    auto_error struct firn_error *why = NULL;
    collection_name(kind, id, name);
    if (store_remove(repo->store, name, &why) == 0 || error_code(why) == FIRN_NOTFOUND)
        return 0;
    return fail(err, error_code(why), "%s", error_message(why));
}

int collection_pardon(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], int64_t now,
                      struct firn_error **err)
{
    struct collection_record verdict = {.kind = COLLECTION_REMOVED,
                                        .limit = now + COLLECTION_VERDICT};
    auto_error struct firn_error *why = NULL;
    memcpy(verdict.id, id, FORMAT_ID_LENGTH);
    if (collection_put(repo, &verdict, &why) == 0 || error_code(why) == FIRN_CONFLICT)
        return 0;
    return fail(err, error_code(why), "%s", error_message(why));
}

/* ------------------------------------------------------------------------------------------------ listing */

struct listing {
    struct collection_list *list;
    enum collection_kind kind;
};

static int take_entry(void *context, const struct store_entry *listed, struct firn_error **err)
{
    (void)err;
    struct listing *listing = context;
    struct collection_list *list = listing->list;
    struct collection_entry entry = {0};
    const char *text = listed->name + strlen(folders[listing->kind]);
    if (strlen(text) != 2 * FORMAT_ID_LENGTH || !hex_decode(text, entry.id, FORMAT_ID_LENGTH))
        return 0;
    entry.modified[listing->kind] = listed->modified > 0 ? listed->modified : 1;
    if (list->count % 64 == 0)
        list->entries = mem_resize(list->entries, list->count + 64, sizeof(entry));
    list->entries[list->count++] = entry;
    return 0;
}

/* One entry for each round. */
static void merge(struct collection_list *list)
{
    size_t kept = 0;
    if (list->count > 0)
        qsort(list->entries, list->count, sizeof(*list->entries), collection_by_id);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || collection_by_id(list->entries[kept - 1].id, list->entries[i].id) != 0) {
            list->entries[kept++] = list->entries[i];
            continue;
        }
        for (unsigned kind = 0; kind < COLLECTION_KINDS; kind++)
            list->entries[kept - 1].modified[kind] += list->entries[i].modified[kind];
    }
    list->count = kept;
}

int collection_list(struct repo *repo, enum collection_kind through, struct collection_list *out,
                    struct firn_error **err)
{
    *out = (struct collection_list){0};
    for (unsigned kind = COLLECTION_CONDEMNED; kind <= through; kind++) {
        struct listing listing = {.list = out, .kind = (enum collection_kind)kind};
        if (store_list(repo->store, folders[kind], take_entry, &listing, err) < 0) {
            collection_list_free(out);
            return wrap(err, "list what was condemned");
        }
    }
    merge(out);
    return 0;
}

void collection_list_free(struct collection_list *list)
{
    free(list->entries);
    *list = (struct collection_list){0};
}
