/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest records: what an earlier run left under a stream's digest, found through the index. What is found is plausible, and
 * names no pack that is not there. If the first byte is odd, the packs that a record names are there.
 */
#include "memory_store.h"

#include "core/log.h"
#include "repo/crypt.h"
#include "repo/index.h"
#include "repo/map_digest.h"
#include "repo/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MANY_PACKS 20000u

static struct index *new_index(struct repo *repo)
{
    struct index *index = NULL;
    if (index_open(repo, NULL, INDEX_MEMORY, NULL, NULL, &index, NULL) < 0)
        abort();
    return index;
}

/* Any 16 bytes of it might be a pack's id. */
static void make_present(struct repo *repo, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + FORMAT_ID_LENGTH <= size && at < 64; at++) {
        uint32_t number = 0;
        if (pack_table_number(repo->packs, data + at, &number, NULL) == 0)
            pack_table_set_present(repo->packs, number);
    }
}

static void find(struct repo *repo, struct index *index, const uint8_t *fingerprint)
{
    struct map_run run = {0};
    uint64_t length = 0;
    if (map_digest_find(repo, index, fingerprint, &run, &length, NULL) <= 0)
        return;
    for (size_t i = 0; i < run.span_count; i++)
        if (!pack_table_present(repo->packs, run.spans[i].pack) || run.spans[i].count == 0)
            abort();
    map_run_free(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct index *index;
    struct repo *repo = memory_repo();
    struct meta_writer *meta = NULL;
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    uint32_t pack = 0, ordinal = 0;
    if (size < 2 || size > FORMAT_CHUNK_MAX)
        return 0;
    if (index != NULL && pack_table_count(repo->packs) > MANY_PACKS) { /* begin anew */
        index_close(steal(index));
        pack_table_free(repo->packs);
        repo->packs = pack_table_new();
    }
    if (index == NULL) {
        log_init(LOG_TEXT, FIRN_LOG_ERROR); /* a record that is refused is warned of */
        index = new_index(repo);
    }
    if (data[0] % 2 != 0)
        make_present(repo, data + 1, size - 1);
    crypt_random(fingerprint, sizeof(fingerprint));
    if (meta_writer_new(repo, &meta, NULL) < 0 ||
        meta_writer_put(meta, FORMAT_CHUNK_DIGEST, fingerprint, data + 1, size - 1, NULL, 0, &pack,
                        &ordinal, NULL) < 0)
        abort();
    index_pack_begin(index, pack);
    index_pack_add(index, pack, FORMAT_CHUNK_DIGEST, fingerprint);
    find(repo, index, fingerprint);
    meta_writer_abort(meta);
    return 0;
}
