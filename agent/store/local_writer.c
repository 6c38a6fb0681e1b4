/* SPDX-License-Identifier: Apache-2.0 */
#include "local.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAR_AHEAD   INT64_C(8000000000) /* the year 2223; a file system may cut it to 2038 */
#define KEEP_CACHED (1024u * 1024u)     /* what is larger does not stay in the page cache */

struct local_writer {
    struct store_writer base;
    struct local *local;
    char *name;
    const char *leaf; /* last part of name */
    int directory;    /* where the object gets its name */
    int fd;
    uint64_t length;
    bool direct;     /* O_DIRECT is on */
    int temporary;   /* the directory .tmp, or -1: the file has no name */
    char random[33]; /* its name there */
};

static void writer_free(struct local_writer *writer)
{
    if (writer->temporary >= 0) {
        unlinkat(writer->temporary, writer->random, 0);
        close(writer->temporary);
    }
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->directory >= 0)
        close(writer->directory);
    free(writer->name);
    free(writer);
}

static void writer_abort(struct store_writer *base)
{
    writer_free((struct local_writer *)base);
}

/* ---------------------------------------------------------------------------------------------------------- opening */

/* A locked file in .tmp. A sweep may have taken it between its creation and its lock: then it has no name, and another is
 * made. */
static int open_named(struct local_writer *writer)
{
    uint8_t random[16];
    struct stat status;
    do {
        if (writer->fd >= 0)
            close(writer->fd);
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
            return -1;
        hex_encode(random, sizeof(random), writer->random);
        writer->fd = openat(writer->temporary, writer->random,
                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (writer->fd < 0 || flock(writer->fd, LOCK_EX) < 0 || fstat(writer->fd, &status) < 0)
            return -1;
    } while (status.st_nlink == 0);
    return 0;
}

static int open_file(struct local_writer *writer)
{
    const char *leaf;
    writer->fd = openat(writer->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, LOCAL_FILE_MODE);
    if (writer->fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -1;
    writer->temporary = local_parent_make(writer->local, LOCAL_TEMPORARY "/", &leaf);
    return writer->temporary < 0 ? -1 : open_named(writer);
}

static int writer_new(struct local *local, const char *name, struct local_writer **out,
                      struct firn_error **err)
{
    struct local_writer *writer = mem_zalloc(sizeof(*writer));
    writer->local = local;
    writer->name = mem_strdup(name);
    writer->fd = -1;
    writer->temporary = -1;
    writer->directory = local_parent_make(local, writer->name, &writer->leaf);
    if (writer->directory < 0 || open_file(writer) < 0) {
        local_failed(local, "write", name, err);
        writer_free(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- writing */

static bool aligned(const struct local_writer *writer, const void *data, size_t length)
{
    return (((uintptr_t)data | writer->length | length) & (LOCAL_ALIGNMENT - 1)) == 0;
}

/* Direct I/O is a flag of the open file, so that it can be tried at the first piece that suits it, and be left at the tail. */
static void set_direct(struct local_writer *writer, int on)
{
    int flags = fcntl(writer->fd, F_GETFL);
    if (flags >= 0 && fcntl(writer->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0)
        writer->direct = on;
    else
        writer->local->no_direct = true;
}

static int write_all(struct local_writer *writer, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t put = pwrite(writer->fd, data, length, (off_t)writer->length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EINVAL && writer->direct) { /* wants a larger alignment than ours */
            writer->local->no_direct = true;
            set_direct(writer, 0);
            continue;
        }
        if (put < 0)
            return -1;
        data += put;
        length -= (size_t)put;
        writer->length += (size_t)put;
        if (writer->direct && !aligned(writer, data, length))
            set_direct(writer, 0);
    }
    return 0;
}

static int writer_write(struct store_writer *base, const void *data, size_t length,
                        struct firn_error **err)
{
    struct local_writer *writer = (struct local_writer *)base;
    bool direct = !writer->local->no_direct && length > 0 && aligned(writer, data, length);
    if (direct != writer->direct)
        set_direct(writer, direct);
    if (write_all(writer, data, length) < 0)
        return local_failed(writer->local, "write", writer->name, err);
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- finishing */

static int link_unnamed(const struct local_writer *writer)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", writer->fd);
    if (linkat(AT_FDCWD, path, writer->directory, writer->leaf, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    /* Without /proc; needs a right that only root has. */
    if (errno == ENOENT)
        return linkat(writer->fd, "", writer->directory, writer->leaf, AT_EMPTY_PATH);
    return -1;
}

/* Gives the file in .tmp its final name; a file system without hard links renames it. Neither replaces. */
static int link_named(struct local_writer *writer)
{
    if (linkat(writer->temporary, writer->random, writer->directory, writer->leaf, 0) == 0) {
        unlinkat(writer->temporary, writer->random, 0);
    } else if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return -1;
    } else if (renameat2(writer->temporary, writer->random, writer->directory, writer->leaf,
                         RENAME_NOREPLACE) < 0) {
        return -1;
    }
    close(writer->temporary);
    writer->temporary = -1;
    fchmod(writer->fd,
           LOCAL_FILE_MODE); /* the mode protects from accidents only: nothing depends on it */
    return 0;
}

static int finish(struct local_writer *writer, struct firn_error **err)
{
    if (fsync(writer->fd) < 0)
        return local_failed(writer->local, "write", writer->name, err);
    int linked = writer->temporary >= 0 ? link_named(writer) : link_unnamed(writer);
    if (linked < 0 && errno == EEXIST)
        return fail(err, FIRN_CONFLICT, "%s is already in %s", writer->name,
                    writer->local->base.location);
    if (linked < 0 || fsync(writer->directory) < 0)
        return local_failed(writer->local, "write", writer->name, err);
    if (writer->length > KEEP_CACHED)
        posix_fadvise(writer->fd, 0, 0, POSIX_FADV_DONTNEED);
    return 0;
}

static int writer_finish(struct store_writer *base, struct firn_error **err)
{
    struct local_writer *writer = (struct local_writer *)base;
    int result = finish(writer, err);
    writer_free(writer);
    return result;
}

int local_writer_open(struct store *store, const char *name, struct store_writer **out,
                      struct firn_error **err)
{
    struct local_writer *writer = NULL;
    if (writer_new((struct local *)store, name, &writer, err) < 0)
        return -1;
    writer->base = (struct store_writer){writer_write, writer_finish, writer_abort};
    *out = &writer->base;
    return 0;
}

int local_put(struct store *store, const char *name, const void *data, size_t length,
              struct firn_error **err)
{
    struct local_writer *writer = NULL;
    if (writer_new((struct local *)store, name, &writer, err) < 0)
        return -1;
    static const struct timespec ahead[2] = {{.tv_sec = FAR_AHEAD}, {.tv_sec = FAR_AHEAD}};
    int result = 0;
    if (write_all(writer, data, length) < 0 || futimens(writer->fd, ahead) < 0)
        result = local_failed(writer->local, "write", name, err);
    if (result == 0)
        result = finish(writer, err);
    if (result == 0 && futimens(writer->fd, NULL) < 0)
        result = local_failed(writer->local, "write", name, err);
    writer_free(writer);
    return result;
}

int local_now(struct store *store, int64_t *now, struct firn_error **err)
{
    struct local_writer *writer = NULL;
    struct stat status;
    if (writer_new((struct local *)store, "now", &writer, err) < 0)
        return wrap(err, "ask the file system for its time");
    int result = 0;
    if (futimens(writer->fd, NULL) < 0 || fstat(writer->fd, &status) < 0)
        result = local_failed(writer->local, "ask for the time through", "now", err);
    else
        *now = local_modified(&status);
    writer_free(writer);
    return result;
}

/* --------------------------------------------------------------------------------------------------------- sweeping */

/* A file whose lock is free has lost its writer. */
static void sweep_file(int directory, const char *name)
{
    auto_close int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(directory, name, 0);
}

void local_writer_sweep(const struct local *local)
{
    const char *leaf;
    int directory = local_parent(local, LOCAL_TEMPORARY "/", &leaf);
    DIR *stream = directory < 0 ? NULL : fdopendir(directory);
    if (stream == NULL) {
        if (directory >= 0)
            close(directory);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        if (strlen(entry->d_name) == sizeof(((struct local_writer *)0)->random) - 1)
            sweep_file(dirfd(stream), entry->d_name);
    }
    closedir(stream);
}
