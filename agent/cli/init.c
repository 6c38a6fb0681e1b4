/* SPDX-License-Identifier: Apache-2.0 */
/* firn init. The key is on disk before the repository exists: a crash in between leaves a key without a repository, never a
 * repository without a key. */
#include "cli.h"
#include "credential.h"
#include "output.h"
#include "record.h"

#include "core/clock.h"
#include "core/json.h"

#include <string.h>

#define DAY          INT64_C(86400000)
#define GENERATION   (10 * DAY)
#define PERIOD_LEAST INT64_C(60000)
#define PERIOD_MOST  (36500 * DAY)

#include <unistd.h>

static int get_credential(struct cli *cli, struct credential *out, struct firn_error **err)
{
    const char *new_key = argument_text(cli->arguments, "new-key");
    if (new_key != NULL)
        return credential_new_key_file(new_key, out, err);
    if (argument_flag(cli->arguments, "new-passphrase"))
        return credential_new_passphrase(out, err);
    return credential_present(cli, &place_repository, out, err);
}

/* Nothing is made, not even a key, where a repository is already. */
static int check_empty(struct cli *cli, struct firn_error **err)
{
    struct repo *there = NULL;
    auto_error struct firn_error *why = NULL;
    if (repo_open(cli->store, &there, &why) < 0 && error_code(why) == FIRN_NOTFOUND)
        return 0;
    repo_close(there);
    cli->status = EXIT_FAILED;
    return fail(err, FIRN_CONFLICT, "%s: there is a repository already",
                argument_text(cli->arguments, "repository"));
}

/* ------------------------------------------------------------------------------------------------ locks */

/* A bare number would be seconds, and is never meant to be. */
static int read_period(struct cli *cli, const char *name, int64_t *out, struct firn_error **err)
{
    const char *text = argument_text(cli->arguments, name);
    if (text == NULL)
        return 0;
    *out = argument_number(cli->arguments, name, 0);
    if (text[strspn(text, "0123456789")] == '\0')
        return usage(cli, err, "--%s %s: say of what, as in %sd", name, text, text);
    if (*out < PERIOD_LEAST || *out > PERIOD_MOST)
        return usage(cli, err, "--%s %s: it is at least a minute, and at most a hundred years",
                     name, text);
    return 0;
}

static int read_lock(struct cli *cli, struct lock_rule *out, struct firn_error **err)
{
    const char *mode = argument_text(cli->arguments, "immutable");
    bool retain = argument_text(cli->arguments, "retain") != NULL;
    bool generation = argument_text(cli->arguments, "generation") != NULL;
    if (mode == NULL && (retain || generation))
        return usage(cli, err, "--retain and --generation belong to --immutable");
    if (mode != NULL && !retain)
        return usage(cli, err, "--immutable: say with --retain for how long, as in --retain 30d");
    if (mode == NULL)
        return 0;
    out->mode = store_lock_mode_parse(mode);
    if (read_period(cli, "retain", &out->period, err) < 0)
        return -1;
    out->generation = out->period < GENERATION ? out->period : GENERATION;
    return read_period(cli, "generation", &out->generation, err);
}

/* Before there is a key. */
static int check_lockable(struct cli *cli, const struct lock_rule *rule, struct firn_error **err)
{
    if (rule->mode == STORE_UNLOCKED || store_can_lock(cli->store, err) == 0)
        return 0;
    return wrap(err, "--immutable");
}

/* What the repository rests on, for people. */
static void tell_store(struct cli *cli, const struct repo *repo)
{
    char period[DURATION_TEXT_LENGTH];
    const struct store_abilities *store = &repo->abilities;
    if (repo->lock.mode != STORE_UNLOCKED) {
        duration_format(repo->lock.period, period);
        cli_note(cli,
                 "Each snapshot is protected for %s (%s): until then nobody%s can remove what it "
                 "needs.",
                 period, store_lock_mode_name(repo->lock.mode),
                 repo->lock.mode == STORE_GOVERNANCE ? " without s3:BypassGovernanceRetention"
                                                     : "");
    }
    if (store->condition != STORE_CONDITION_KEPT)
        cli_note(
            cli,
            "The server %s If-None-Match: do not make one repository twice at the same moment.",
            store->condition == STORE_CONDITION_IGNORED ? "ignores" : "does not know");
    if (repo->lock.mode == STORE_UNLOCKED && store->locks)
        cli_note(cli, "The bucket has Object Lock, which is not made use of: see --immutable.");
}

static int report(struct cli *cli, const char *key_file, struct firn_error **err)
{
    static const struct column columns[] = {{"repository", "repository", COLUMN_TEXT},
                                            {"id", "id", COLUMN_TEXT},
                                            {"key file", "key_file", COLUMN_TEXT},
                                            {"immutable", "immutable", COLUMN_TEXT},
                                            {"retained for", "retain_ms", COLUMN_DURATION}};
    auto_json struct json_object *record = json_object_new_object();
    json_set_string(record, "repository", argument_text(cli->arguments, "repository"));
    json_set_string(record, "id", cli->repo->id_text);
    json_set_string(record, "slot", cli->repo->slot_id);
    json_set_string(record, "key_file", key_file);
    record_store(record, cli->repo);
    if (cli->quiet && cli->output == OUTPUT_TABLE)
        return 0;
    if (output_record(cli, record, columns, sizeof(columns) / sizeof(columns[0]), err) < 0)
        return -1;
    cli_note(cli,
             "%s opens this repository. Keep a copy of it elsewhere: without it nobody, the makers "
             "of Firn included, "
             "can read the backups.",
             key_file != NULL ? key_file : "What was given as key");
    tell_store(cli, cli->repo);
    return 0;
}

static int run(struct cli *cli, struct firn_error **err)
{
    auto_credential struct credential credential = {0};
    const char *new_key = argument_text(cli->arguments, "new-key");
    const char *label = argument_text(cli->arguments, "label");
    struct repo_options options = {.credential = NULL};
    if (read_lock(cli, &options.lock, err) < 0 || cli_create_store(cli, err) < 0 ||
        check_empty(cli, err) < 0 || check_lockable(cli, &options.lock, err) < 0 ||
        get_credential(cli, &credential, err) < 0)
        return -1;
    if (credential.key.kind == KEY_PUBLIC)
        return usage(cli, err,
                     "a repository begins with a key file or a passphrase; add recipients with "
                     "`firn key add`");
    options.credential = &credential.key;
    options.label = label != NULL ? label : "first";
    if (repo_init(cli->store, &options, &cli->repo, err) < 0) {
        if (new_key != NULL)
            unlink(new_key);
        return -1;
    }
    return report(cli, new_key, err);
}

static const struct option options[] = {
    CREDENTIAL_OPTIONS_NEW,
    {.name = "immutable",
     .type = OPTION_CHOICE,
     .value = "governance|compliance",
     .description = "lock every object by S3 Object Lock; compliance: nobody can lift it"},
    {.name = "retain",
     .type = OPTION_DURATION,
     .value = "DURATION",
     .description = "for how long each snapshot is protected from then on: 30d"},
    {.name = "generation",
     .type = OPTION_DURATION,
     .value = "DURATION",
     .description = "how often the lock of what is in use is extended; nothing is locked for "
                    "longer than both together (10d, or --retain if that is less)"},
    {0},
};

static const struct example examples[] = {
    {"a repository in a directory, with a key file", "firn -r /backup init --new-key ~/firn.key"},
    {"with a passphrase", "firn -r /backup init --new-passphrase"},
    {"out of reach of whoever steals the writer's credentials, for a month",
     "firn -r s3://s3.eu-west-1.amazonaws.com/locked init --new-key ~/firn.key --immutable "
     "compliance --retain 30d"},
    {0},
};

const struct verb verb_init = {
    .name = "init",
    .operands = "[--new-key FILE | --new-passphrase] [--immutable MODE --retain DURATION]",
    .summary = "make a repository",
    .description =
        "Makes an empty repository at REPO; a directory that does not exist is made. The key is a "
        "new key file (--new-key), "
        "a new passphrase (--new-passphrase), or an existing one as the other verbs take it "
        "(--key-file, --password-file).\n\n"
        "The key file is durable on disk before the repository exists. Whoever loses every key "
        "loses the backups: keep a "
        "copy of the key file apart from the repository, or add a second key with `firn key "
        "add`.\n\n"
        "In S3, init finds out what the server really does, and records it. With --immutable every "
        "object is locked when it is written, and what a snapshot relies on is locked again before "
        "it is committed: the bucket must have been made with Object Lock. Neither mode nor times "
        "can be changed later.",
    .options = options,
    .examples = examples,
    .run = run,
};
