/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include "core/mem.h"
#include "parallel.h"

struct volumes {
    struct connection *connection;
    struct disks *disks;
    const struct nbd_target *targets;
    struct firn_sink *sink;
};

static int fill_object(struct volumes *volumes, struct disk *disk, struct nbd_transfer *transfer,
                       struct firn_object *object, const char *bitmap, struct firn_error **err)
{
    if (disk->incremental && volumes->sink->object_parent(object) < 0)
        return -1;
    if (nbd_capture(transfer, volumes->sink, object, bitmap, err) < 0)
        return -1;
    disk->bytes_read = transfer->bytes;
    return 0;
}

static int capture_disk(struct volumes *volumes, struct disk *disk, const struct nbd_target *target,
                        const atomic_bool *stop, struct firn_error **err)
{
    auto_nbd struct nbd_handle *nbd = NULL;
    struct firn_object *object = NULL;
    if (nbd_open(target, &nbd, err) < 0)
        return -1;
    int64_t size = nbd_get_size(nbd);
    if (size < 0 || (disk->incremental && (uint64_t)size != disk->size))
        return fail(err, FIRN_RETRY, "its size is %lld bytes, not %llu as libvirt said before",
                    (long long)size, (unsigned long long)disk->size);
    disk->size = (uint64_t)size;
    struct firn_object_info info = {
        .size = sizeof(info),
        .kind = FIRN_OBJECT_VOLUME,
        .name = disk->target,
        .media_type = DISK_MEDIA_TYPE,
        .length = disk->size,
    };
    if (volumes->sink->object_begin(volumes->sink, &info, &object) < 0)
        return -1;
    struct nbd_transfer transfer = {
        .host = volumes->connection->host, .nbd = nbd, .stop = stop, .size = disk->size};
    int result = fill_object(volumes, disk, &transfer, object, target->bitmap, err);
    nbd = transfer.nbd;
    if (result < 0) {
        volumes->sink->object_abandon(object);
        return -1;
    }
    nbd_shutdown(nbd, 0);
    return volumes->sink->object_end(object);
}

static int work(void *context, size_t index, const atomic_bool *stop, struct firn_error **err)
{
    struct volumes *volumes = context;
    struct disk *disk = &volumes->disks->list[index];
    if (disk->skipped != NULL)
        return 0;
    if (capture_disk(volumes, disk, &volumes->targets[index], stop, err) < 0)
        return wrap(err, "disk %s", disk->target);
    return 0;
}

int volumes_capture(struct connection *connection, struct disks *disks,
                    const struct nbd_target *targets, struct firn_sink *sink,
                    struct firn_error **err)
{
    struct volumes volumes = {
        .connection = connection, .disks = disks, .targets = targets, .sink = sink};
    int64_t threads = connection->host->param_integer(connection->host, "parallel-disks");
    if (threads < 1 || threads > 64)
        return fail(err, FIRN_INVALID, "parallel-disks: from 1 to 64, not %lld",
                    (long long)threads);
    return parallel_run(disks->count, (size_t)threads, work, &volumes, err);
}
