/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of collection. The first byte says of which kind, the second how the rest is taken: 0, what lies between the front and the
 * CRC: the limit and the packs; else the whole record. What is taken is written again as it was.
 */
#include "memory_store.h"

#include "repo/collection.h"
#include "repo/crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (4u * 1024u * 1024u)

static const uint8_t round_id[FORMAT_ID_LENGTH] = {0x12, 0x34};

static void frame(const struct repo *repo, uint8_t kind, const uint8_t *data, size_t size,
                  struct buf *out)
{
    buf_append(out, "FIRNCOLL", 8);
    buf_le32(out, FORMAT_VERSION);
    buf_le32(out, kind);
    buf_append(out, repo->id, FORMAT_ID_LENGTH);
    buf_append(out, round_id, FORMAT_ID_LENGTH);
    buf_append(out, data, size);
    buf_le32(out, crypt_crc32c(0, out->data, out->length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct repo *repo = memory_repo();
    auto_buf struct buf bytes = buf_new(MOST);
    auto_buf struct buf again = buf_new(MOST);
    if (size < 2 || size > MOST / 2)
        return 0;
    struct collection_record record = {.kind = data[0] % 3 + COLLECTION_CONDEMNED};
    memcpy(record.id, round_id, sizeof(record.id));
    if (data[1] == 0)
        frame(repo, (uint8_t)record.kind, data + 2, size - 2, &bytes);
    else
        buf_append(&bytes, data + 2, size - 2);
    if (collection_decode(repo->id, &bytes, &record, NULL) < 0)
        return 0;
    for (size_t i = 0; i < record.count; i++)
        if (!collection_names(&record, record.packs[i]))
            abort();
    collection_encode(repo->id, &record, &again);
    if (again.length != bytes.length || memcmp(again.data, bytes.data, bytes.length) != 0)
        abort();
    return 0;
}
