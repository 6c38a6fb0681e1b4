/* SPDX-License-Identifier: Apache-2.0 */
/* firn stats */
#include "repo/stats.h"

#include "cli.h"
#include "core/json.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"

static int run(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"snapshots", "snapshots", COLUMN_NUMBER},
                                            {"packs", "packs", COLUMN_NUMBER},
                                            {"stored", "bytes_stored", COLUMN_SIZE},
                                            {"of it unused", "bytes_unused", COLUMN_SIZE},
                                            {"in all snapshots", "bytes_total", COLUMN_SIZE},
                                            {"ratio", "ratio", COLUMN_TEXT},
                                            {"immutable", "immutable", COLUMN_TEXT},
                                            {"retained for", "retain_ms", COLUMN_DURATION}};
    struct repo_statistics statistics = {0};
    if (cli_open(cli, err) < 0 || repo_statistics(cli->repo, &statistics, err) < 0)
        return -1;
    auto_json struct json_object *record = json_object_new_object();
    json_set_uint(record, "snapshots", statistics.snapshots);
    json_set_uint(record, "packs", statistics.packs);
    json_set_uint(record, "bytes_stored", statistics.bytes_stored);
    json_set_uint(record, "bytes_unused", statistics.bytes_unused);
    json_set_uint(record, "bytes_total", statistics.bytes_total);
    if (statistics.bytes_stored > 0) {
        double ratio = (double)statistics.bytes_total / (double)statistics.bytes_stored;
        auto_free char *text = mem_printf("%.2f", ratio);
        json_set_take(record, "ratio", json_object_new_double_s(ratio, text));
    }
    record_store(record, cli->repo);
    return output_record(cli, record, columns, array_length(columns), err);
}

const struct verb verb_stats = {
    .name = "stats",
    .operands = "",
    .summary = "show the size of the repository",
    .description = "Shows how many bytes all snapshots hold as restored, how many the repository "
                   "stores for them, and how many "
                   "of those lie in packs that no snapshot relies on any more.",
    .run = run,
};
