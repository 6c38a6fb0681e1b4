/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include "cli.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "display.h"
#include "host/progress.h"
#include "host/restore_run.h"
#include "output.h"
#include "repo/restore.h"
#include "selector.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE 262144u

/* ------------------------------------------------------------------------------------------------ losses */

/* What could not be read, with --skip-damaged. Several objects may be read at once. */
struct losses {
    struct restore_salvage salvage; /* its context is the losses' own */
    struct json_object *rows;
    uint64_t bytes;
};
#define auto_losses __attribute__((cleanup(losses_free)))

static pthread_mutex_t losses_lock = PTHREAD_MUTEX_INITIALIZER;

static void lost(void *context, const char *object, uint64_t offset, uint64_t length,
                 const char *why)
{
    struct losses *losses = context;
    struct json_object *row = json_object_new_object();
    json_set_string(row, "object", object);
    json_set_uint(row, "offset", offset);
    json_set_uint(row, "length", length);
    json_set_string(row, "error", why);
    pthread_mutex_lock(&losses_lock);
    json_object_array_add(losses->rows, row);
    losses->bytes += length;
    fprintf(stderr, "firn: lost: %s: %llu bytes at %llu: %s\n", object, (unsigned long long)length,
            (unsigned long long)offset, why);
    pthread_mutex_unlock(&losses_lock);
}

static void losses_free(struct losses *losses)
{
    json_object_put(losses->rows);
}

/* Not every verb that writes an object has the option. */
static bool salvages(const struct cli *cli)
{
    static const char name[] = "skip-damaged";
    const struct verb *verb = arguments_verb(cli->arguments);
    return option_find(verb->options, name, sizeof(name) - 1) != NULL &&
           argument_flag(cli->arguments, name);
}

static int losses_tell(const struct losses *losses, struct firn_error **err)
{
    if (losses->bytes == 0)
        return 0;
    return fail(err, FIRN_CORRUPT, "%llu bytes are lost, and came as zeros: they are named above",
                (unsigned long long)losses->bytes);
}

/* ------------------------------------------------------------------------------------------------ through a plugin */

static uint64_t bytes_of(const struct selection *selection)
{
    uint64_t total = 0;
    for (size_t i = 0; i < selection->snapshot->object_count; i++)
        total += selection->snapshot->objects[i].length;
    if (selection->object != NULL)
        total = snapshot_object(selection->snapshot, selection->object)->length;
    return total;
}

static int report(struct cli *cli, const struct selection *selection, const char *target,
                  int64_t duration, const struct losses *losses, struct firn_error **err)
{
    char size[SIZE_TEXT_LENGTH], time[DURATION_TEXT_LENGTH];
    auto_json struct json_object *record = json_object_new_object();
    size_format(bytes_of(selection), size);
    duration_format(duration, time);
    if (cli->quiet)
        return 0;
    json_set_string(record, "snapshot", selection->snapshot->id_text);
    json_set_string(record, "item", selection->snapshot->item);
    json_set_string(record, "object", selection->object);
    json_set_string(record, "target", target);
    json_set_uint(record, "bytes_total", bytes_of(selection));
    json_set_int(record, "duration_ms", duration);
    if (losses->bytes > 0) {
        json_set_uint(record, "bytes_lost", losses->bytes);
        json_set_take(record, "losses", json_object_get(losses->rows));
    }
    if (cli->output != OUTPUT_TABLE)
        return output_value(cli, record, err);
    auto_free char *line =
        mem_printf("%s: snapshot %.12s restored to %s: %s in %s\n", selection->snapshot->item,
                   selection->snapshot->id_text, target, size, time);
    return output_text(line, strlen(line), err);
}

int transfer_restore(struct cli *cli, const struct selection *selection, const char *target,
                     struct firn_error **err)
{
    auto_losses struct losses losses = {.rows = json_object_new_array()};
    losses.salvage = (struct restore_salvage){.lost = lost, .context = &losses};
    struct progress *progress = progress_new();
    const struct restore_context context = {.repo = cli->repo,
                                            .plugins = cli->plugins,
                                            .settings = cli->settings,
                                            .progress = progress};
    const struct verb *verb = arguments_verb(cli->arguments);
    bool restoring = verb == &verb_restore;
    const struct restore_request request = {
        .snapshot = selection->snapshot,
        .object = selection->object,
        .target = target,
        .format = restoring ? argument_text(cli->arguments, "format") : NULL,
        .overwrite = argument_flag(cli->arguments, "overwrite"),
        .dry_run = restoring && argument_flag(cli->arguments, "dry-run"),
        .salvage = salvages(cli) ? &losses.salvage : NULL,
    };
    if (request.dry_run && !cli->quiet)
        log_show(FIRN_LOG_INFO); /* the plan is what was asked for */
    int64_t started = clock_monotonic();
    struct display *display = display_start(cli, verb->name, progress);
    int result = restore_run(&context, &request, err);
    display_stop(display);
    progress_free(progress);
    if (result < 0)
        return -1;
    if (request.dry_run) {
        cli_note(cli, "nothing stands in the way of restoring to %s", target);
        return 0;
    }
    if (report(cli, selection, target, clock_monotonic() - started, &losses, err) < 0)
        return -1;
    return losses_tell(&losses, err);
}

/* ------------------------------------------------------------------------------------------------ to standard output */

static int stream_out(struct restore_reader *reader, struct firn_error **err)
{
    auto_free char *piece = mem_alloc(PIECE);
    for (;;) {
        int64_t got = restore_read(reader, piece, PIECE, err);
        if (got < 0 || cancel_check(err) < 0)
            return -1;
        if (got == 0)
            return 0;
        if (output_text(piece, (size_t)got, err) < 0)
            return -1;
    }
}

static int zeros_out(uint64_t length, struct firn_error **err)
{
    static const char zeros[PIECE];
    while (length > 0) {
        size_t part = length < PIECE ? (size_t)length : PIECE;
        if (output_text(zeros, part, err) < 0)
            return -1;
        length -= part;
    }
    return 0;
}

/* Extents come in windows, in the order of the packs; standard output wants them by offset. What comes early is copied, so
 * that the reader has its buffers back, and waits; a window bounds how much that is. */
struct waiting {
    struct firn_extent extent; /* its data is ours */
    void *data;
    struct waiting *next;
};

static int write_extent(const struct firn_extent *extent, uint64_t *position,
                        struct firn_error **err)
{
    *position += extent->length;
    if (extent->data == NULL)
        return zeros_out(extent->length, err);
    return output_text(extent->data, (size_t)extent->length, err);
}

static void keep(struct waiting **list, const struct firn_extent *extent)
{
    while (*list != NULL && (*list)->extent.offset < extent->offset)
        list = &(*list)->next;
    struct waiting *added = mem_zalloc(sizeof(*added));
    added->extent = *extent;
    added->data = extent->data != NULL ? mem_dup(extent->data, (size_t)extent->length) : NULL;
    added->extent.data = added->data;
    added->next = *list;
    *list = added;
}

static struct waiting *drop_first(struct waiting *list)
{
    struct waiting *next = list->next;
    free(list->data);
    free(list);
    return next;
}

static int take_extent(struct restore_reader *reader, struct firn_extent *extent,
                       struct waiting **list, uint64_t *position, struct firn_error **err)
{
    int result = 0;
    if (extent->offset == *position)
        result = write_extent(extent, position, err);
    else
        keep(list, extent);
    restore_release(reader, extent);
    while (result == 0 && *list != NULL && (*list)->extent.offset == *position) {
        result = write_extent(&(*list)->extent, position, err);
        *list = drop_first(*list);
    }
    return result;
}

static int volume_out(struct restore_reader *reader, struct firn_error **err)
{
    struct waiting *list = NULL;
    uint64_t position = 0;
    int result;
    do {
        struct firn_extent extent = {.size = sizeof(extent)};
        result = restore_next(reader, &extent, err);
        if (result == 1 &&
            (take_extent(reader, &extent, &list, &position, err) < 0 || cancel_check(err) < 0))
            result = -1;
    } while (result == 1);
    while (list != NULL)
        list = drop_first(list);
    return result;
}

int transfer_to_stdout(struct cli *cli, const struct selection *selection, struct firn_error **err)
{
    const struct snapshot *snapshot = selection->snapshot;
    const struct snapshot_object *object = selection->object != NULL
                                               ? snapshot_object(snapshot, selection->object)
                                               : &snapshot->objects[0];
    if (selection->object == NULL && snapshot->object_count != 1)
        return usage(
            cli, err,
            "snapshot %.12s has %zu objects: name one as SNAP:OBJECT (`firn show` lists them)",
            snapshot->id_text, snapshot->object_count);
    if (isatty(STDOUT_FILENO) == 1 && object->kind != FIRN_OBJECT_DOCUMENT)
        return usage(cli, err, "%s is not for a terminal: redirect standard output", object->name);
    auto_losses struct losses losses = {.rows = json_object_new_array()};
    losses.salvage = (struct restore_salvage){.lost = lost, .context = &losses};
    struct restore_reader *reader;
    int opened = salvages(cli)
                     ? restore_open_salvage(cli->repo, object, 0, &losses.salvage, &reader, err)
                     : restore_open(cli->repo, object, 0, 1, &reader, err);
    if (opened < 0)
        return -1;
    int result =
        object->kind == FIRN_OBJECT_VOLUME ? volume_out(reader, err) : stream_out(reader, err);
    restore_close(reader);
    return result < 0 ? -1 : losses_tell(&losses, err);
}
