/* SPDX-License-Identifier: Apache-2.0 */
/* firn copy. Every snapshot is tried; one that is damaged does not stop the others. */
#include "repo/copy.h"

#include "cli.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "display.h"
#include "host/progress.h"
#include "output.h"
#include "record.h"
#include "repo/index.h"
#include "selector.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

static const struct place target = {.what = "target",
                                    .repository = "to",
                                    .key_file = "to-key-file",
                                    .private_key = "to-private-key",
                                    .password_file = "to-password-file",
                                    .repository_variable = "FIRN_TO_REPOSITORY",
                                    .key_file_variable = "FIRN_TO_KEY_FILE",
                                    .passphrase_variable = "FIRN_TO_PASSWORD"};

struct job {
    struct cli *cli;
    struct store *store; /* of the target */
    struct repo *repo;
    struct index *index;
    struct copy *copy;
    struct progress *progress;
    struct json_object *rows;
    size_t tried, failed, copied;
};

static void damaged(void *context, const char *name, const struct firn_error *why)
{
    struct job *job = context;
    log_warning("%s cannot be read: %s", name, error_message(why));
    job->tried++;
    job->failed++;
}

static void show_progress(void *context, uint64_t total, uint64_t done)
{
    struct job *job = context;
    progress_set(job->progress, total, done);
}

/* ------------------------------------------------------------------------------------------------ results */

static void add_row(struct job *job, const struct snapshot *snapshot, const char *action,
                    const struct copy_outcome *outcome, const struct firn_error *why)
{
    struct json_object *row = json_object_new_object();
    json_set_string(row, "action", action);
    json_set_string(row, "id", snapshot->id_text);
    json_set_string(row, "item", snapshot->item);
    record_time(row, "committed", snapshot->committed);
    if (outcome->id[0] != '\0')
        json_set_string(row, "target_id", outcome->id);
    json_set_uint(row, "bytes_total", outcome->bytes_total);
    json_set_uint(row, "bytes_read", outcome->bytes_read);
    json_set_uint(row, "bytes_new", outcome->bytes_new);
    json_set_uint(row, "bytes_stored", outcome->bytes_stored);
    if (why != NULL)
        json_set_string(row, "error", error_message(why));
    json_object_array_add(job->rows, row);
}

static int report(struct job *job, struct firn_error **err)
{
    static const struct column columns[] = {
        {"ACTION", "action", COLUMN_TEXT},   {"ID", "id", COLUMN_ID},
        {"COPY", "target_id", COLUMN_ID},    {"TIME", "committed", COLUMN_TIME},
        {"ITEM", "item", COLUMN_TEXT},       {"SIZE", "bytes_total", COLUMN_SIZE},
        {"READ", "bytes_read", COLUMN_SIZE}, {"STORED", "bytes_stored", COLUMN_SIZE}};
    if (job->copy == NULL)
        return 0;
    if (output_list(job->cli, job->rows, columns, array_length(columns), "no snapshots", err) < 0)
        return -1;
    bool dry = argument_flag(job->cli->arguments, "dry-run");
    cli_note(job->cli, "%zu snapshots %s", job->copied, dry ? "would be copied" : "copied");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ copying */

static int copy_one(struct job *job, const struct snapshot *snapshot, struct firn_error **err)
{
    struct copy_outcome outcome;
    auto_error struct firn_error *why = NULL;
    bool dry = argument_flag(job->cli->arguments, "dry-run");
    progress_step(job->progress, snapshot->item);
    job->tried++;
    int result = dry ? copy_measure(job->copy, snapshot, &outcome, &why)
                     : copy_snapshot(job->copy, snapshot, &outcome, &why);
    if (result == 0) {
        job->copied += !outcome.held;
        add_row(job, snapshot, outcome.held ? "held" : "copy", &outcome, NULL);
        return 0;
    }
    if (error_code(why) != FIRN_CORRUPT)
        return fail(err, error_code(why), "snapshot %.12s: %s", snapshot->id_text,
                    error_message(why));
    job->failed++;
    add_row(job, snapshot, "failed", &outcome, why);
    fprintf(stderr, "firn: snapshot %.12s: %s\n", snapshot->id_text, error_message(why));
    return 0;
}

static bool wanted(const struct arguments *arguments, const struct snapshot *snapshot)
{
    const char *source = argument_text(arguments, "source");
    const char *tag = argument_text(arguments, "tag");
    return (source == NULL || strcmp(snapshot->item, source) == 0) &&
           (tag == NULL || snapshot_has_tag(snapshot, tag));
}

static int copy_all(struct job *job, struct firn_error **err)
{
    size_t count;
    struct snapshot *const *list = copy_snapshots(job->copy, &count);
    for (size_t i = 0; i < count; i++)
        if (wanted(job->cli->arguments, list[i]) &&
            (cancel_check(err) < 0 || copy_one(job, list[i], err) < 0))
            return -1;
    return 0;
}

static int copy_named(struct job *job, struct firn_error **err)
{
    const struct arguments *arguments = job->cli->arguments;
    for (size_t i = 0; i < arguments_count(arguments); i++) {
        auto_snapshot struct snapshot *snapshot = NULL;
        if (select_snapshot(job->cli, arguments_operand(arguments, i), &snapshot, err) < 0 ||
            cancel_check(err) < 0 || copy_one(job, snapshot, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the verb */

static int open_both(struct job *job, struct firn_error **err)
{
    struct cli *cli = job->cli;
    const struct arguments *arguments = cli->arguments;
    if (cli_open(cli, err) < 0)
        return -1;
    if (cli_open_place(cli, &target, &job->store, &job->repo, err) < 0)
        return wrap(err, "the target");
    auto_free char *cache = cli_cache_directory(cli);
    if (index_open(job->repo, cache, INDEX_MEMORY, NULL, NULL, &job->index, err) < 0)
        return wrap(err, "the target");
    const struct copy_options options = {
        .capture = {.compression = (int)argument_number(arguments, "compression", 0),
                    .workers = (unsigned)argument_number(arguments, "workers", 0)},
        .progress = show_progress,
        .damaged = damaged,
        .context = job,
    };
    return copy_open(cli->repo, job->repo, job->index, &options, &job->copy, err);
}

static int check_usage(struct cli *cli, struct firn_error **err)
{
    const struct arguments *arguments = cli->arguments;
    bool filtered =
        argument_text(arguments, "source") != NULL || argument_text(arguments, "tag") != NULL;
    bool all = argument_flag(arguments, "all") || filtered;
    if ((arguments_count(arguments) > 0) == all)
        return usage(cli, err, "copy: %s",
                     all ? "either name snapshots or give --all, --source or --tag, not both"
                         : "name snapshots, or say --all");
    if (argument_number(arguments, "compression", 0) > 19)
        return usage(cli, err, "--compression: levels go from 1 to 19");
    return 0;
}

static int work(struct job *job, struct firn_error **err)
{
    if (open_both(job, err) < 0)
        return -1;
    struct display *display = display_start(job->cli, "copy", job->progress);
    int result =
        arguments_count(job->cli->arguments) > 0 ? copy_named(job, err) : copy_all(job, err);
    display_stop(display);
    return result;
}

static int run(struct cli *cli, struct firn_error **err)
{
    struct job job = {.cli = cli};
    if (check_usage(cli, err) < 0)
        return -1;
    auto_json struct json_object *rows = json_object_new_array();
    job.rows = rows;
    job.progress = progress_new();
    int result = work(&job, err);
    copy_close(job.copy);
    index_close(job.index);
    repo_close(job.repo);
    store_close(job.store);
    progress_free(job.progress);
    if (report(&job, result == 0 ? err : NULL) < 0 || result < 0)
        return -1;
    if (job.failed == 0)
        return 0;
    cli->status = job.failed < job.tried ? EXIT_PARTIAL : EXIT_DAMAGED;
    return fail(err, FIRN_CORRUPT,
                "%zu of %zu snapshots could not be copied: `firn check` tells more", job.failed,
                job.tried);
}

static const struct option options[] = {
    {.name = "to",
     .type = OPTION_TEXT,
     .value = "REPO",
     .environment = "FIRN_TO_REPOSITORY",
     .description = "the repository to copy to: a directory, or s3://host/bucket/prefix"},
    {.name = "to-key-file",
     .type = OPTION_PATH,
     .value = "FILE",
     .environment = "FIRN_TO_KEY_FILE",
     .description = "the key file that opens the target; a write-only key will do"},
    {.name = "to-password-file",
     .type = OPTION_PATH,
     .value = "FILE",
     .environment = "FIRN_TO_PASSWORD_FILE",
     .description = "a file that holds the passphrase of the target"},
    {.name = "to-private-key",
     .type = OPTION_PATH,
     .value = "PEM",
     .environment = "FIRN_TO_PRIVATE_KEY",
     .description = "the private key of a recipient that opens the target"},
    {.name = "all", .type = OPTION_FLAG, .description = "copy all snapshots"},
    {.name = "source",
     .type = OPTION_TEXT,
     .value = "SOURCE",
     .description = "copy all snapshots of this source"},
    {.name = "tag", .type = OPTION_TEXT, .value = "TAG", .description = "copy all with this tag"},
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
     .description = "only list what would be copied, and how much of it be read"},
    {0},
};

static const struct example examples[] = {
    {"everything that the second repository does not hold yet",
     "firn copy --all --to s3://s3.example/backup --to-key-file second.key"},
    {"the latest snapshot of a machine",
     "firn copy latest:libvirt:web01 --to /mnt/usb/repository --to-password-file passphrase"},
    {0},
};

const struct verb verb_copy = {
    .name = "copy",
    .operands = "SNAP... | --all --to REPO",
    .summary = "copy snapshots to another repository",
    .description =
        "Copies the snapshots that are named, or all (of a source, with a tag), to the repository "
        "REPO, which has a key of its own: what is copied is decrypted with one key and encrypted "
        "with the other. What the target holds is not sent again, snapshots that it holds are "
        "passed over, and of a snapshot whose predecessor it holds only the changed places are "
        "read.\n\n"
        "A copy keeps item, times, tags, consistency and parentage, and says of which snapshot it "
        "is one (`firn show`). It is a snapshot like any other. Copying that was interrupted goes "
        "on when it is started again: what reached the target is found there.\n\n"
        "The passphrase of the target may come from $FIRN_TO_PASSWORD. A damaged snapshot does "
        "not stop the others: the exit code is then 3, or 13 if none could be copied.",
    .options = options,
    .examples = examples,
    .most = SIZE_MAX,
    .run = run,
};
