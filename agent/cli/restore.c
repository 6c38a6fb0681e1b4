/* SPDX-License-Identifier: Apache-2.0 */
/* firn restore */
#include "cli.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "display.h"
#include "host/progress.h"
#include "host/restore_run.h"
#include "output.h"
#include "selector.h"
#include "transfer.h"

#include <string.h>

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
                  int64_t duration, struct firn_error **err)
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
    return report(cli, selection, target, clock_monotonic() - started, err);
}

static int run(struct cli *cli, struct firn_error **err)
{
    auto_selection struct selection selection = {0};
    const char *target = argument_text(cli->arguments, "target");
    if (target == NULL)
        return usage(
            cli, err,
            "restore: --target is missing: a path, libvirt:NAME, or registry:HOST/NS/NAME");
    if (select_object(cli, arguments_operand(cli->arguments, 0), &selection, err) < 0)
        return -1;
    return transfer_restore(cli, &selection, target, err);
}

static const struct option options[] = {
    {.name = "target",
     .letter = 't',
     .type = OPTION_TEXT,
     .value = "TARGET",
     .description = "a path, an NBD URI, libvirt:NAME, or registry:HOST/NS/NAME"},
    {.name = "format",
     .type = OPTION_CHOICE,
     .value = "raw|qcow2",
     .description = "the format of disks (raw)"},
    {.name = "overwrite",
     .type = OPTION_FLAG,
     .description = "what is at the target may be replaced"},
    {.name = "dry-run",
     .letter = 'n',
     .type = OPTION_FLAG,
     .description = "only report what stands in the way; change nothing"},
    {0},
};

static const struct example examples[] = {
    {"the latest snapshot of a disk image, to a file",
     "firn restore latest:image:/var/lib/disk.img --target /tmp/disk.img"},
    {"one disk of a virtual machine, as qcow2",
     "firn restore latest:libvirt:web01:vda --target vda.qcow2 --format qcow2"},
    {"a virtual machine under a new name", "firn restore 3f9c21aa --target libvirt:web02"},
    {0},
};

const struct verb verb_restore = {
    .name = "restore",
    .operands = "SNAP[:OBJECT] --target TARGET",
    .summary = "bring a snapshot, or one object of it, back",
    .description =
        "TARGET is a path (a file; a directory, for several objects; a block device), an NBD URI, "
        "or SCHEME:REST for a plugin "
        "that restores to such targets. Runs of zeros become holes.\n\n"
        "SNAP is an id, a unique beginning of one, `latest`, or `latest:SOURCE`. Since SOURCE "
        "holds colons, the longest SOURCE "
        "of some snapshot that fits is taken, and what follows the next colon is OBJECT.\n\n"
        "A restore to a file that was interrupted goes on where it was when it is started again "
        "with the same arguments.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .plugin_options = true,
    .run = run,
};
