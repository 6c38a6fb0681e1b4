/* SPDX-License-Identifier: Apache-2.0 */
/* firn show */
#include "cli.h"
#include "core/json.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"
#include "selector.h"

#include <stdio.h>

static const struct column fields[] = {
    {"snapshot", "id", COLUMN_TEXT},
    {"item", "item", COLUMN_TEXT},
    {"host", "hostname", COLUMN_TEXT},
    {"tags", "tags", COLUMN_LIST},
    {"parent", "parent", COLUMN_TEXT},
    {"shows the state of", "point_in_time", COLUMN_TIME},
    {"started", "started", COLUMN_TIME},
    {"committed", "committed", COLUMN_TIME},
    {"method", "method", COLUMN_TEXT},
    {"consistency", "consistency", COLUMN_TEXT},
    {"because", "reason", COLUMN_TEXT},
    {"frozen", "frozen_ms", COLUMN_DURATION},
    {"protected until", "protected_until", COLUMN_TIME},
    {"size", "bytes_total", COLUMN_SIZE},
    {"read", "bytes_read", COLUMN_SIZE},
    {"zero", "bytes_zero", COLUMN_SIZE},
    {"changed", "bytes_changed", COLUMN_SIZE},
    {"new", "bytes_new", COLUMN_SIZE},
    {"stored", "bytes_stored", COLUMN_SIZE},
    {"copy of", "origin.snapshot", COLUMN_TEXT},
    {"in repository", "origin.repository", COLUMN_TEXT},
    {"made by firn", "version", COLUMN_TEXT},
};

static const struct column columns[] = {
    {"OBJECT", "name", COLUMN_TEXT},   {"KIND", "kind", COLUMN_TEXT},
    {"SIZE", "length", COLUMN_SIZE},   {"MEDIA TYPE", "media_type", COLUMN_TEXT},
    {"DIGEST", "digest", COLUMN_TEXT},
};

static int run(struct cli *cli, struct firn_error **err)
{
    auto_snapshot struct snapshot *snapshot = NULL;
    if (select_snapshot(cli, arguments_operand(cli->arguments, 0), &snapshot, err) < 0)
        return -1;
    auto_json struct json_object *record = record_snapshot(snapshot);
    json_set_take(record, "objects", record_objects(snapshot));
    if (snapshot->state != NULL)
        json_set_string(record, "state", snapshot->state);
    if (output_record(cli, record, fields, array_length(fields), err) < 0)
        return -1;
    if (cli->output != OUTPUT_TABLE)
        return 0;
    if (output_text("\n", 1, err) < 0)
        return -1;
    return output_list(cli, json_at(record, "objects"), columns, array_length(columns),
                       "no objects", err);
}

static const struct option options[] = {
    CLI_OPTION_AS_OF,
    {0},
};

static const struct example examples[] = {
    {"the latest snapshot of a machine", "firn show latest:libvirt:web01"},
    {0},
};

const struct verb verb_show = {
    .name = "show",
    .operands = "SNAP",
    .summary = "show all about one snapshot, and its objects",
    .description = "SNAP is the id of a snapshot, a unique beginning of one (4 digits or more), "
                   "`latest`, or `latest:SOURCE`.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
