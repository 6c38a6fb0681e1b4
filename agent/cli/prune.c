/* SPDX-License-Identifier: Apache-2.0 */
/* firn prune */
#include "prune.h"

#include "cli.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "display.h"
#include "host/progress.h"
#include "output.h"
#include "record.h"
#include "repo/collection.h"

/* ------------------------------------------------------------------------------------------------ collecting */

static void show_progress(void *context, const char *step, uint64_t done, uint64_t total)
{
    struct progress *progress = context;
    progress_step(progress, step);
    progress_set(progress, total, done);
}

/* "removed 12 packs (310 MiB)"; nothing if there are none. */
static void note(const struct cli *cli, const char *what, const struct collect_sum *sum,
                 const char *more)
{
    char size[SIZE_TEXT_LENGTH];
    if (sum->packs == 0)
        return;
    size_format(sum->bytes, size);
    cli_note(cli, "%s: %llu packs (%s)%s", what, (unsigned long long)sum->packs, size, more);
}

static void note_all(const struct cli *cli, const struct collect_options *options,
                     const struct collect_result *result)
{
    char left[DURATION_TEXT_LENGTH] = "";
    auto_free char *when = mem_strdup("");
    if (result->due > 0) {
        duration_format(result->due > result->now ? result->due - result->now : 0, left);
        free(when);
        when = mem_printf("; a prune in %s or later removes what is due then", left);
    }
    auto_free char *refusal = mem_printf(": %s", result->refusal == NULL ? "" : result->refusal);
    note(cli, options->dry_run ? "would be removed" : "removed", &result->removed, "");
    note(cli, "not removed", &result->refused, refusal);
    note(cli, "pardoned, since something relies on them again", &result->pardoned, "");
    if (!options->exclusive)
        note(cli, options->dry_run ? "would be condemned" : "condemned", &result->condemned, when);
    note(cli, "condemned before", &result->waiting, result->condemned.packs == 0 ? when : "");
    note(cli, "not needed, and too young to be condemned", &result->young, "");
    if (result->removed.packs + result->refused.packs + result->condemned.packs +
            result->waiting.packs + result->young.packs ==
        0)
        cli_note(cli, "nothing to remove");
}

int prune_collect(struct cli *cli, const struct collect_options *options,
                  struct collect_result *result, struct firn_error **err)
{
    struct progress *progress = progress_new();
    struct display *display = display_start(cli, "prune", progress);
    int status = collect_run(cli->repo, options, show_progress, progress, result, err);
    display_stop(display);
    progress_free(progress);
    if (status == 0)
        note_all(cli, options, result);
    return status;
}

int prune_verdict(const struct collect_result *result, struct firn_error **err)
{
    if (result->undecided != NULL)
        return fail(err, FIRN_CORRUPT,
                    "what was condemned before stays until it can be decided: %s",
                    result->undecided);
    if (result->missing > 0)
        return fail(err, FIRN_CORRUPT,
                    "packs that snapshots rely on are missing: %u; `firn check` names them and the "
                    "snapshots",
                    result->missing);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the verb */

static void add_sum(struct json_object *record, const char *name, const struct collect_sum *sum)
{
    auto_free char *packs = mem_printf("packs_%s", name);
    auto_free char *bytes = mem_printf("bytes_%s", name);
    json_set_uint(record, packs, sum->packs);
    json_set_uint(record, bytes, sum->bytes);
}

static int report(struct cli *cli, const struct collect_options *options,
                  const struct collect_result *result, struct firn_error **err)
{
    if (cli->output == OUTPUT_TABLE)
        return 0;
    auto_json struct json_object *record = json_object_new_object();
    json_set_take(record, "dry_run", json_object_new_boolean(options->dry_run));
    json_set_uint(record, "snapshots", result->snapshots);
    add_sum(record, "needed", &result->alive);
    add_sum(record, "young", &result->young);
    add_sum(record, "waiting", &result->waiting);
    add_sum(record, "condemned", &result->condemned);
    add_sum(record, "pardoned", &result->pardoned);
    add_sum(record, "removed", &result->removed);
    add_sum(record, "refused", &result->refused);
    json_set_uint(record, "packs_missing", result->missing);
    if (result->refusal != NULL)
        json_set_string(record, "refusal", result->refusal);
    if (result->undecided != NULL)
        json_set_string(record, "undecided", result->undecided);
    if (result->due > 0)
        record_time(record, "due", result->due);
    return output_value(cli, record, err);
}

static int read_options(struct cli *cli, struct collect_options *options, struct firn_error **err)
{
    const struct arguments *arguments = cli->arguments;
    char least[DURATION_TEXT_LENGTH];
    *options = (struct collect_options){
        .grace = argument_number(arguments, "grace", COLLECTION_GRACE),
        .min_age = argument_number(arguments, "min-age", COLLECTION_SESSION),
        .exclusive = argument_flag(arguments, "exclusive"),
        .dry_run = argument_flag(arguments, "dry-run"),
    };
    duration_format(COLLECTION_GRACE_LEAST, least);
    if (options->grace < COLLECTION_GRACE_LEAST)
        return usage(cli, err,
                     "--grace: it is at least %s, since a backup may be about to rely on what is "
                     "removed; while none runs, --exclusive does without",
                     least);
    if (options->exclusive && (argument_origin(arguments, "grace") == ORIGIN_COMMAND_LINE ||
                               argument_origin(arguments, "min-age") == ORIGIN_COMMAND_LINE))
        return usage(cli, err, "--exclusive means: no grace, and no least age");
    return 0;
}

static int run(struct cli *cli, struct firn_error **err)
{
    struct collect_options options;
    struct collect_result result = {0};
    if (read_options(cli, &options, err) < 0 || cli_open_locked(cli, err) < 0)
        return -1;
    int status = prune_collect(cli, &options, &result, err);
    if (status == 0)
        status = report(cli, &options, &result, err);
    if (status == 0)
        status = prune_verdict(&result, err);
    collect_result_free(&result);
    return status;
}

static const struct option options_prune[] = {
    {.name = "grace",
     .type = OPTION_DURATION,
     .value = "DURATION",
     .description = "from condemning packs to removing them (24h)"},
    {.name = "min-age",
     .type = OPTION_DURATION,
     .value = "DURATION",
     .description = "leave packs alone that are younger (7d)"},
    {.name = "exclusive",
     .type = OPTION_FLAG,
     .description = "no backup and no other prune runs: remove at once"},
    {.name = "dry-run",
     .letter = 'n',
     .type = OPTION_FLAG,
     .description = "only tell what would be done"},
    {0},
};

static const struct example examples[] = {
    {"every day", "firn prune"},
    {"free space now, while nothing else runs", "firn prune --exclusive"},
    {"what it would free", "firn prune --exclusive --dry-run"},
    {0},
};

const struct verb verb_prune = {
    .name = "prune",
    .operands = "",
    .summary = "remove data that no snapshot needs any more",
    .description =
        "Removes packs that no snapshot relies on, in two steps: they are condemned, and removed "
        "by "
        "a prune after the grace, unless a snapshot came to rely on them meanwhile. So it is safe "
        "beside backups on any machine, and may be interrupted at any time: run it every day. It "
        "needs the right to delete, and no key.\n\n"
        "With --exclusive you say that no backup and no other prune is running: packs are "
        "condemned "
        "and removed at once. A backup that runs nevertheless may fail or be lost.\n\n"
        "What the store does not let go of, because it is locked, is told and tried again the next "
        "time. If a snapshot cannot be read, nothing is removed: what it needs is not known (exit "
        "code 13).",
    .options = options_prune,
    .examples = examples,
    .run = run,
};
