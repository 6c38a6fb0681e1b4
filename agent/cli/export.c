/* SPDX-License-Identifier: Apache-2.0 */
/* firn export */
#include "cli.h"
#include "core/cancel.h"
#include "core/mem.h"
#include "output.h"
#include "repo/restore.h"
#include "selector.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

#define PIECE 262144u

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
    struct restore_reader *reader;
    if (restore_open(cli->repo, object, 0, 1, &reader, err) < 0)
        return -1;
    int result =
        object->kind == FIRN_OBJECT_VOLUME ? volume_out(reader, err) : stream_out(reader, err);
    restore_close(reader);
    return result;
}

/* Images of a registry leave as an OCI layout, which their own plugin writes; everything else as plain files. */
static char *export_target(const struct snapshot *snapshot, const char *target)
{
    if (strncmp(snapshot->item, "imagestream:", 12) == 0 && strncmp(target, "oci:", 4) != 0)
        return mem_printf("oci:%s", target);
    return mem_strdup(target);
}

static int run(struct cli *cli, struct firn_error **err)
{
    auto_selection struct selection selection = {0};
    const char *target = argument_text(cli->arguments, "target");
    if (target == NULL)
        return usage(cli, err,
                     "export: --target is missing: a directory, a file, or - for standard output");
    if (select_object(cli, arguments_operand(cli->arguments, 0), &selection, err) < 0)
        return -1;
    if (strcmp(target, "-") == 0)
        return transfer_to_stdout(cli, &selection, err);
    auto_free char *place = export_target(selection.snapshot, target);
    return transfer_restore(cli, &selection, place, err);
}

static const struct option options[] = {
    {.name = "target",
     .letter = 't',
     .type = OPTION_PATH,
     .value = "DIR|FILE|-",
     .description = "a directory, a file (for one object), or - for standard output"},
    {.name = "overwrite",
     .type = OPTION_FLAG,
     .description = "files at the target may be replaced"},
    {0},
};

static const struct example examples[] = {
    {"the disks of a virtual machine and its definition",
     "firn export latest:libvirt:web01 --target /tmp/web01"},
    {"one disk into a pipe", "firn export latest:libvirt:web01:vda --target - | gzip > vda.gz"},
    {"images as an OCI layout, for skopeo or podman",
     "firn export latest:imagestream:reg:5000/team/app --target layout"},
    {0},
};

const struct verb verb_export = {
    .name = "export",
    .operands = "SNAP[:OBJECT] --target DIR|FILE|-",
    .summary = "write a snapshot in formats that other programs read",
    .description = "Volumes become raw, sparse files and documents plain files, each under its own "
                   "name in DIR; one object becomes FILE, or "
                   "goes to standard output. Images of a registry become an OCI image layout.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .plugin_options = true,
    .run = run,
};
