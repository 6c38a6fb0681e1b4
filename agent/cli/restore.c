/* SPDX-License-Identifier: Apache-2.0 */
/* firn restore */
#include "cli.h"
#include "selector.h"
#include "transfer.h"

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
    TRANSFER_OPTION_SKIP_DAMAGED,
    CLI_OPTION_AS_OF,
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
        "with the same arguments.\n\n" TRANSFER_ABOUT_DAMAGE,
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .plugin_options = true,
    .run = run,
};
