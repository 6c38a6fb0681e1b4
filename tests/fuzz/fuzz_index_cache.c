/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache file of the index. If the first byte is even, id of the repository, lengths and sum are put right, so that what
 * lies behind them is reached. What is taken names packs that are there only.
 */
#include "memory_store.h"

#include "repo/crypt.h"
#include "repo/index_cache.h"
#include "repo/index_hooks.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER 48u
#define MEMORY (1u << 20)

/* Makes of any bytes a file that states what it is: as many packs as the first of them says, and hooks. */
static void put_right(const struct repo *repo, const uint8_t *data, size_t size, struct buf *file)
{
    uint64_t packs = size > 4 ? data[4] : 0;
    size_t rest = size > 5 ? size - 5 : 0;
    if (packs > rest / FORMAT_ID_LENGTH)
        packs = rest / FORMAT_ID_LENGTH;
    uint64_t hooks = (rest - packs * FORMAT_ID_LENGTH) / 8;
    buf_append(file, "firnindx", 8);
    buf_le32(file, 1);
    buf_append(file, size > 4 ? data : (const uint8_t *)"\1\0\0\0", 4);
    buf_append(file, repo->id, FORMAT_ID_LENGTH);
    buf_le64(file, packs);
    buf_le64(file, hooks);
    if (rest > 0)
        buf_append(file, data + 5, packs * FORMAT_ID_LENGTH + hooks * 8);
    buf_le32(file, crypt_crc32c(0, file->data, file->length));
}

/* Every pack that the file names is there, so that its hooks are kept. */
static void make_present(struct repo *repo, const struct buf *file)
{
    for (size_t at = HEADER; at + FORMAT_ID_LENGTH <= file->length && at < HEADER + 4096;
         at += FORMAT_ID_LENGTH) {
        uint32_t number = 0;
        if (pack_table_number(repo->packs, (const uint8_t *)file->data + at, &number, NULL) == 0)
            pack_table_set_present(repo->packs, number);
    }
}

static int take(struct repo *repo, const void *data, size_t size, size_t *count)
{
    char path[64];
    struct hooks *hooks = NULL;
    uint32_t *packs = NULL;
    int fd = memfd_create("index", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int result = index_cache_read(path, repo, MEMORY, &hooks, &packs, count, NULL);
    if (result == 0) {
        uint64_t key = 0;
        uint32_t pack = 0;
        for (size_t position = 0; hooks_next(hooks, &position, &key, &pack);)
            if (!pack_table_present(repo->packs, pack))
                abort();
        hooks_free(hooks);
        free(packs);
    }
    close(fd);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct repo repo = {.id = {1, 2, 3}, .packs = pack_table_new()};
    auto_buf struct buf file = buf_new(SIZE_MAX);
    size_t count = 0;
    if (size > 0 && data[0] % 2 == 0)
        put_right(&repo, data + 1, size - 1, &file);
    else if (size > 0)
        buf_append(&file, data + 1, size - 1);
    make_present(&repo, &file);
    bool right = size > 0 && data[0] % 2 == 0;
    int result = take(&repo, file.data, file.length, &count);
    if (result == 0 && right && count * FORMAT_ID_LENGTH > file.length)
        abort();
    pack_table_free(repo.packs);
    return 0;
}
