/* SPDX-License-Identifier: Apache-2.0 */
/* firn init. The key is on disk before the repository exists: a crash in between leaves a key without a repository, never a
 * repository without a key. */
#include "cli.h"
#include "core/json.h"
#include "credential.h"
#include "output.h"

#include <string.h>

#include <stdio.h>
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

static int report(struct cli *cli, const char *key_file, struct firn_error **err)
{
    static const struct column columns[] = {{"repository", "repository", COLUMN_TEXT},
                                            {"id", "id", COLUMN_TEXT},
                                            {"key file", "key_file", COLUMN_TEXT}};
    auto_json struct json_object *record = json_object_new_object();
    json_set_string(record, "repository", argument_text(cli->arguments, "repository"));
    json_set_string(record, "id", cli->repo->id_text);
    json_set_string(record, "slot", cli->repo->slot_id);
    json_set_string(record, "key_file", key_file);
    if (cli->quiet && cli->output == OUTPUT_TABLE)
        return 0;
    if (output_record(cli, record, columns, sizeof(columns) / sizeof(columns[0]), err) < 0)
        return -1;
    cli_note(cli,
             "%s opens this repository. Keep a copy of it elsewhere: without it nobody, the makers "
             "of Firn included, "
             "can read the backups.",
             key_file != NULL ? key_file : "What was given as key");
    return 0;
}

static int run(struct cli *cli, struct firn_error **err)
{
    auto_credential struct credential credential = {0};
    const char *new_key = argument_text(cli->arguments, "new-key");
    const char *label = argument_text(cli->arguments, "label");
    if (cli_create_store(cli, err) < 0 || check_empty(cli, err) < 0 ||
        get_credential(cli, &credential, err) < 0)
        return -1;
    if (credential.key.kind == KEY_PUBLIC)
        return usage(cli, err,
                     "a repository begins with a key file or a passphrase; add recipients with "
                     "`firn key add`");
    if (repo_init(cli->store, &credential.key, label != NULL ? label : "first", &cli->repo, err) <
        0) {
        if (new_key != NULL)
            unlink(new_key);
        return -1;
    }
    return report(cli, new_key, err);
}

static const struct option options[] = {
    CREDENTIAL_OPTIONS_NEW,
    {0},
};

static const struct example examples[] = {
    {"a repository in a directory, with a key file", "firn -r /backup init --new-key ~/firn.key"},
    {"with a passphrase", "firn -r /backup init --new-passphrase"},
    {0},
};

const struct verb verb_init = {
    .name = "init",
    .operands = "[--new-key FILE | --new-passphrase]",
    .summary = "make a repository",
    .description =
        "Makes an empty repository at REPO; a directory that does not exist is made. The key is a "
        "new key file (--new-key), "
        "a new passphrase (--new-passphrase), or an existing one as the other verbs take it "
        "(--key-file, --password-file).\n\n"
        "The key file is durable on disk before the repository exists. Whoever loses every key "
        "loses the backups: keep a "
        "copy of the key file apart from the repository, or add a second key with `firn key add`.",
    .options = options,
    .examples = examples,
    .run = run,
};
