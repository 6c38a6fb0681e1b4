/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache file is read and written piece by piece: it may be as large as half of the index's
 * memory. The sum is checked last, so what was read is thrown away if it does not fit.
 */
#include "index_cache.h"

#include "crypt.h"
#include "index_hooks.h"
#include "repo.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         "firnindx"
#define MAGIC_LENGTH  8u
#define VERSION       1u
#define HEADER_LENGTH 48u
#define PLACE_BITS    24u
#define PLACE_MASK    ((UINT64_C(1) << PLACE_BITS) - 1)
#define PIECE         1024u /* hooks or ids that are read or written at once */

/* A file that is read or written from start to end, and the sum of what passed. */
struct stream {
    FILE *file;
    const char *path;
    uint32_t sum;
};

static void close_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}

/* ------------------------------------------------------------------------------------------------ reading */

struct header {
    uint32_t sampling;
    uint64_t packs, hooks;
};

static int unusable(const struct stream *in, const char *why, struct firn_error **err)
{
    return fail(err, FIRN_INVALID, "index cache %s: %s", in->path, why);
}

static int take(struct stream *in, void *data, size_t length, struct firn_error **err)
{
    if (fread(data, 1, length, in->file) != length)
        return unusable(in, "cannot be read to its end", err);
    in->sum = crypt_crc32c(in->sum, data, length);
    return 0;
}

static int read_header(struct stream *in, const struct repo *repo, struct header *out,
                       struct firn_error **err)
{
    uint8_t bytes[HEADER_LENGTH];
    struct stat status;
    if (take(in, bytes, sizeof(bytes), err) < 0)
        return -1;
    if (fstat(fileno(in->file), &status) < 0)
        return fail_errno(err, "index cache %s", in->path);
    struct cursor cursor = cursor_new(bytes, sizeof(bytes));
    bool ours = memcmp(cursor_bytes(&cursor, MAGIC_LENGTH), MAGIC, MAGIC_LENGTH) == 0;
    ours = cursor_le32(&cursor) == VERSION && ours;
    out->sampling = cursor_le32(&cursor);
    ours = memcmp(cursor_bytes(&cursor, FORMAT_ID_LENGTH), repo->id, FORMAT_ID_LENGTH) == 0 && ours;
    out->packs = cursor_le64(&cursor);
    out->hooks = cursor_le64(&cursor);
    if (!ours)
        return unusable(in, "is of another repository or version", err);
    uint64_t size = (uint64_t)status.st_size;
    bool fits = out->packs <= PLACE_MASK && out->hooks <= size / sizeof(uint64_t) &&
                size == HEADER_LENGTH + out->packs * FORMAT_ID_LENGTH +
                            out->hooks * sizeof(uint64_t) + sizeof(uint32_t);
    return fits ? 0 : unusable(in, "has not the length that it states", err);
}

/* numbers: the pack at each place of the file's list; PACK_NONE: the store has it no longer. */
static int read_packs(struct stream *in, struct repo *repo, uint64_t count, uint32_t *numbers,
                      struct firn_error **err)
{
    for (uint64_t i = 0; i < count; i++) {
        uint8_t id[FORMAT_ID_LENGTH];
        if (take(in, id, sizeof(id), err) < 0 ||
            pack_table_number(repo->packs, id, &numbers[i], err) < 0)
            return -1;
        if (!pack_table_present(repo->packs, numbers[i]))
            numbers[i] = PACK_NONE;
    }
    return 0;
}

static int read_hooks(struct stream *in, const struct header *header, const uint32_t *numbers,
                      struct hooks *hooks, struct firn_error **err)
{
    uint64_t piece[PIECE];
    for (uint64_t left = header->hooks; left > 0;) {
        size_t count = left < PIECE ? (size_t)left : PIECE;
        if (take(in, piece, count * sizeof(*piece), err) < 0)
            return -1;
        for (size_t i = 0; i < count; i++) {
            uint64_t entry = le64toh(piece[i]);
            uint64_t place = entry & PLACE_MASK;
            if (place >= header->packs)
                return unusable(in, "has a hook of no pack", err);
            if (numbers[place] != PACK_NONE)
                hooks_put_key(hooks, entry >> PLACE_BITS, numbers[place]);
        }
        left -= count;
    }
    return 0;
}

static int read_sum(struct stream *in, struct firn_error **err)
{
    uint32_t expected = in->sum, stated = 0;
    if (take(in, &stated, sizeof(stated), err) < 0)
        return -1;
    return le32toh(stated) == expected ? 0 : unusable(in, "is damaged", err);
}

static int read_all(struct stream *in, struct repo *repo, struct hooks *hooks, uint32_t **packs,
                    size_t *count, struct firn_error **err)
{
    struct header header;
    if (read_header(in, repo, &header, err) < 0)
        return -1;
    auto_free uint32_t *numbers = NULL;
    if (mem_try((void **)&numbers, header.packs + 1, sizeof(*numbers), "index cache", err) < 0)
        return -1;
    hooks_set_sampling(hooks, header.sampling);
    hooks_reserve(hooks, header.hooks);
    if (read_packs(in, repo, header.packs, numbers, err) < 0 ||
        read_hooks(in, &header, numbers, hooks, err) < 0 || read_sum(in, err) < 0)
        return -1;
    *count = 0;
    for (uint64_t i = 0; i < header.packs; i++) {
        if (numbers[i] != PACK_NONE)
            numbers[(*count)++] = numbers[i];
    }
    *packs = steal(numbers);
    return 0;
}

int index_cache_read(const char *path, struct repo *repo, size_t memory, struct hooks **hooks,
                     uint32_t **packs, size_t *count, struct firn_error **err)
{
    __attribute__((cleanup(close_file))) FILE *file = fopen(path, "re");
    if (file == NULL)
        return fail_errno(err, "open index cache %s", path);
    struct stream in = {.file = file, .path = path};
    struct hooks *fresh = hooks_new(memory);
    if (read_all(&in, repo, fresh, packs, count, err) < 0) {
        hooks_free(fresh);
        return -1;
    }
    *hooks = fresh;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ writing */

static int put(struct stream *out, const void *data, size_t length, struct firn_error **err)
{
    if (fwrite(data, 1, length, out->file) != length)
        return fail_errno(err, "write index cache %s", out->path);
    out->sum = crypt_crc32c(out->sum, data, length);
    return 0;
}

/* The places that packs have in the file's list, by number; PACK_NONE: none. */
static uint32_t *places_of(struct repo *repo, const uint32_t *packs, size_t count)
{
    uint32_t total = pack_table_count(repo->packs);
    uint32_t *places = mem_array((size_t)total + 1, sizeof(*places));
    memset(places, 0xff, total * sizeof(*places));
    for (size_t i = 0; i < count; i++)
        places[packs[i]] = (uint32_t)i;
    return places;
}

static uint64_t count_hooks(const struct hooks *hooks, const uint32_t *places)
{
    uint64_t count = 0, key = 0;
    uint32_t pack = 0;
    for (size_t position = 0; hooks_next(hooks, &position, &key, &pack);)
        count += places[pack] != PACK_NONE;
    return count;
}

static int write_header(struct stream *out, const struct repo *repo, const struct header *header,
                        struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(HEADER_LENGTH);
    buf_append(&bytes, MAGIC, MAGIC_LENGTH);
    buf_le32(&bytes, VERSION);
    buf_le32(&bytes, header->sampling);
    buf_append(&bytes, repo->id, FORMAT_ID_LENGTH);
    buf_le64(&bytes, header->packs);
    buf_le64(&bytes, header->hooks);
    return put(out, bytes.data, bytes.length, err);
}

static int write_hooks(struct stream *out, const struct hooks *hooks, const uint32_t *places,
                       struct firn_error **err)
{
    uint64_t piece[PIECE], key = 0;
    uint32_t pack = 0;
    size_t count = 0;
    for (size_t position = 0; hooks_next(hooks, &position, &key, &pack);) {
        if (places[pack] == PACK_NONE)
            continue;
        piece[count++] = htole64(key << PLACE_BITS | places[pack]);
        if (count < PIECE)
            continue;
        if (put(out, piece, sizeof(piece), err) < 0)
            return -1;
        count = 0;
    }
    return put(out, piece, count * sizeof(*piece), err);
}

static int write_all(struct stream *out, struct repo *repo, const struct hooks *hooks,
                     const uint32_t *packs, size_t count, struct firn_error **err)
{
    auto_free uint32_t *places = places_of(repo, packs, count);
    struct header header = {
        .sampling = hooks_sampling(hooks), .packs = count, .hooks = count_hooks(hooks, places)};
    if (write_header(out, repo, &header, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        uint8_t id[FORMAT_ID_LENGTH];
        pack_table_id(repo->packs, packs[i], id);
        if (put(out, id, sizeof(id), err) < 0)
            return -1;
    }
    if (write_hooks(out, hooks, places, err) < 0)
        return -1;
    uint32_t sum = htole32(out->sum);
    return put(out, &sum, sizeof(sum), err);
}

/* Writes and closes the file. No fsync: a cache that a crash cut short does not match its sum. */
static int fill(int fd, const char *path, struct repo *repo, const struct hooks *hooks,
                const uint32_t *packs, size_t count, struct firn_error **err)
{
    struct stream out = {.file = fdopen(fd, "w"), .path = path};
    if (out.file == NULL) {
        int result = fail_errno(err, "write index cache %s", path);
        close(fd);
        return result;
    }
    int result = write_all(&out, repo, hooks, packs, count, err);
    if (fclose(out.file) != 0 && result == 0)
        result = fail_errno(err, "write index cache %s", path);
    return result;
}

int index_cache_write(const char *path, struct repo *repo, const struct hooks *hooks,
                      const uint32_t *packs, size_t count, struct firn_error **err)
{
    auto_free char *temporary = mem_printf("%s.XXXXXX.tmp", path);
    int fd = mkostemps(temporary, (int)strlen(".tmp"), O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "create index cache %s", temporary);
    int result = fill(fd, temporary, repo, hooks, packs, count, err);
    if (result == 0 && rename(temporary, path) < 0)
        result = fail_errno(err, "rename %s to %s", temporary, path);
    if (result < 0)
        unlink(temporary);
    return result;
}
