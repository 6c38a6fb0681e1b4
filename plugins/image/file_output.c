/* SPDX-License-Identifier: Apache-2.0 */
/* Files and block devices. Aligned data goes around the page cache through a second descriptor: buffered writes are the most
 * expensive part of a restore. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT 4096u
#define ZEROS     (1024u * 1024u)

struct file_output {
    struct output output;
    char *path;
    int fd;
    int direct; /* -1: not possible */
    bool device;
};

static struct file_output *of(struct output *output)
{
    return (struct file_output *)output;
}

static bool aligned(const void *data, uint64_t length, uint64_t offset)
{
    return (uintptr_t)data % ALIGNMENT == 0 && length % ALIGNMENT == 0 && offset % ALIGNMENT == 0;
}

static int write_all(struct output *output, const void *data, uint64_t length, uint64_t offset)
{
    struct file_output *file = of(output);
    const char *from = data;
    int fd = file->direct >= 0 && aligned(data, length, offset) ? file->direct : file->fd;
    while (length > 0) {
        ssize_t done = pwrite(fd, from, (size_t)length, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EINVAL && fd != file->fd) {
            fd = file->fd;
            continue;
        }
        if (done < 0)
            return image_fail_errno(output->image, "%s: writing at offset %llu", file->path,
                                    (unsigned long long)offset);
        from += done;
        offset += (uint64_t)done;
        length -= (uint64_t)done;
        if (!aligned(from, length, offset))
            fd = file->fd;
    }
    return 0;
}

static int write_zeros(struct output *output, uint64_t length, uint64_t offset)
{
    static const char zeros[ZEROS] __attribute__((aligned(ALIGNMENT)));
    while (length > 0) {
        uint64_t part = length < ZEROS ? length : ZEROS;
        if (write_all(output, zeros, part, offset) < 0)
            return -1;
        offset += part;
        length -= part;
    }
    return 0;
}

static int zero(struct output *output, uint64_t length, uint64_t offset)
{
    struct file_output *file = of(output);
    uint64_t range[2] = {offset, length};
    if (output->clean)
        return 0;
    if (file->device && offset % 512 == 0 && length % 512 == 0 &&
        ioctl(file->fd, BLKZEROOUT, range) == 0)
        return 0;
    if (!file->device && fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   (off_t)offset, (off_t)length) == 0)
        return 0;
    return write_zeros(output, length, offset);
}

static int sync_file(struct output *output)
{
    if (fsync(of(output)->fd) < 0)
        return image_fail_errno(output->image, "%s: making it durable", of(output)->path);
    return 0;
}

static void close_file(struct output *output)
{
    struct file_output *file = of(output);
    if (file->fd >= 0)
        close(file->fd);
    if (file->direct >= 0)
        close(file->direct);
    free(file->path);
    free(file);
}

static const struct output_operations operations = {write_all, zero, sync_file, close_file};

static int prepare_device(struct file_output *file, uint64_t size)
{
    uint64_t room;
    if (ioctl(file->fd, BLKGETSIZE64, &room) < 0)
        return image_fail_errno(file->output.image, "%s: size", file->path);
    if (room < size)
        return image_fail(file->output.image, FIRN_INVALID,
                          "%s: it has %llu bytes, too few for the image's %llu", file->path,
                          (unsigned long long)room, (unsigned long long)size);
    file->device = true;
    return 0;
}

/* An empty file is clean; one that has something is cut or grown, and its zeros must be made. */
static int prepare(struct file_output *file, uint64_t size)
{
    struct stat stat;
    if (fstat(file->fd, &stat) < 0)
        return image_fail_errno(file->output.image, "%s", file->path);
    if (S_ISBLK(stat.st_mode))
        return prepare_device(file, size);
    if (!S_ISREG(stat.st_mode))
        return image_fail(file->output.image, FIRN_INVALID, "%s: neither a file nor a block device",
                          file->path);
    file->output.clean = stat.st_size == 0;
    if (ftruncate(file->fd, (off_t)size) < 0)
        return image_fail_errno(file->output.image, "%s: setting its size to %llu", file->path,
                                (unsigned long long)size);
    return 0;
}

/* O_EXCL on a block device, without O_CREAT: fails if it is mounted. */
static int open_target(struct file_output *file)
{
    struct stat found;
    bool device = stat(file->path, &found) == 0 && S_ISBLK(found.st_mode);
    file->fd = open(file->path, O_RDWR | O_CLOEXEC | (device ? O_EXCL : O_CREAT), 0666);
    if (file->fd < 0 && errno == EBUSY)
        return image_fail(file->output.image, FIRN_CONFLICT,
                          "%s: it is in use (mounted, or part of something)", file->path);
    return file->fd < 0 ? image_fail_errno(file->output.image, "%s", file->path) : 0;
}

int output_open_file(struct image *image, const char *path, uint64_t size, struct output **out)
{
    struct file_output *file = calloc(1, sizeof(*file));
    if (file == NULL)
        abort();
    file->output = (struct output){.operations = &operations, .image = image};
    file->path = image_printf("%s", path);
    file->direct = -1;
    file->fd = -1;
    if (open_target(file) < 0 || prepare(file, size) < 0) {
        close_file(&file->output);
        return -1;
    }
    if (image_param_true(image, "direct"))
        file->direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    *out = &file->output;
    return 0;
}

void output_close(struct output *output)
{
    if (output != NULL)
        output->operations->close(output);
}
