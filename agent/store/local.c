/* SPDX-License-Identifier: Apache-2.0 */
#include "local.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ----------------------------------------------------------------------------------------------------------- errors */

static bool vanished(const struct local *local)
{
    struct stat status;
    return fstat(local->root, &status) < 0 || status.st_nlink == 0;
}

static int disk_full(const struct local *local, struct firn_error **err)
{
    struct statvfs status;
    char free_text[SIZE_TEXT_LENGTH] = "unknown";
    if (fstatvfs(local->root, &status) == 0)
        size_format((uint64_t)status.f_bavail * status.f_frsize, free_text);
    return fail(err, FIRN_INTERNAL, "no space left on %s (free: %s)", local->base.location,
                free_text);
}

int local_failed(const struct local *local, const char *what, const char *name,
                 struct firn_error **err)
{
    int number = errno;
    if (number == ENOSPC || number == EDQUOT)
        return disk_full(local, err);
    if (number == ESTALE || vanished(local))
        return fail(err, FIRN_RETRY, "%s %s: the directory %s has vanished", what, name,
                    local->base.location);
    if (number == ENOENT)
        return fail(err, FIRN_NOTFOUND, "%s %s: there is no such object in %s", what, name,
                    local->base.location);
    if (number == ELOOP || number == ENOTDIR || number == EISDIR)
        return fail(
            err, FIRN_CORRUPT,
            "%s %s: in %s, something that is no object (a link, a special file) has its name", what,
            name, local->base.location);
    errno = number;
    return fail_errno(err, "%s %s in %s", what, name, local->base.location);
}

/* ------------------------------------------------------------------------------------------------------------ names */

static int make_directory(int parent, const char *name)
{
    if (mkdirat(parent, name, LOCAL_DIRECTORY_MODE) < 0 && errno != EEXIST)
        return -1;
    /* Also when another writer was faster: its fsync may still be to come. */
    if (fsync(parent) < 0)
        return -1;
    return openat(parent, name, OPEN_DIRECTORY);
}

/* Takes one step down; closes `parent`. */
static int descend_take(int parent, const char *name, int (*make)(int parent, const char *name))
{
    int child = openat(parent, name, OPEN_DIRECTORY);
    if (child < 0 && errno == ENOENT && make != NULL)
        child = make(parent, name);
    int number = errno;
    close(parent);
    errno = number;
    return child;
}

static int walk(const struct local *local, const char *name, const char **leaf,
                int (*make)(int parent, const char *name))
{
    int directory = fcntl(local->root, F_DUPFD_CLOEXEC, 0);
    const char *slash;
    while (directory >= 0 && (slash = strchr(name, '/')) != NULL) {
        auto_free char *part = mem_dup(name, (size_t)(slash - name));
        directory = descend_take(directory, part, make);
        name = slash + 1;
    }
    *leaf = name;
    return directory;
}

int local_parent(const struct local *local, const char *name, const char **leaf)
{
    return walk(local, name, leaf, NULL);
}

int local_parent_make(const struct local *local, const char *name, const char **leaf)
{
    return walk(local, name, leaf, make_directory);
}

/* ----------------------------------------------------------------------------------------------------------- stat, remove */

int64_t local_modified(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
}

static int local_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
                      struct firn_error **err)
{
    struct local *local = (struct local *)store;
    const char *leaf;
    auto_close int directory = local_parent(local, name, &leaf);
    struct stat status;
    if (directory < 0 || fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return local_failed(local, "look up", name, err);
    if (!S_ISREG(status.st_mode)) {
        errno = EISDIR;
        return local_failed(local, "look up", name, err);
    }
    *length = (uint64_t)status.st_size;
    *modified = local_modified(&status);
    return 0;
}

static int local_remove(struct store *store, const char *name, struct firn_error **err)
{
    struct local *local = (struct local *)store;
    const char *leaf;
    auto_close int directory = local_parent(local, name, &leaf);
    if (directory < 0 || unlinkat(directory, leaf, 0) < 0)
        return local_failed(local, "remove", name, err);
    local_reader_forget(local, name);
    if (fsync(directory) < 0)
        return local_failed(local, "remove", name, err);
    return 0;
}

/* --------------------------------------------------------------------------------------------------------------- listing */

struct listing {
    struct local *local;
    store_list_callback *each;
    void *context;
};

static int list_directory_take(const struct listing *listing, int directory, struct buf *name,
                               struct firn_error **err);

/* The entry whose name is the whole of `name`, in `directory` under `leaf`. */
static int list_entry(const struct listing *listing, int directory, const char *leaf,
                      struct buf *name, struct firn_error **err)
{
    struct stat status;
    if (fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : local_failed(listing->local, "list", buf_text(name), err);
    if (S_ISREG(status.st_mode)) {
        struct store_entry entry = {
            .name = buf_text(name),
            .length = (uint64_t)status.st_size,
            .modified = local_modified(&status),
        };
        return listing->each(listing->context, &entry, err);
    }
    if (!S_ISDIR(status.st_mode))
        return 0;
    int child = openat(directory, leaf, OPEN_DIRECTORY);
    if (child < 0)
        return errno == ENOENT ? 0 : local_failed(listing->local, "list", buf_text(name), err);
    buf_putc(name, '/');
    return list_directory_take(listing, child, name, err);
}

/* Cuts the name back to what it was: names are built in one buffer, so that the walk needs memory for one path only. */
static void cut_name(struct buf *name, size_t length)
{
    name->length = length;
    name->data[length] = '\0';
}

static int list_stream(const struct listing *listing, DIR *stream, struct buf *name,
                       struct firn_error **err)
{
    size_t length = name->length;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        buf_puts(name, entry->d_name);
        bool wanted = !name->overflowed && store_name_valid(buf_text(name));
        int result = wanted ? list_entry(listing, dirfd(stream), entry->d_name, name, err) : 0;
        name->overflowed = false;
        cut_name(name, length);
        if (result < 0)
            return -1;
    }
    return errno == 0 ? 0 : local_failed(listing->local, "list", buf_text(name), err);
}

/* Everything below `directory` (closed), whose name is in `name` with a slash behind it, or "". */
static int list_directory_take(const struct listing *listing, int directory, struct buf *name,
                               struct firn_error **err)
{
    DIR *stream = fdopendir(directory);
    if (stream == NULL) {
        close(directory);
        return local_failed(listing->local, "list", buf_text(name), err);
    }
    int result = list_stream(listing, stream, name, err);
    closedir(stream);
    return result;
}

static int local_list(struct store *store, const char *prefix, store_list_callback *each,
                      void *context, struct firn_error **err)
{
    struct local *local = (struct local *)store;
    const char *leaf;
    int directory = local_parent(local, prefix, &leaf);
    if (directory < 0 && errno == ENOENT && !vanished(local))
        return 0;
    if (directory < 0)
        return local_failed(local, "list", prefix, err);
    /* The duplicate of the root shares its position with it; opened anew, every listing begins at the beginning. */
    int own = openat(directory, ".", OPEN_DIRECTORY);
    close(directory);
    if (own < 0)
        return local_failed(local, "list", prefix, err);
    auto_buf struct buf name = buf_new(STORE_NAME_MAX + 1);
    buf_puts(&name, prefix);
    struct listing listing = {.local = local, .each = each, .context = context};
    if (list_directory_take(&listing, own, &name, err) < 0)
        return -1;
    /* A directory that was removed reads as empty, which must not pass for a store without objects. */
    if (!vanished(local))
        return 0;
    errno = ESTALE;
    return local_failed(local, "list", prefix, err);
}

/* ---------------------------------------------------------------------------------------------------------- open, create */

static void local_close(struct store *store)
{
    struct local *local = (struct local *)store;
    local_reader_close(local);
    pthread_mutex_destroy(&local->mutex);
    close(local->root);
    free(local->base.location);
    free(local);
}

static const struct store_operations local_operations = {
    .manner = {.range = 1 << 20, .writers = 1},
    .put = local_put,
    .writer_open = local_writer_open,
    .get = local_get,
    .stat = local_stat,
    .list = local_list,
    .remove = local_remove,
    .now = local_now,
    .close = local_close,
};

int local_open(const char *location, const char *path, struct store **out, struct firn_error **err)
{
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* DIR itself may be a link */
    if (root < 0 && errno == ENOTDIR)
        return fail(err, FIRN_INVALID, "%s is not a directory", location);
    if (root < 0)
        return fail_errno(err, "open the repository %s", location);
    struct local *local = mem_zalloc(sizeof(*local));
    local->base.operations = &local_operations;
    local->base.location = mem_strdup(location);
    local->root = root;
    pthread_mutex_init(&local->mutex, NULL);
    local_writer_sweep(local);
    *out = &local->base;
    return 0;
}

/* mkdir -p, durably: each directory that is made is synced into the one above it. */
static int make_root(char *path, struct firn_error **err)
{
    int made = mkdir(path, LOCAL_DIRECTORY_MODE);
    char *slash = strrchr(path, '/');
    if (made < 0 && errno == ENOENT && slash != NULL && slash != path) {
        *slash = '\0';
        int above = make_root(path, err);
        *slash = '/';
        if (above < 0)
            return -1;
        made = mkdir(path, LOCAL_DIRECTORY_MODE);
    }
    if (made < 0)
        return errno == EEXIST ? 0 : fail_errno(err, "make the directory %s", path);
    return file_sync_parent(path, err);
}

int local_create(const char *location, const char *path, struct store **out,
                 struct firn_error **err)
{
    auto_free char *trimmed = mem_strdup(path);
    for (size_t length = strlen(trimmed); length > 1 && trimmed[length - 1] == '/'; length--)
        trimmed[length - 1] = '\0';
    if (make_root(trimmed, err) < 0)
        return -1;
    return local_open(location, path, out, err);
}
