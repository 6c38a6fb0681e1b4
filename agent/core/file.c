/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include "buf.h"
#include "error.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

void file_close_pointer(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Reads up to one byte more than the limit, which tells a file of that size from a larger one. */
static int read_all(int fd, const char *path, size_t limit, struct buf *buf,
                    struct firn_error **err)
{
    char piece[16384];
    size_t total = 0;
    for (;;) {
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, "read %s", path);
        if (got == 0)
            return buf_check(buf, path, err);
        total += (size_t)got;
        if (total > limit)
            return fail(err, FIRN_INVALID, "%s: larger than the %zu bytes allowed", path, limit);
        buf_append(buf, piece, (size_t)got);
    }
}

int file_read(const char *path, size_t limit, struct buf *buf, struct firn_error **err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "open %s", path);
    return read_all(fd, path, limit, buf, err);
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_strdup(".");
    if (slash == path)
        return mem_strdup("/");
    return mem_printf("%.*s", (int)(slash - path), path);
}

int file_sync_parent(const char *path, struct firn_error **err)
{
    auto_free char *parent = parent_of(path);
    auto_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "open directory %s", parent);
    if (fsync(fd) < 0)
        return fail_errno(err, "sync directory %s", parent);
    return 0;
}

static int write_and_sync(int fd, const char *path, const void *data, size_t length,
                          struct firn_error **err)
{
    if (file_pwrite(fd, data, length, 0, path, err) < 0)
        return -1;
    if (fsync(fd) < 0)
        return fail_errno(err, "sync %s", path);
    return 0;
}

/* A file beside path, in the mode of the file that it will replace. */
static int open_temporary(const char *path, mode_t mode, char **temporary, int *fd,
                          struct firn_error **err)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return fail_errno(err, "random name for %s", path);
    *temporary = mem_printf("%s.%016llx.tmp", path, (unsigned long long)random);
    *fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (*fd < 0)
        return fail_errno(err, "create %s", *temporary);
    struct stat old;
    if (stat(path, &old) == 0 && fchmod(*fd, old.st_mode & 07777) < 0) {
        int result = fail_errno(err, "set the mode of %s", *temporary);
        unlink(*temporary);
        return result;
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t length, mode_t mode,
               struct firn_error **err)
{
    auto_free char *temporary = NULL;
    auto_close int fd = -1;
    if (open_temporary(path, mode, &temporary, &fd, err) < 0)
        return -1;
    int result = write_and_sync(fd, temporary, data, length, err);
    int closed = close(fd);
    fd = -1;
    if (result == 0 && closed < 0)
        result = fail_errno(err, "close %s", temporary);
    if (result == 0 && rename(temporary, path) < 0)
        result = fail_errno(err, "rename %s to %s", temporary, path);
    if (result < 0) {
        unlink(temporary);
        return -1;
    }
    return file_sync_parent(path, err);
}

static int check_range(size_t length, uint64_t offset, const char *path, struct firn_error **err)
{
    uint64_t end = 0;
    if (__builtin_add_overflow(offset, (uint64_t)length, &end) || end > INT64_MAX)
        return fail(err, FIRN_INVALID, "%s: no file reaches offset %llu", path,
                    (unsigned long long)offset);
    return 0;
}

int file_pread(int fd, void *data, size_t length, uint64_t offset, const char *path,
               struct firn_error **err)
{
    if (check_range(length, offset, path, err) < 0)
        return -1;
    char *at = data;
    while (length > 0) {
        ssize_t got = pread(fd, at, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, "read %s at %llu", path, (unsigned long long)offset);
        if (got == 0)
            return fail(err, FIRN_CORRUPT, "%s: ends at %llu, %zu bytes early", path,
                        (unsigned long long)offset, length);
        at += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

int file_pwrite(int fd, const void *data, size_t length, uint64_t offset, const char *path,
                struct firn_error **err)
{
    if (check_range(length, offset, path, err) < 0)
        return -1;
    const char *at = data;
    while (length > 0) {
        ssize_t put = pwrite(fd, at, length, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno(err, "write %s at %llu", path, (unsigned long long)offset);
        at += put;
        offset += (uint64_t)put;
        length -= (size_t)put;
    }
    return 0;
}

static int make_directory(const char *path, mode_t mode, struct firn_error **err)
{
    if (mkdir(path, mode) == 0)
        return 0;
    int number = errno;
    struct stat there;
    if (stat(path, &there) == 0 && S_ISDIR(there.st_mode))
        return 0;
    errno = number;
    return fail_errno(err, "make directory %s", path);
}

int file_make_directories(const char *path, mode_t mode, struct firn_error **err)
{
    auto_free char *partial = mem_strdup(path);
    for (char *slash = strchr(partial + (*partial == '/'), '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (make_directory(partial, mode, err) < 0)
            return -1;
        *slash = '/';
    }
    return make_directory(partial, mode, err);
}

char *file_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    const char *separator = length > 0 && directory[length - 1] != '/' ? "/" : "";
    return mem_printf("%s%s%s", directory, separator, name);
}

char *file_cache_directory(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    if (cache != NULL && cache[0] == '/')
        return file_join(cache, "firn");
    const char *home = getenv("HOME");
    if (home != NULL && home[0] == '/')
        return file_join(home, ".cache/firn");
    return NULL;
}
