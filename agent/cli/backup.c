/* SPDX-License-Identifier: Apache-2.0 */
/* firn backup. Every source is tried; one that fails does not stop the others. */
#include "changes.h"
#include "cli.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "display.h"
#include "host/backup_run.h"
#include "host/progress.h"
#include "output.h"
#include "record.h"
#include "repo/index.h"

#include <stdio.h>
#include <string.h>

struct job {
    struct cli *cli;
    struct index *index;
    struct backup_request request; /* all but the source */
    struct json_object *results;
    size_t failed;
};

static enum firn_consistency_mode consistency(const struct arguments *arguments)
{
    const char *word = argument_text(arguments, "consistency");
    if (word != NULL && strcmp(word, "required") == 0)
        return FIRN_CONSISTENCY_REQUIRED;
    if (word != NULL && strcmp(word, "none") == 0)
        return FIRN_CONSISTENCY_NONE;
    return FIRN_CONSISTENCY_BEST_EFFORT;
}

/* ------------------------------------------------------------------------------------------------ results */

static void print_figures(const struct snapshot *snapshot)
{
    char total[SIZE_TEXT_LENGTH], read[SIZE_TEXT_LENGTH], changed[SIZE_TEXT_LENGTH];
    char added[SIZE_TEXT_LENGTH], stored[SIZE_TEXT_LENGTH], duration[DURATION_TEXT_LENGTH];
    size_format(snapshot->bytes_total, total);
    size_format(snapshot->bytes_read, read);
    size_format(snapshot->bytes_changed, changed);
    size_format(snapshot->bytes_new, added);
    size_format(snapshot->bytes_stored, stored);
    duration_format(snapshot->committed - snapshot->started, duration);
    printf("  %s in all, %s read, %s changed, %s new, %s stored, in %s\n", total, read, changed,
           added, stored, duration);
}

static void print_protection(const struct snapshot *snapshot)
{
    char until[CLOCK_TEXT_LENGTH];
    if (snapshot->protected_until == 0)
        return;
    clock_format(snapshot->protected_until, until);
    printf("  protected until %s\n", until);
}

static void print_result(const struct cli *cli, const struct snapshot *snapshot)
{
    char frozen[64] = "";
    if (cli->output != OUTPUT_TABLE || cli->quiet)
        return;
    if (snapshot->frozen >= 0)
        snprintf(frozen, sizeof(frozen), ", frozen %lld ms", (long long)snapshot->frozen);
    printf("%s: snapshot %.12s\n", snapshot->item, snapshot->id_text);
    printf("  %s, %s%s\n", snapshot->method, snapshot_consistency_name(snapshot->consistency),
           frozen);
    if (snapshot->reason != NULL)
        printf("  because %s\n", snapshot->reason);
    print_figures(snapshot);
    print_protection(snapshot);
    fflush(stdout);
}

static void keep_failure(struct job *job, const char *source, const struct firn_error *why)
{
    struct json_object *record = json_object_new_object();
    json_set_string(record, "item", source);
    json_set_string(record, "error", error_message(why));
    json_set_string(record, "code", error_code_name(error_code(why)));
    json_object_array_add(job->results, record);
}

/* ------------------------------------------------------------------------------------------------ running */

static int back_up(struct job *job, const char *source, struct firn_error **err)
{
    struct cli *cli = job->cli;
    auto_snapshot struct snapshot *snapshot = NULL;
    auto_free char *run_id = backup_run_id();
    struct progress *progress = progress_new();
    const struct backup_context context = {.repo = cli->repo,
                                           .index = job->index,
                                           .plugins = cli->plugins,
                                           .settings = cli->settings,
                                           .progress = progress};
    struct backup_request request = job->request;
    request.source = source;
    request.run_id = run_id;
    struct display *display = display_start(cli, source, progress);
    int result = backup_run(&context, &request, &snapshot, err);
    display_stop(display);
    progress_free(progress);
    if (result < 0)
        return -1;
    print_result(cli, snapshot);
    json_object_array_add(job->results, record_snapshot(snapshot));
    return 0;
}

/* The error of a lone source is the verb's own; of several, each is told at once and the exit code is EXIT_PARTIAL. */
static int back_up_all(struct job *job, struct firn_error **err)
{
    const struct arguments *arguments = job->cli->arguments;
    size_t count = arguments_count(arguments);
    for (size_t i = 0; i < count && !cancel_requested(); i++) {
        auto_error struct firn_error *why = NULL;
        const char *source = arguments_operand(arguments, i);
        if (back_up(job, source, &why) == 0)
            continue;
        job->failed++;
        if (count == 1) {
            *err = steal(why);
            return wrap(err, "%s", source);
        }
        keep_failure(job, source, why);
        fprintf(stderr, "firn: %s: %s\n", source, error_message(why));
    }
    if (job->failed == 0)
        return cancel_check(err);
    job->cli->status = job->failed < count ? EXIT_PARTIAL : EXIT_FAILED;
    return fail(err, FIRN_INTERNAL, "%zu of %zu sources failed", job->failed, count);
}

static int read_options(struct job *job, struct firn_range **changed, struct firn_error **err)
{
    const struct arguments *arguments = job->cli->arguments;
    const char *map = argument_text(arguments, "changed");
    struct backup_request *request = &job->request;
    request->parent = argument_text(arguments, "parent");
    request->consistency = consistency(arguments);
    request->capture.compression = (int)argument_number(arguments, "compression", 0);
    request->capture.workers = (unsigned)argument_number(arguments, "workers", 0);
    if (request->capture.compression > 19)
        return usage(job->cli, err, "--compression: levels go from 1 to 19");
    if (map == NULL)
        return 0;
    if (arguments_count(arguments) != 1)
        return usage(job->cli, err, "--changed describes one source, but %zu are named",
                     arguments_count(arguments));
    if (request->parent != NULL && strcmp(request->parent, "none") == 0)
        return usage(job->cli, err, "--changed needs a parent");
    if (changes_read(map, changed, &request->changed_count, err) < 0) {
        job->cli->status = EXIT_USAGE;
        return -1;
    }
    request->changed = *changed;
    return 0;
}

static int open_index(struct job *job, struct firn_error **err)
{
    auto_free char *cache = cli_cache_directory(job->cli);
    return index_open(job->cli->repo, cache, INDEX_MEMORY, NULL, NULL, &job->index, err);
}

static int print_results(struct job *job, struct firn_error **err)
{
    if (job->cli->output == OUTPUT_TABLE || json_object_array_length(job->results) == 0)
        return 0;
    return output_value(job->cli, job->results, err);
}

/* ------------------------------------------------------------------------------------------------ --dry-run */

struct listing {
    struct json_object *array;
    const char *plugin;
};

static int add_listed(void *context, const char *reference, const char *description)
{
    struct listing *listing = context;
    if (reference == NULL)
        return -1;
    struct json_object *row = json_object_new_object();
    auto_free char *item = mem_printf("%s:%s", listing->plugin, reference);
    json_set_string(row, "item", item);
    json_set_string(row, "description", description);
    json_object_array_add(listing->array, row);
    return 0;
}

static int list_source(struct cli *cli, const char *source, struct json_object *array,
                       struct firn_error **err)
{
    auto_free char *plugin = mem_dup(source, strcspn(source, ":"));
    struct listing listing = {array, plugin};
    return backup_list(cli->plugins, cli->settings, source, add_listed, &listing, err);
}

static int dry_run(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"ITEM", "item", COLUMN_TEXT},
                                            {"WHAT", "description", COLUMN_TEXT}};
    auto_json struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < arguments_count(cli->arguments); i++)
        if (list_source(cli, arguments_operand(cli->arguments, i), array, err) < 0)
            return -1;
    return output_list(cli, array, columns, array_length(columns), "nothing would be taken", err);
}

static int run(struct cli *cli, struct firn_error **err)
{
    struct job job = {.cli = cli};
    auto_free struct firn_range *changed = NULL;
    auto_free const char **tags = NULL;
    if (argument_flag(cli->arguments, "dry-run"))
        return dry_run(cli, err);
    if (read_options(&job, &changed, err) < 0 || cli_open(cli, err) < 0 ||
        open_index(&job, err) < 0)
        return -1;
    job.request.tag_count = argument_list(cli->arguments, "tag", &tags);
    job.request.tags = tags;
    auto_json struct json_object *results = json_object_new_array();
    job.results = results;
    int result = back_up_all(&job, err);
    index_close(job.index);
    if (print_results(&job, result == 0 ? err : NULL) < 0)
        return -1;
    return result;
}

static const struct option options[] = {
    {.name = "parent",
     .type = OPTION_TEXT,
     .value = "SNAP|none",
     .description =
         "the snapshot to build on (the latest of the same source); none: take everything"},
    {.name = "changed",
     .type = OPTION_PATH,
     .value = "MAP|-",
     .description = "what changed since the parent: a JSON list of {\"offset\": N, \"length\": N}; "
                    "only that is read"},
    {.name = "tag",
     .type = OPTION_LIST,
     .value = "TAG",
     .description = "mark the snapshot; may be repeated"},
    {.name = "consistency",
     .type = OPTION_CHOICE,
     .value = "required|best-effort|none",
     .description = "required: fail if file systems cannot be frozen; best-effort: freeze if "
                    "possible, and say so if not; "
                    "none: do not freeze"},
    {.name = "compression",
     .type = OPTION_NUMBER,
     .value = "LEVEL",
     .description = "zstd level, 1 (default) to 19"},
    {.name = "workers",
     .type = OPTION_NUMBER,
     .value = "N",
     .description = "threads that compress and encrypt (one a core)"},
    {.name = "dry-run",
     .letter = 'n',
     .type = OPTION_FLAG,
     .description = "only list what would be taken"},
    {0},
};

static const struct example examples[] = {
    {"a disk image", "firn backup image:/var/lib/disk.img"},
    {"a virtual machine; fail rather than take it without a freeze",
     "firn backup libvirt:web01 --consistency required"},
    {"every image of a registry's namespace", "firn backup imagestream:registry.example:5000/team"},
    {"only what a dirty map names", "firn backup image:/dev/vg/data --changed map.json"},
    {0},
};

const struct verb verb_backup = {
    .name = "backup",
    .operands = "SOURCE...",
    .summary = "take snapshots of sources",
    .description =
        "SOURCE is PLUGIN:REFERENCE; the plugin says what a reference is (`firn help PLUGIN`). "
        "Each source becomes one "
        "snapshot, complete in itself. If the same source was backed up before, the new snapshot "
        "builds on the latest one: "
        "where the plugin can tell what changed only that is read, and blocks that the repository "
        "holds are not stored again.\n\n"
        "What was reached is said in three words: application-consistent (applications were "
        "quiesced), filesystem-consistent "
        "(file systems were frozen, or the machine was off) and crash-consistent (as after a power "
        "cut).\n\n"
        "If one of several sources fails, the others are still taken, and the exit code is 3.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = SIZE_MAX,
    .plugin_options = true,
    .run = run,
};
