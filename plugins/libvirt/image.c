/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include "extents.h"
#include "nbd.h"
#include "parallel.h"
#include "process.h"

#include "core/file.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void images_release(struct images *images)
{
    for (size_t i = 0; i < images->count; i++) {
        struct image *image = &images->list[i];
        free(image->target);
        free(image->format);
        free(image->path);
        free(image->part);
    }
    free(images->list);
    *images = (struct images){.count = 0};
}

int image_adopt_owner(const char *path, struct firn_error **err)
{
    struct stat folder;
    auto_free char *parent = mem_strdup(path);
    char *slash = strrchr(parent, '/');
    if (geteuid() != 0 || slash == NULL || slash == parent)
        return 0;
    *slash = '\0';
    if (stat(parent, &folder) < 0)
        return fail_errno(err, "look at %s", parent);
    if (folder.st_uid != 0 && lchown(path, folder.st_uid, folder.st_gid) < 0)
        return fail_errno(err, "give %s to the owner of its folder", path);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ raw */

struct raw_file {
    int fd;
    const char *path;
};

static int write_raw_data(void *context, uint64_t offset, const void *data, uint64_t length,
                          struct firn_error **err)
{
    const struct raw_file *file = context;
    return file_pwrite(file->fd, data, length, offset, file->path, err);
}

static int write_raw(const struct nbd_transfer *transfer, const struct image *image,
                     struct firn_source *source, struct firn_reader *reader,
                     struct firn_error **err)
{
    auto_close int fd =
        open(image->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "create %s", image->part);
    if (ftruncate(fd, (off_t)image->size) < 0)
        return fail_errno(err, "size %s", image->part);
    struct raw_file file = {.fd = fd, .path = image->part};
    struct extents extents = {.host = transfer->host,
                              .stop = transfer->stop,
                              .size = transfer->size,
                              .write = write_raw_data,
                              .context = &file};
    if (extents_write(&extents, source, reader, err) < 0)
        return -1;
    if (fsync(fd) < 0)
        return fail_errno(err, "make %s durable", image->part);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ qcow2 */

static int create_qcow2(const struct image *image, struct firn_error **err)
{
    /* Made here first, so that it is nobody else's to read, not even for a moment. */
    auto_close int fd =
        open(image->part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, "create %s", image->part);
    auto_free char *size = mem_printf("%llu", (unsigned long long)image->size);
    const char *arguments[] = {"qemu-img", "create",    "-q", "-f", "qcow2",
                               "--",       image->part, size, NULL};
    return process_run(arguments, NULL, err);
}

static int write_qcow2(struct nbd_transfer *transfer, const struct image *image,
                       struct firn_source *source, struct firn_reader *reader,
                       struct firn_error **err)
{
    const char *server[] = {
        "qemu-nbd", "--format=qcow2", "--cache=writeback", "--discard=unmap", "--", image->part,
        NULL};
    struct nbd_target target = {.server = server, .export_name = ""};
    auto_nbd struct nbd_handle *nbd = NULL;
    if (create_qcow2(image, err) < 0 || nbd_open(&target, &nbd, err) < 0)
        return -1;
    transfer->nbd = nbd;
    int result = nbd_restore(transfer, source, reader, err);
    nbd = transfer->nbd;
    if (result == 0 && nbd_shutdown(nbd, 0) < 0)
        return fail(err, FIRN_INTERNAL, "qemu-nbd does not end its connection properly");
    return result;
}

/* ------------------------------------------------------------------------------------------------ all images */

struct job {
    struct connection *connection;
    struct images *images;
    struct firn_source *source;
};

static int write_image(struct job *job, struct image *image, const atomic_bool *stop,
                       struct firn_error **err)
{
    struct firn_reader *reader = NULL;
    struct nbd_transfer transfer = {
        .host = job->connection->host, .stop = stop, .size = image->size};
    if (job->source->open(job->source, image->target, 0, &reader) < 0)
        return -1;
    int result = strcmp(image->format, "raw") == 0
                     ? write_raw(&transfer, image, job->source, reader, err)
                     : write_qcow2(&transfer, image, job->source, reader, err);
    job->source->close(reader);
    return result < 0 ? -1 : image_adopt_owner(image->part, err);
}

static int work(void *context, size_t index, const atomic_bool *stop, struct firn_error **err)
{
    struct job *job = context;
    struct image *image = &job->images->list[index];
    if (write_image(job, image, stop, err) < 0)
        return wrap(err, "disk %s", image->target);
    return 0;
}

int images_write(struct connection *connection, struct images *images, struct firn_source *source,
                 struct firn_error **err)
{
    struct job job = {.connection = connection, .images = images, .source = source};
    int64_t threads = connection->host->param_integer(connection->host, "parallel-disks");
    for (size_t i = 0; i < images->count; i++)
        connection->host->progress(connection->host, images->list[i].size, 0);
    return parallel_run(images->count, threads < 1 ? 1 : (size_t)threads, work, &job, err);
}

int image_move(const char *from, const char *to, bool overwrite, struct firn_error **err)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, overwrite ? 0 : RENAME_NOREPLACE) < 0)
        return fail_errno(err, "move %s to %s", from, to);
    return file_sync_parent(to, err);
}

int images_place(struct images *images, bool overwrite, struct firn_error **err)
{
    for (size_t i = 0; i < images->count; i++) {
        struct image *image = &images->list[i];
        if (image_move(image->part, image->path, overwrite, err) < 0)
            return -1;
        image->placed = true;
    }
    return 0;
}

void images_remove(const struct images *images)
{
    for (size_t i = 0; i < images->count; i++)
        unlink(images->list[i].placed ? images->list[i].path : images->list[i].part);
}
