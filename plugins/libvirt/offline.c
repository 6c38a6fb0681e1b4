/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain that is off: qemu-nbd shows each image read-only, with its dirty bitmap if that is whole. libnbd starts it and
 * hands it its end of the connection, so that it ends with the connection, and with Firn if that dies. While it has the
 * image open, QEMU's image locks keep the domain from starting on it.
 */
#include "capture.h"
#include "process.h"
#include "volumes.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

#include <string.h>

#define INFO_LIMIT ((size_t)4 << 20)

/* What qemu-nbd is called with for one disk. */
struct server {
    char *path;
    char *format_option;
    char *bitmap_option;
    const char *arguments[8];
};

static int image_info(const struct disk *disk, const char *path, struct json_object **out,
                      struct firn_error **err)
{
    const char *arguments[] = {"qemu-img", "info", "--output=json", "-f", disk->format, "--",
                               path,       NULL};
    auto_buf struct buf output = buf_new(INFO_LIMIT);
    if (process_run(arguments, &output, err) < 0 || buf_check(&output, "qemu-img info", err) < 0)
        return -1;
    return json_parse(buf_text(&output), output.length, "qemu-img info", out, err);
}

/* Whether the image has that bitmap, closed properly when QEMU ended, and holds all data of the disk itself: a bitmap says
 * nothing of what happened in the images below. */
static char *why_bitmap_unusable(struct json_object *info, const char *name)
{
    struct json_object *bitmaps = json_at(info, "format-specific.data.bitmaps");
    if (json_at(info, "backing-filename") != NULL)
        return mem_strdup("it is an overlay over another image");
    for (size_t i = 0; bitmaps != NULL && i < json_object_array_length(bitmaps); i++) {
        struct json_object *bitmap = json_object_array_get_idx(bitmaps, i);
        if (strcmp(json_string_or(bitmap, "name", ""), name) != 0)
            continue;
        struct json_object *flags = json_at(bitmap, "flags");
        for (size_t n = 0; flags != NULL && n < json_object_array_length(flags); n++) {
            const char *flag = json_object_get_string(json_object_array_get_idx(flags, n));
            if (flag != NULL && strcmp(flag, "in-use") == 0)
                return mem_printf("its bitmap of the checkpoint %s was not closed properly", name);
        }
        return NULL;
    }
    return mem_printf("its image has no bitmap of the checkpoint %s", name);
}

static void plan_disk(struct capture *capture, struct disk *disk, struct json_object *info)
{
    uint64_t before = state_disk_size(&capture->parent, disk->target);
    disk->size = (uint64_t)json_int_or(info, "virtual-size", 0);
    if (capture->parent.checkpoint == NULL)
        return;
    if (!disk_tracks_changes(disk))
        disk->full_reason = mem_printf("changes are not tracked in the format %s", disk->format);
    else if (before != disk->size)
        disk->full_reason = mem_strdup("its size is not that of the parent snapshot");
    else
        disk->full_reason = why_bitmap_unusable(info, capture->parent.checkpoint);
    disk->incremental = disk->full_reason == NULL;
}

static void prepare_server(const struct capture *capture, const struct disk *disk,
                           struct server *server)
{
    size_t count = 0;
    server->format_option = mem_printf("--format=%s", disk->format);
    server->arguments[count++] = "qemu-nbd";
    server->arguments[count++] = "--read-only";
    server->arguments[count++] = server->format_option;
    if (disk->incremental) {
        server->bitmap_option = mem_printf("--bitmap=%s", capture->parent.checkpoint);
        server->arguments[count++] = server->bitmap_option;
    }
    server->arguments[count++] = "--";
    server->arguments[count++] = server->path;
    server->arguments[count] = NULL;
}

/* Finds the image of a disk, looks at it and decides how it is read. */
static int prepare_disk(struct capture *capture, struct disk *disk, struct server *server,
                        struct nbd_target *target, struct firn_error **err)
{
    auto_json struct json_object *info = NULL;
    server->path = disk_path(capture->connection, disk);
    if (server->path == NULL) {
        disk->skipped = mem_printf("of type %s, which can be read only while the domain runs",
                                   disk->type == NULL ? "unknown" : disk->type);
        return 0;
    }
    if (disk->format == NULL)
        disk->format = mem_strdup("raw");
    if (image_info(disk, server->path, &info, err) < 0)
        return wrap(err, "disk %s", disk->target);
    plan_disk(capture, disk, info);
    prepare_server(capture, disk, server);
    *target = (struct nbd_target){
        .server = server->arguments,
        .export_name = "",
        .bitmap = disk->incremental ? capture->parent.checkpoint : NULL,
    };
    return 0;
}

static int judge(struct capture *capture, struct firn_error **err)
{
    const char *unclean = domain_why_unclean(&capture->domain);
    capture->point_in_time = clock_now();
    capture->consistency = unclean == NULL ? FIRN_FILESYSTEM_CONSISTENT : FIRN_CRASH_CONSISTENT;
    capture->consistency_reason = mem_strdup(unclean);
    if (unclean != NULL && capture->request->consistency == FIRN_CONSISTENCY_REQUIRED)
        return fail(err, FIRN_RETRY, "%s: not consistent, as --consistency=required asks: %s",
                    virDomainGetName(capture->domain.vir), unclean);
    return 0;
}

/* The locks of images do not cover block devices: better to fail than to keep a mixture of before and after. */
static int check_still_off(struct capture *capture, struct firn_error **err)
{
    if (virDomainIsActive(capture->domain.vir) == 0)
        return 0;
    return fail(err, FIRN_RETRY, "%s was started while its disks were read; try again",
                virDomainGetName(capture->domain.vir));
}

static int capture_disks(struct capture *capture, struct server *servers,
                         struct nbd_target *targets, struct firn_error **err)
{
    for (size_t i = 0; i < capture->disks.count; i++) {
        struct disk *disk = &capture->disks.list[i];
        if (disk->skipped == NULL && prepare_disk(capture, disk, &servers[i], &targets[i], err) < 0)
            return -1;
    }
    plan_summarise(capture);
    connection_step(capture->connection, "reading the disks");
    if (volumes_capture(capture->connection, &capture->disks, targets, capture->sink, err) < 0)
        return -1;
    return check_still_off(capture, err);
}

int offline_capture(struct capture *capture, struct firn_error **err)
{
    if (connection_require_local(capture->connection, "back up a domain that is off", err) < 0 ||
        judge(capture, err) < 0)
        return -1;
    auto_free struct server *servers = mem_array(capture->disks.count, sizeof(*servers));
    auto_free struct nbd_target *targets = mem_array(capture->disks.count, sizeof(*targets));
    int result = capture_disks(capture, servers, targets, err);
    for (size_t i = 0; i < capture->disks.count; i++) {
        free(servers[i].path);
        free(servers[i].format_option);
        free(servers[i].bitmap_option);
    }
    return result;
}
