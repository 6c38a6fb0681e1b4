/* SPDX-License-Identifier: Apache-2.0 */
/* firn check */
#include "repo/check.h"

#include "cli.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "display.h"
#include "host/progress.h"
#include "output.h"
#include "share.h"

#include <string.h>

struct check {
    struct json_object *findings;
    struct progress *progress;
};

static void add_finding(void *context, const char *object, const char *what, const char *affected)
{
    struct check *check = context;
    struct json_object *row = json_object_new_object();
    json_set_string(row, "object", object);
    json_set_string(row, "what", what);
    json_set_string(row, "affected", affected);
    json_object_array_add(check->findings, row);
}

static void show_progress(void *context, uint64_t bytes_done, uint64_t bytes_total)
{
    struct check *check = context;
    progress_set(check->progress, bytes_total, bytes_done);
}

static int report(struct cli *cli, const struct check *check, const struct check_result *result,
                  struct firn_error **err)
{
    static const struct column columns[] = {{"OBJECT", "object", COLUMN_TEXT},
                                            {"WHAT", "what", COLUMN_TEXT},
                                            {"SNAPSHOTS AFFECTED", "affected", COLUMN_TEXT}};
    char read[SIZE_TEXT_LENGTH];
    if (cli->output != OUTPUT_TABLE) {
        auto_json struct json_object *record = json_object_new_object();
        json_set_uint(record, "snapshots", result->snapshots);
        json_set_uint(record, "packs", result->packs);
        json_set_uint(record, "packs_read", result->packs_read);
        json_set_uint(record, "packs_unused", result->packs_unused);
        json_set_uint(record, "bytes_read", result->bytes_read);
        json_set_uint(record, "chunks_proven", result->chunks_proven);
        json_set_uint(record, "snapshots_protected", result->snapshots_protected);
        json_set_uint(record, "locks_read", result->locks_read);
        json_set_take(record, "findings", json_object_get(check->findings));
        return output_value(cli, record, err);
    }
    if (json_object_array_length(check->findings) > 0 &&
        output_list(cli, check->findings, columns, array_length(columns), "", err) < 0)
        return -1;
    size_format(result->bytes_read, read);
    auto_free char *locks = result->locks_read == 0
                                ? mem_strdup("")
                                : mem_printf("snapshots protected: %llu (locks asked for: %llu), ",
                                             (unsigned long long)result->snapshots_protected,
                                             (unsigned long long)result->locks_read);
    auto_free char *line = mem_printf(
        "snapshots: %llu, packs: %llu (unused: %llu), packs read: %llu (%s), chunks proven: %llu, "
        "%sfindings: %llu\n",
        (unsigned long long)result->snapshots, (unsigned long long)result->packs,
        (unsigned long long)result->packs_unused, (unsigned long long)result->packs_read, read,
        (unsigned long long)result->chunks_proven, locks, (unsigned long long)result->findings);
    return cli->quiet ? 0 : output_text(line, strlen(line), err);
}

static int look(struct cli *cli, struct check *check, struct check_result *result,
                struct firn_error **err)
{
    struct check_options options = {.workers = 0};
    if (share_read(cli, "read-data", &options.read_percent, err) < 0 || cli_open(cli, err) < 0)
        return -1;
    struct display *display = display_start(cli, "check", check->progress);
    int done = check_run(cli->repo, &options, add_finding, show_progress, check, result, err);
    display_stop(display);
    return done;
}

static int run(struct cli *cli, struct firn_error **err)
{
    auto_json struct json_object *findings = json_object_new_array();
    struct check check = {.findings = findings, .progress = progress_new()};
    struct check_result result = {0};
    int done = look(cli, &check, &result, err);
    progress_free(check.progress);
    if (done < 0 || report(cli, &check, &result, err) < 0)
        return -1;
    if (result.findings == 0)
        return 0;
    cli->status = EXIT_DAMAGED;
    return fail(
        err, FIRN_CORRUPT,
        "the repository is damaged (findings: %llu); snapshots that are not named can be restored",
        (unsigned long long)result.findings);
}

static const struct option options[] = {
    {.name = "read-data",
     .type = OPTION_TEXT,
     .optional = true,
     .value = "N%",
     .description = "read and prove every byte, or that of a random share of the packs"},
    {0},
};

static const struct example examples[] = {
    {"every night", "firn check --read-data=5%"},
    {"prove every byte", "firn check --read-data"},
    {0},
};

const struct verb verb_check = {
    .name = "check",
    .operands = "[--read-data[=N%]]",
    .summary = "prove that the repository is whole",
    .description =
        "Without options, proves that everything that the snapshots rely on is there, "
        "and authentic as far as it describes "
        "itself. With --read-data also that every stored byte can be read, decrypted "
        "and is what was written. Where objects are locked, the server is asked about each "
        "that a protected snapshot relies on.\n\n"
        "Exit code 13 tells that damage was found. What was found is listed with the "
        "snapshots that it affects.",
    .options = options,
    .examples = examples,
    .run = run,
};
