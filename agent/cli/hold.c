/* SPDX-License-Identifier: Apache-2.0 */
/* firn hold */
#include "repo/hold.h"

#include "cli.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"
#include "selector.h"

#include <string.h>

static void add_row(struct json_object *rows, const struct snapshot *snapshot, bool held)
{
    struct json_object *row = json_object_new_object();
    json_set_string(row, "id", snapshot->id_text);
    json_set_string(row, "item", snapshot->item);
    record_time(row, "committed", snapshot->committed);
    json_set_string(row, "state", held ? "held" : "released");
    json_object_array_add(rows, row);
}

static int hold_named(struct cli *cli, const char *text, struct json_object *rows,
                      struct firn_error **err)
{
    bool release = argument_flag(cli->arguments, "release");
    auto_snapshot struct snapshot *snapshot = NULL;
    if (select_snapshot(cli, text, &snapshot, err) < 0 ||
        (release ? hold_release(cli->repo, snapshot, err) : hold_set(cli->repo, snapshot, err)) < 0)
        return -1;
    add_row(rows, snapshot, !release);
    return 0;
}

static int list_held(struct cli *cli, struct json_object *rows, struct firn_error **err)
{
    struct snapshot **list = NULL;
    size_t count = 0;
    if (snapshot_list(cli->repo, snapshot_skip_damaged, NULL, &list, &count, err) < 0)
        return -1;
    auto_free bool *held = mem_array(count + 1, sizeof(*held));
    int result = hold_list(cli->repo, list, count, held, err);
    for (size_t i = 0; i < count && result == 0; i++)
        if (held[i])
            add_row(rows, list[i], true);
    snapshot_list_free(list, count);
    return result;
}

static int run(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"STATE", "state", COLUMN_TEXT},
                                            {"ID", "id", COLUMN_ID},
                                            {"TIME", "committed", COLUMN_TIME},
                                            {"ITEM", "item", COLUMN_TEXT}};
    size_t count = arguments_count(cli->arguments);
    auto_json struct json_object *rows = json_object_new_array();
    if (count == 0 && argument_flag(cli->arguments, "release"))
        return usage(cli, err, "hold --release: say which snapshots");
    if (cli_open(cli, err) < 0 || (count == 0 && list_held(cli, rows, err) < 0))
        return -1;
    for (size_t i = 0; i < count; i++)
        if (hold_named(cli, arguments_operand(cli->arguments, i), rows, err) < 0)
            return -1;
    return output_list(cli, rows, columns, array_length(columns), "no snapshot is held", err);
}

static const struct option options[] = {
    {.name = "release", .type = OPTION_FLAG, .description = "lift the hold"},
    {0},
};

static const struct example examples[] = {
    {"keep the state of the day of the incident", "firn hold 3f9c21aa"},
    {"what is held", "firn hold"},
    {"and no longer", "firn hold --release 3f9c21aa"},
    {0},
};

const struct verb verb_hold = {
    .name = "hold",
    .operands = "[SNAP...]",
    .summary = "keep snapshots until they are released, whatever the rules say",
    .description =
        "A snapshot that is held is not forgotten, neither by name nor by rules, until it is "
        "released. In a bucket with Object Lock the snapshot and everything that it relies on gets "
        "the server's legal hold: nobody without the right to lift it (s3:PutObjectLegalHold) can "
        "remove it with any program, also when its lock has ended. Elsewhere the hold is a mark "
        "that Firn respects. Without SNAP, lists what is held.",
    .options = options,
    .examples = examples,
    .most = SIZE_MAX,
    .run = run,
};
