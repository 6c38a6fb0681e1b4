/* SPDX-License-Identifier: Apache-2.0 */
/* firn snapshots */
#include "cli.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"

#include <string.h>

static void damaged(void *context, const char *name, const struct firn_error *why)
{
    size_t *count = context;
    (*count)++;
    log_warning("%s cannot be read: %s", name, error_message(why));
}

/* SOURCE, or the beginning of one: "libvirt:" are all virtual machines of libvirt. */
static bool wanted(const struct cli *cli, const struct snapshot *snapshot)
{
    const char *tag = argument_text(cli->arguments, "tag");
    bool named = arguments_count(cli->arguments) == 0;
    for (size_t i = 0; i < arguments_count(cli->arguments); i++) {
        const char *source = arguments_operand(cli->arguments, i);
        named = named || strncmp(snapshot->item, source, strlen(source)) == 0;
    }
    return named && (tag == NULL || snapshot_has_tag(snapshot, tag));
}

static int run(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {
        {"ID", "id", COLUMN_ID},
        {"TIME", "committed", COLUMN_TIME},
        {"ITEM", "item", COLUMN_TEXT},
        {"METHOD", "method", COLUMN_TEXT},
        {"CONSISTENCY", "consistency", COLUMN_TEXT},
        {"SIZE", "bytes_total", COLUMN_SIZE},
        {"CHANGED", "bytes_changed", COLUMN_SIZE},
        {"STORED", "bytes_stored", COLUMN_SIZE},
        {"TAGS", "tags", COLUMN_LIST},
    };
    struct snapshot **list;
    size_t count, unreadable = 0;
    auto_json struct json_object *array = json_object_new_array();
    if (cli_open(cli, err) < 0 ||
        snapshot_list(cli->repo, damaged, &unreadable, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (wanted(cli, list[i]))
            json_object_array_add(array, record_snapshot(list[i]));
    snapshot_list_free(list, count);
    if (output_list(cli, array, columns, array_length(columns), "no snapshots", err) < 0)
        return -1;
    if (unreadable > 0)
        return fail(err, FIRN_CORRUPT, "%zu snapshots cannot be read: `firn check` tells more",
                    unreadable);
    return 0;
}

static const struct option options[] = {
    {.name = "tag", .type = OPTION_TEXT, .value = "TAG", .description = "only those with this tag"},
    CLI_OPTION_AS_OF,
    {0},
};

static const struct example examples[] = {
    {"all of them", "firn snapshots"},
    {"those of all virtual machines of libvirt", "firn snapshots libvirt:"},
    {"the id of the newest, for a script", "firn snapshots -o json | jq -r '.[-1].id'"},
    {0},
};

const struct verb verb_snapshots = {
    .name = "snapshots",
    .operands = "[SOURCE...]",
    .summary = "list snapshots, oldest first",
    .description = "Lists the snapshots of the repository, or of the sources that begin with "
                   "SOURCE. CHANGED is what differs "
                   "from the parent, STORED what the snapshot added to the repository.",
    .options = options,
    .examples = examples,
    .most = SIZE_MAX,
    .run = run,
};
