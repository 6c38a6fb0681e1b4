/* SPDX-License-Identifier: Apache-2.0 */
/* firn export */
#include "cli.h"
#include "core/mem.h"
#include "selector.h"
#include "transfer.h"

#include <string.h>

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
    TRANSFER_OPTION_SKIP_DAMAGED,
    CLI_OPTION_AS_OF,
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
                   "goes to standard output. Images of a registry become an OCI image "
                   "layout.\n\n" TRANSFER_ABOUT_DAMAGE,
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .plugin_options = true,
    .run = run,
};
