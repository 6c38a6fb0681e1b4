/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading. A restore reads many ranges of few packs, so the files used last stay open. A read into aligned memory goes around
 * the page cache, whatever its offset:
 *
 *     file      |....|.###|####|####|#...|     offset and end lie anywhere
 *     direct     bounce^^  into data  bounce   (an unaligned offset: all of it through the bounce buffer)
 */
#include "local.h"

#include "core/error.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Shorter reads are cheaper through the page cache. */
#define DIRECT_LEAST (16u * 1024u)

/* ------------------------------------------------------------------------------------------------------- open files */

/* Refuses links and special files; O_NONBLOCK, because opening a pipe would wait. -1 with errno. */
static int open_object(const struct local *local, const char *name, bool direct)
{
    const char *leaf;
    int directory = local_parent(local, name, &leaf);
    if (directory < 0)
        return -1;
    int fd = openat(directory, leaf,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (direct ? O_DIRECT : 0));
    int number = errno;
    close(directory);
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        fd = -1;
        number = EISDIR;
    }
    if (fd >= 0 && !direct)
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* read what is asked for, not what follows */
    errno = number;
    return fd;
}

static void file_release(struct local_file *file)
{
    close(file->fd);
    free(file->name);
    *file = (struct local_file){.fd = -1};
}

static struct local_file *file_find(struct local *local, const char *name, bool direct)
{
    for (size_t i = 0; i < LOCAL_OPEN_FILES; i++) {
        struct local_file *file = &local->files[i];
        if (file->name != NULL && !file->doomed && file->direct == direct &&
            strcmp(file->name, name) == 0)
            return file;
    }
    return NULL;
}

/* A free place, or that of the file whose last use is longest ago; NULL if all are being read. */
static struct local_file *file_place(struct local *local)
{
    struct local_file *oldest = NULL;
    for (size_t i = 0; i < LOCAL_OPEN_FILES; i++) {
        struct local_file *file = &local->files[i];
        if (file->name == NULL)
            return file;
        if (file->users == 0 && (oldest == NULL || file->used < oldest->used))
            oldest = file;
    }
    if (oldest != NULL)
        file_release(oldest);
    return oldest;
}

/* Takes an open file; *own gets one that has no place and is closed after use. -1 with errno. */
static int file_take(struct local *local, const char *name, bool direct, struct local_file **out,
                     struct local_file *own)
{
    pthread_mutex_lock(&local->mutex);
    struct local_file *file = file_find(local, name, direct);
    if (file == NULL) {
        /* Opening under the mutex is short; without it two threads would open the same file. */
        int fd = open_object(local, name, direct);
        if (fd < 0) {
            int number = errno;
            pthread_mutex_unlock(&local->mutex);
            errno = number;
            return -1;
        }
        file = file_place(local);
        file = file == NULL ? own : file;
        *file = (struct local_file){.name = mem_strdup(name), .fd = fd, .direct = direct};
    }
    file->users++;
    file->used = ++local->clock;
    pthread_mutex_unlock(&local->mutex);
    *out = file;
    return 0;
}

static void file_give_back(struct local *local, struct local_file *file,
                           const struct local_file *own)
{
    pthread_mutex_lock(&local->mutex);
    if (--file->users == 0 && (file == own || file->doomed))
        file_release(file);
    pthread_mutex_unlock(&local->mutex);
}

void local_reader_forget(struct local *local, const char *name)
{
    pthread_mutex_lock(&local->mutex);
    for (size_t i = 0; i < LOCAL_OPEN_FILES; i++) {
        struct local_file *file = &local->files[i];
        if (file->name == NULL || strcmp(file->name, name) != 0)
            continue;
        if (file->users == 0)
            file_release(file);
        else
            file->doomed = true;
    }
    pthread_mutex_unlock(&local->mutex);
}

/* -------------------------------------------------------------------------------------------------- bounce buffers */

static void *bounce_take(struct local *local)
{
    void *bounce = NULL;
    pthread_mutex_lock(&local->mutex);
    if (local->bounce_count > 0)
        bounce = local->bounces[--local->bounce_count];
    pthread_mutex_unlock(&local->mutex);
    return bounce == NULL ? mem_aligned(LOCAL_BOUNCE) : bounce;
}

static void bounce_give_back(struct local *local, void *bounce)
{
    pthread_mutex_lock(&local->mutex);
    if (local->bounce_count < LOCAL_BOUNCES)
        local->bounces[local->bounce_count++] = steal(bounce);
    pthread_mutex_unlock(&local->mutex);
    free(bounce);
}

void local_reader_close(struct local *local)
{
    for (size_t i = 0; i < LOCAL_OPEN_FILES; i++) {
        if (local->files[i].name != NULL)
            file_release(&local->files[i]);
    }
    while (local->bounce_count > 0)
        free(local->bounces[--local->bounce_count]);
}

/* ---------------------------------------------------------------------------------------------------------- reading */

struct range {
    uint8_t *data;
    size_t length;
    uint64_t offset;
};

static void advance(struct range *range, size_t length)
{
    range->data += length;
    range->length -= length;
    range->offset += length;
}

/* One read through the bounce buffer, of the aligned window around the beginning of the range. Like pread(). */
static ssize_t read_window(int fd, void *bounce, struct range *range)
{
    size_t lead = range->offset % LOCAL_ALIGNMENT;
    uint64_t need = (uint64_t)lead + range->length;
    size_t window = need > LOCAL_BOUNCE
                        ? LOCAL_BOUNCE
                        : (size_t)((need + LOCAL_ALIGNMENT - 1) & ~(uint64_t)(LOCAL_ALIGNMENT - 1));
    ssize_t got = pread(fd, bounce, window, (off_t)(range->offset - lead));
    if (got < 0)
        return -1;
    if ((size_t)got <= lead)
        return 0;
    size_t useful = (size_t)got - lead < range->length ? (size_t)got - lead : range->length;
    memcpy(range->data, (uint8_t *)bounce + lead, useful);
    advance(range, useful);
    return (ssize_t)useful;
}

static ssize_t read_piece(const struct local_file *file, void *bounce, struct range *range)
{
    size_t whole = range->length;
    if (file->direct) {
        whole &= ~(size_t)(LOCAL_ALIGNMENT - 1);
        if (whole == 0 || (((uintptr_t)range->data | range->offset) & (LOCAL_ALIGNMENT - 1)) != 0)
            return read_window(file->fd, bounce, range);
    }
    ssize_t got = pread(file->fd, range->data, whole, (off_t)range->offset);
    if (got > 0)
        advance(range, (size_t)got);
    return got;
}

/* -1 with errno; errno 0: the object ends before the range does. */
static int read_range(const struct local_file *file, void *bounce, struct range *range)
{
    while (range->length > 0) {
        ssize_t got = read_piece(file, bounce, range);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? 0 : errno;
            return -1;
        }
    }
    return 0;
}

static int read_with(struct local *local, const char *name, bool direct, struct range *range)
{
    struct local_file own, *file;
    if (file_take(local, name, direct, &file, &own) < 0)
        return -1;
    void *bounce = direct ? bounce_take(local) : NULL;
    int result = read_range(file, bounce, range);
    int number = errno;
    if (bounce != NULL)
        bounce_give_back(local, bounce);
    file_give_back(local, file, &own);
    errno = number;
    return result;
}

int local_get(struct store *store, const char *name, uint64_t offset, void *data, size_t length,
              struct firn_error **err)
{
    struct local *local = (struct local *)store;
    struct range range = {.data = data, .length = length, .offset = offset};
    bool direct =
        !local->no_direct && length >= DIRECT_LEAST && (uintptr_t)data % LOCAL_ALIGNMENT == 0;
    int result = read_with(local, name, direct, &range);
    if (result < 0 && direct && errno == EINVAL) {
        local->no_direct = true; /* the file system has none */
        result = read_with(local, name, false, &range);
    }
    if (result == 0)
        return 0;
    if (errno == 0)
        return fail(err, FIRN_CORRUPT, "%s in %s ends at byte %llu, %zu bytes early", name,
                    local->base.location, (unsigned long long)range.offset, range.length);
    return local_failed(local, "read", name, err);
}
