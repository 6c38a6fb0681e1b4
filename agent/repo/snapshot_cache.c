/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_cache.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A snapshot of a machine takes about a kilobyte, one of thousands of images a few hundred. */
#define CACHE_BYTES (64u * 1024u * 1024u)

struct snapshot_cache {
    char *folder;
};

struct snapshot_cache *snapshot_cache_new(const char *directory, const char *repository)
{
    struct snapshot_cache *cache = mem_zalloc(sizeof(*cache));
    auto_free char *name = mem_printf("snapshots-%s", repository);
    cache->folder = file_join(directory, name);
    return cache;
}

void snapshot_cache_free(struct snapshot_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->folder);
    free(cache);
}

static char *path_of(const struct snapshot_cache *cache, const uint8_t id[FORMAT_ID_LENGTH])
{
    char name[FORMAT_ID_TEXT];
    hex_encode(id, FORMAT_ID_LENGTH, name);
    return file_join(cache->folder, name);
}

/* ------------------------------------------------------------------------------------------------ what is kept */

static int by_length(const void *a, const void *b)
{
    const struct snapshot_entry *left = a, *right = b;
    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return memcmp(left->id, right->id, FORMAT_ID_LENGTH);
}

static int by_id(const void *a, const void *b)
{
    const struct snapshot_entry *left = a, *right = b;
    return memcmp(left->id, right->id, FORMAT_ID_LENGTH);
}

/* The smallest: that saves the most requests. All processes that see the same listing choose the same. */
static void choose(struct snapshot_entry *entries, size_t count)
{
    uint64_t room = CACHE_BYTES;
    qsort(entries, count, sizeof(*entries), by_length);
    for (size_t i = 0; i < count; i++) {
        entries[i].cached = entries[i].length <= room;
        room = entries[i].cached ? room - entries[i].length : 0;
    }
    qsort(entries, count, sizeof(*entries), by_id);
}

static bool is_kept(const char *name, const struct snapshot_entry *entries, size_t count)
{
    struct snapshot_entry wanted;
    if (strlen(name) != FORMAT_ID_TEXT - 1 || !hex_decode(name, wanted.id, FORMAT_ID_LENGTH))
        return false;
    const struct snapshot_entry *found =
        count == 0 ? NULL : bsearch(&wanted, entries, count, sizeof(*entries), by_id);
    return found != NULL && found->cached;
}

/* Also what another process is just writing: it only has its copy to lose. */
static void remove_others(const struct snapshot_cache *cache, const struct snapshot_entry *entries,
                          size_t count)
{
    DIR *folder = opendir(cache->folder);
    if (folder == NULL)
        return;
    for (const struct dirent *file; (file = readdir(folder)) != NULL;)
        if (file->d_name[0] != '.' && !is_kept(file->d_name, entries, count))
            unlinkat(dirfd(folder), file->d_name, 0);
    closedir(folder);
}

void snapshot_cache_settle(struct snapshot_cache *cache, struct snapshot_entry *entries,
                           size_t count)
{
    if (cache == NULL)
        return;
    if (count > 0)
        choose(entries, count);
    remove_others(cache, entries, count);
}

/* ------------------------------------------------------------------------------------------------ copies */

bool snapshot_cache_get(struct snapshot_cache *cache, const struct snapshot_entry *entry,
                        struct buf *out)
{
    if (cache == NULL || !entry->cached)
        return false;
    auto_free char *path = path_of(cache, entry->id);
    if (file_read(path, entry->length, out, NULL) == 0 && out->length == entry->length)
        return true;
    buf_reset(out);
    return false;
}

/* No fsync: what a crash cut short does not open. */
static int write_copy(const char *path, const void *data, size_t length, struct firn_error **err)
{
    auto_free char *temporary = mem_printf("%s.XXXXXX.tmp", path);
    int fd = mkostemps(temporary, (int)strlen(".tmp"), O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "create %s", temporary);
    int result = file_pwrite(fd, data, length, 0, temporary, err);
    if (close(fd) < 0 && result == 0)
        result = fail_errno(err, "close %s", temporary);
    if (result == 0 && rename(temporary, path) < 0)
        result = fail_errno(err, "rename %s to %s", temporary, path);
    if (result < 0)
        unlink(temporary);
    return result;
}

void snapshot_cache_put(struct snapshot_cache *cache, const uint8_t id[FORMAT_ID_LENGTH],
                        const void *data, size_t length)
{
    if (cache == NULL || length > CACHE_BYTES)
        return;
    auto_error struct firn_error *why = NULL;
    auto_free char *path = path_of(cache, id);
    if (file_make_directories(cache->folder, 0700, &why) < 0 ||
        write_copy(path, data, length, &why) < 0)
        log_debug("a snapshot is not cached: %s", error_message(why));
}

void snapshot_cache_drop(struct snapshot_cache *cache, const uint8_t id[FORMAT_ID_LENGTH])
{
    if (cache == NULL)
        return;
    auto_free char *path = path_of(cache, id);
    unlink(path);
}
