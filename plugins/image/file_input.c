/* SPDX-License-Identifier: Apache-2.0 */
/* Raw files and block devices, read by two threads so that one waits for the disk while the other hands over. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READERS          2u
#define DIRECT_ALIGNMENT 4096u

struct file_input {
    struct input input;
    int fd;
    _Atomic bool direct;
    char *path;
    struct stat before;
    uint64_t data_begin, data_end; /* data, as status() found */
};

static struct file_input *of(struct input *input)
{
    return (struct file_input *)input;
}

/* ------------------------------------------------------------------------------------------------ holes */

static int fail_short(const struct file_input *file, uint64_t end)
{
    return image_fail(file->input.image, FIRN_RETRY,
                      "%s: it ends at offset %llu, though it had %llu bytes", file->path,
                      (unsigned long long)end, (unsigned long long)file->input.size);
}

/* What was cut off must not pass for a hole. */
static int check_length(const struct file_input *file)
{
    struct stat now;
    if (fstat(file->fd, &now) < 0)
        return image_fail_errno(file->input.image, "%s", file->path);
    return (uint64_t)now.st_size < file->input.size ? fail_short(file, (uint64_t)now.st_size) : 0;
}

/* Devices, and file systems that know no holes, answer EINVAL: then everything is data. ENXIO: a hole up to the end. Where
 * data ends is kept: to tell it the file system walks all extents up to there. */
static int status(struct input *input, uint64_t offset, uint64_t end, enum piece_kind *kind,
                  uint64_t *length)
{
    struct file_input *file = of(input);
    *kind = PIECE_DATA;
    *length = end - offset;
    if (file->data_begin <= offset && offset < file->data_end) {
        *length = (file->data_end < end ? file->data_end : end) - offset;
        return 0;
    }
    off_t data =
        S_ISREG(file->before.st_mode) ? lseek(file->fd, (off_t)offset, SEEK_DATA) : (off_t)offset;
    if (data < 0 && errno == ENXIO) {
        *kind = PIECE_ZERO;
        return check_length(file);
    }
    if (data > (off_t)offset) {
        *kind = PIECE_ZERO;
        if ((uint64_t)data < end)
            *length = (uint64_t)data - offset;
        return 0;
    }
    off_t hole =
        data < 0 || !S_ISREG(file->before.st_mode) ? -1 : lseek(file->fd, (off_t)offset, SEEK_HOLE);
    if (hole > (off_t)offset) {
        file->data_begin = offset;
        file->data_end = (uint64_t)hole;
        *length = (file->data_end < end ? file->data_end : end) - offset;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

static bool leave_direct(struct file_input *file)
{
    if (!file->direct)
        return false;
    file->direct = false;
    int flags = fcntl(file->fd, F_GETFL);
    return flags >= 0 && fcntl(file->fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

/* A direct read must ask for whole sectors; at the end of a file it comes back shorter. The room is there: buffers are whole
 * blocks. */
static int read_piece(struct file_input *file, const struct piece *piece, char *buffer)
{
    uint64_t done = 0;
    while (done < piece->length) {
        size_t wanted = (size_t)(piece->length - done);
        if (file->direct)
            wanted = (wanted + DIRECT_ALIGNMENT - 1) / DIRECT_ALIGNMENT * DIRECT_ALIGNMENT;
        ssize_t got = pread(file->fd, buffer + done, wanted, (off_t)(piece->offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EINVAL && leave_direct(file))
            continue;
        if (got < 0)
            return image_fail_errno(file->input.image, "%s: reading at offset %llu", file->path,
                                    (unsigned long long)(piece->offset + done));
        if (got == 0)
            return fail_short(file, piece->offset + done);
        done += (uint64_t)got;
        if (done < piece->length && done % DIRECT_ALIGNMENT != 0)
            leave_direct(file);
    }
    return 0;
}

struct reader {
    struct file_input *file;
    struct transfer *transfer;
    int result;
};

static int read_one(struct reader *reader, const struct piece *piece)
{
    struct firn_sink *sink = reader->transfer->sink;
    void *buffer;
    size_t capacity;
    if (sink->buffer_get(sink, &buffer, &capacity) < 0)
        return -1;
    if (capacity < piece->length) {
        sink->buffer_put(sink, buffer);
        return image_fail(reader->file->input.image, FIRN_INTERNAL,
                          "a buffer of %zu bytes is too small", capacity);
    }
    if (read_piece(reader->file, piece, buffer) < 0) {
        sink->buffer_put(sink, buffer);
        return -1;
    }
    return transfer_take(reader->transfer, piece, buffer);
}

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    struct piece piece;
    int more;
    while ((more = transfer_next(reader->transfer, &piece)) == 1)
        if (read_one(reader, &piece) < 0) {
            more = -1;
            break;
        }
    if (more < 0)
        transfer_give_up(reader->transfer);
    reader->result = more;
    return NULL;
}

static int transfer(struct input *input, struct transfer *transfer)
{
    struct reader readers[READERS];
    pthread_t threads[READERS];
    size_t started = 0;
    int result = 0;
    for (size_t i = 0; i < READERS; i++)
        readers[i] = (struct reader){of(input), transfer, 0};
    while (started + 1 < READERS &&
           pthread_create(&threads[started], NULL, read_all, &readers[started]) == 0)
        started++;
    read_all(&readers[READERS - 1]);
    result = readers[READERS - 1].result;
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        result = readers[i].result < 0 ? -1 : result;
    }
    return result;
}

/* ------------------------------------------------------------------------------------------------ at rest? */

static const char *disturbed(struct input *input)
{
    const struct stat *before = &of(input)->before;
    struct stat now;
    if (!S_ISREG(before->st_mode))
        return NULL;
    if (fstat(of(input)->fd, &now) < 0 || now.st_size != before->st_size ||
        now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != before->st_mtim.tv_nsec ||
        now.st_ctim.tv_sec != before->st_ctim.tv_sec ||
        now.st_ctim.tv_nsec != before->st_ctim.tv_nsec)
        return "the file changed while it was read: it shows no single moment";
    return NULL;
}

/* Fields of a line of mountinfo: id, parent, major:minor, root, place, options … */
static bool is_mounted_writable(dev_t device)
{
    unsigned major_number, minor_number;
    char options[256], *line = NULL;
    size_t room = 0;
    bool found = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts != NULL && !found && getline(&line, &room, mounts) > 0)
        found = sscanf(line, "%*u %*u %u:%u %*s %*s %255s", &major_number, &minor_number,
                       options) == 3 &&
                makedev(major_number, minor_number) == device && strncmp(options, "rw", 2) == 0;
    free(line);
    if (mounts != NULL)
        fclose(mounts);
    return found;
}

/* ------------------------------------------------------------------------------------------------ opening */

static const struct {
    const char *name;
    size_t offset;
    const char *magic;
    size_t length;
} formats[] = {
    {"qcow2", 0, "QFI\xfb", 4},
    {"VMDK", 0, "KDMV", 4},
    {"VHDX", 0, "vhdxfile", 8},
    {"VHD", 0, "conectix", 8},
    {"VDI", 64, "\x7f\x10\xda\xbe", 4},
    {"QED", 0, "QED\0", 4},
    {"Parallels", 0, "WithoutFreeSpace", 16},
};

/* A guest may write such a magic into its own raw disk; who knows that says so with format=raw. */
static int check_format(struct file_input *file)
{
    char head[128] = {0};
    const char *format = image_param(file->input.image, "format");
    if (format != NULL && strcmp(format, "raw") == 0)
        return 0;
    if (format != NULL && strcmp(format, "auto") != 0)
        return image_fail(file->input.image, FIRN_INVALID, "format \"%s\": expected auto or raw",
                          format);
    if (pread(file->fd, head, sizeof(head), 0) < 0)
        return image_fail_errno(file->input.image, "%s", file->path);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (memcmp(head + formats[i].offset, formats[i].magic, formats[i].length) == 0)
            return image_fail(
                file->input.image, FIRN_INVALID,
                "%s: it looks like %s, not raw: serve it with qemu-nbd and give its NBD "
                "URI, or set "
                "image.format=raw to take the file as it is",
                file->path, formats[i].name);
    return 0;
}

static int find_size(struct file_input *file)
{
    if (fstat(file->fd, &file->before) < 0)
        return image_fail_errno(file->input.image, "%s", file->path);
    if (S_ISREG(file->before.st_mode)) {
        file->input.size = (uint64_t)file->before.st_size;
        file->input.what = "raw file";
        return 0;
    }
    if (!S_ISBLK(file->before.st_mode))
        return image_fail(file->input.image, FIRN_INVALID, "%s: neither a file nor a block device",
                          file->path);
    if (ioctl(file->fd, BLKGETSIZE64, &file->input.size) < 0)
        return image_fail_errno(file->input.image, "%s: size", file->path);
    file->input.what = "block device";
    if (is_mounted_writable(file->before.st_rdev))
        file->input.warning = "a file system on the device is mounted writable";
    return 0;
}

static void close_file(struct input *input)
{
    if (of(input)->fd >= 0)
        close(of(input)->fd);
    free(of(input)->path);
    free(input);
}

static const struct input_operations operations = {status, transfer, disturbed, close_file};

/* The head is read before direct I/O is switched on: it needs no aligned memory. */
static int prepare(struct file_input *file)
{
    if (find_size(file) < 0 || check_format(file) < 0)
        return -1;
    int flags = fcntl(file->fd, F_GETFL);
    file->direct = image_param_true(file->input.image, "direct") && flags >= 0 &&
                   fcntl(file->fd, F_SETFL, flags | O_DIRECT) == 0;
    return 0;
}

int input_open_file(struct image *image, const char *path, struct input **out)
{
    struct file_input *file = calloc(1, sizeof(*file));
    if (file == NULL)
        abort();
    file->input.operations = &operations;
    file->input.image = image;
    file->path = image_printf("%s", path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 ? image_fail_errno(image, "%s", path) < 0 : prepare(file) < 0) {
        close_file(&file->input);
        return -1;
    }
    *out = &file->input;
    return 0;
}
