/* SPDX-License-Identifier: Apache-2.0 */
/* A restore: which objects go where. */
#include "image.h"
#include "note.h"
#include "output.h"
#include "place.h"
#include "qcow2.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1024u * 1024u)

struct item {
    struct firn_object_info info;
    struct place place; /* empty for a device or a server */
};

struct restore {
    struct image *image;
    const struct firn_restore *request;
    struct firn_source *source;
    struct item *items;
    size_t count;
    bool qcow2;
};

/* ------------------------------------------------------------------------------------------------ raw volumes */

static int save_frontier(void *context, uint64_t frontier)
{
    return note_write(context, frontier);
}

/* The disk is overwritten in place if it is there, since there may be no room for two; else it gets its name when it is
 * whole. */
static int write_raw(struct restore *restore, const struct item *item)
{
    struct image *image = restore->image;
    bool in_place = place_exists(item->place.path);
    const char *path = in_place ? item->place.path : item->place.partial;
    struct note note = {image, item->place.note, restore->source->snapshot_id, item->info.name,
                        item->info.length};
    struct volume_job job = {.image = image,
                             .source = restore->source,
                             .name = item->info.name,
                             .start = place_exists(path) ? note_read(&note) : 0,
                             .checkpoint = save_frontier,
                             .context = &note};
    if (job.start == 0 && !in_place)
        unlink(path);
    if (job.start > 0)
        image->host->log(image->host, FIRN_LOG_INFO, "%s: going on at offset %llu", path,
                         (unsigned long long)job.start);
    image->host->progress(image->host, 0, job.start);
    if (note_write(&note, job.start) < 0 ||
        output_open_file(image, path, item->info.length, &job.output) < 0)
        return -1;
    int result = volume_write(&job);
    output_close(job.output);
    if (result == 0 && !in_place)
        result = place_finish(image, &item->place, false);
    if (result == 0)
        note_remove(&note);
    else if (note_read(&note) > 0)
        image->host->log(image->host, FIRN_LOG_WARNING,
                         "%s: the same restore, started again, goes on at offset %llu",
                         item->place.path, (unsigned long long)note_read(&note));
    return result;
}

/* ------------------------------------------------------------------------------------------------ other outputs */

static int write_volume(struct restore *restore, const struct item *item, struct output *output)
{
    const struct volume_job job = {.image = restore->image,
                                   .source = restore->source,
                                   .output = output,
                                   .name = item->info.name};
    return volume_write(&job);
}

static int sync_path(struct image *image, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) < 0 ? image_fail_errno(image, "%s", path) : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static int write_qcow2(struct restore *restore, const struct item *item)
{
    struct image *image = restore->image;
    struct qcow2 *qcow2;
    struct output *output;
    int result = qcow2_open(image, item->place.partial, item->info.length, &qcow2, &output);
    if (result == 0) {
        result = write_volume(restore, item, output);
        if (qcow2_finish(qcow2) < 0)
            result = -1;
    }
    if (result == 0 && sync_path(image, item->place.partial) == 0)
        return place_finish(image, &item->place, restore->request->overwrite);
    unlink(item->place.partial);
    return -1;
}

static int copy_stream(struct image *image, struct firn_source *source, struct firn_reader *reader,
                       int fd, const char *path)
{
    char *piece = malloc(PIECE);
    int64_t got = piece == NULL ? image_fail(image, FIRN_INTERNAL, "out of memory") : 1;
    while (got > 0) {
        got = image_check_cancelled(image) < 0 ? -1 : source->read(reader, piece, PIECE);
        for (int64_t done = 0; done < got;) {
            ssize_t written = write(fd, piece + done, (size_t)(got - done));
            if (written < 0 && errno != EINTR) {
                got = image_fail_errno(image, "%s: writing", path);
                break;
            }
            done += written > 0 ? written : 0;
        }
        if (got > 0)
            image->host->progress(image->host, 0, (uint64_t)got);
    }
    free(piece);
    return got < 0 ? -1 : 0;
}

static int write_stream(struct restore *restore, const struct item *item)
{
    struct image *image = restore->image;
    struct firn_source *source = restore->source;
    const char *path = item->place.partial;
    struct firn_reader *reader;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return image_fail_errno(image, "%s", path);
    int result = source->open(source, item->info.name, 0, &reader);
    if (result == 0) {
        result = copy_stream(image, source, reader, fd, path);
        source->close(reader);
    }
    if (result == 0 && fsync(fd) < 0)
        result = image_fail_errno(image, "%s: making it durable", path);
    close(fd);
    if (result == 0)
        return place_finish(image, &item->place, restore->request->overwrite);
    unlink(path);
    return -1;
}

static int write_item(struct restore *restore, const struct item *item)
{
    restore->image->host->step(restore->image->host, item->info.name);
    if (place_make_parents(restore->image, &item->place) < 0)
        return -1;
    if (item->info.kind != FIRN_OBJECT_VOLUME)
        return write_stream(restore, item);
    return restore->qcow2 ? write_qcow2(restore, item) : write_raw(restore, item);
}

/* ------------------------------------------------------------------------------------------------ what goes where */

static bool is_wanted(const struct restore *restore, const struct firn_object_info *info)
{
    const char *object = restore->request->object;
    return object == NULL || strcmp(object, info->name) == 0;
}

static int collect(struct restore *restore)
{
    restore->items = calloc(restore->source->object_count + 1, sizeof(*restore->items));
    if (restore->items == NULL)
        return image_fail(restore->image, FIRN_INTERNAL, "out of memory");
    for (size_t i = 0; i < restore->source->object_count; i++) {
        struct firn_object_info info = {.size = sizeof(info)};
        if (restore->source->object(restore->source, i, &info) < 0)
            return -1;
        if (is_wanted(restore, &info))
            restore->items[restore->count++].info = info;
    }
    if (restore->count == 0)
        return image_fail(restore->image, FIRN_NOTFOUND,
                          "there is nothing to restore in snapshot %s",
                          restore->source->snapshot_id);
    return 0;
}

/* A device or a server takes one volume. */
static int keep_one_volume(struct restore *restore)
{
    size_t volumes = 0;
    for (size_t i = 0; i < restore->count; i++)
        if (restore->items[i].info.kind == FIRN_OBJECT_VOLUME)
            restore->items[volumes++] = restore->items[i];
    if (volumes != 1)
        return image_fail(restore->image, FIRN_INVALID,
                          "%s takes one volume, but there are %zu: name one as SNAP:OBJECT",
                          restore->request->target, volumes);
    restore->count = 1;
    return 0;
}

static const char *suffix_of(const struct restore *restore, const struct item *item)
{
    if (item->info.kind != FIRN_OBJECT_VOLUME)
        return "";
    return restore->qcow2 ? ".qcow2" : ".raw";
}

static int find_places(struct restore *restore)
{
    const char *target = restore->request->target;
    size_t length = strlen(target);
    struct stat found;
    bool directory = (stat(target, &found) == 0 && S_ISDIR(found.st_mode)) ||
                     (length > 0 && target[length - 1] == '/') || restore->count > 1;
    if (!directory) {
        restore->items[0].place = place_new_take(image_printf("%s", target));
        return 0;
    }
    if (stat(target, &found) == 0 && !S_ISDIR(found.st_mode))
        return image_fail(restore->image, FIRN_INVALID,
                          "%s: it is no directory, but there are %zu objects: name one as "
                          "SNAP:OBJECT, or a directory",
                          target, restore->count);
    for (size_t i = 0; i < restore->count; i++)
        if (place_below(restore->image, target, restore->items[i].info.name,
                        suffix_of(restore, &restore->items[i]), &restore->items[i].place) < 0)
            return -1;
    return 0;
}

static int check_collisions(const struct restore *restore)
{
    const struct firn_host *host = restore->image->host;
    size_t collisions = 0;
    const char *first = NULL;
    for (size_t i = 0; i < restore->count && !restore->request->overwrite; i++) {
        const char *path = restore->items[i].place.path;
        if (!place_exists(path))
            continue;
        first = collisions++ == 0 ? path : first;
        if (restore->request->dry_run)
            host->log(host, FIRN_LOG_WARNING, "%s exists", path);
    }
    if (collisions == 0)
        return 0;
    if (collisions == 1)
        return image_fail(restore->image, FIRN_INVALID,
                          "%s exists: choose another target, or --overwrite", first);
    return image_fail(restore->image, FIRN_INVALID,
                      "%s and %zu others exist: choose another target, or --overwrite", first,
                      collisions - 1);
}

/* ------------------------------------------------------------------------------------------------ the restore */

static void announce(const struct restore *restore)
{
    const struct firn_host *host = restore->image->host;
    for (size_t i = 0; i < restore->count; i++)
        host->progress(host, restore->items[i].info.length, 0);
}

static int restore_to_files(struct restore *restore)
{
    if (find_places(restore) < 0 || check_collisions(restore) < 0)
        return -1;
    if (restore->request->dry_run)
        return 0;
    announce(restore);
    for (size_t i = 0; i < restore->count; i++)
        if (write_item(restore, &restore->items[i]) < 0)
            return -1;
    return 0;
}

static int restore_to_output(struct restore *restore)
{
    const char *target = restore->request->target;
    struct output *output;
    if (restore->qcow2)
        return image_fail(restore->image, FIRN_INVALID, "%s: --format qcow2 is for files", target);
    if (keep_one_volume(restore) < 0)
        return -1;
    if (!restore->request->overwrite)
        return image_fail(restore->image, FIRN_INVALID,
                          "%s: what it holds will be lost: say --overwrite", target);
    uint64_t size = restore->items[0].info.length;
    if ((image_is_uri(target) ? output_open_nbd(restore->image, target, size, &output)
                              : output_open_file(restore->image, target, size, &output)) < 0)
        return -1;
    announce(restore);
    int result = restore->request->dry_run ? 0 : write_volume(restore, &restore->items[0], output);
    output_close(output);
    return result;
}

static bool is_device(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISBLK(found.st_mode);
}

static int check_format(struct restore *restore)
{
    const char *format = restore->request->format;
    if (format == NULL || strcmp(format, "raw") == 0)
        return 0;
    if (strcmp(format, "qcow2") != 0)
        return image_fail(restore->image, FIRN_INVALID, "format \"%s\": expected raw or qcow2",
                          format);
    restore->qcow2 = true;
    return 0;
}

int image_restore(struct image *image, const struct firn_restore *request,
                  struct firn_source *source)
{
    struct restore restore = {.image = image, .request = request, .source = source};
    int result = check_format(&restore) < 0 ? -1 : collect(&restore);
    if (result == 0 && (image_is_uri(request->target) || is_device(request->target)))
        result = restore_to_output(&restore);
    else if (result == 0)
        result = restore_to_files(&restore);
    for (size_t i = 0; i < restore.count; i++)
        place_free(&restore.items[i].place);
    free(restore.items);
    return result;
}
