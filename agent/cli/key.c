/* SPDX-License-Identifier: Apache-2.0 */
/* firn key */
#include "cli.h"
#include "core/json.h"
#include "core/mem.h"
#include "credential.h"
#include "output.h"
#include "record.h"

#include <string.h>

static const char *const kinds[] = {
    [KEY_FILE] = "key file", [KEY_PASSPHRASE] = "passphrase", [KEY_PUBLIC] = "public key"};
static const char *const roles[] = {[KEY_FULL] = "full", [KEY_WRITE_ONLY] = "write-only"};

static int list(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"ID", "id", COLUMN_ID},
                                            {"KIND", "kind", COLUMN_TEXT},
                                            {"ROLE", "role", COLUMN_TEXT},
                                            {"CREATED", "created", COLUMN_TIME},
                                            {"CURRENT", "current", COLUMN_TEXT},
                                            {"LABEL", "label", COLUMN_TEXT}};
    struct key_slot *slots;
    size_t count;
    auto_json struct json_object *array = json_object_new_array();
    if (cli_open(cli, err) < 0 || key_slots_list(cli->store, &slots, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct json_object *row = json_object_new_object();
        json_set_string(row, "id", slots[i].id);
        json_set_string(row, "kind", kinds[slots[i].kind]);
        json_set_string(row, "role", roles[slots[i].role]);
        json_set_string(row, "label", slots[i].label);
        record_time(row, "created", slots[i].created);
        json_set_bool(row, "current", strcmp(slots[i].id, cli->repo->slot_id) == 0);
        json_object_array_add(array, row);
    }
    key_slots_free(slots, count);
    return output_list(cli, array, columns, array_length(columns), "no keys", err);
}

static int new_credential(struct cli *cli, struct credential *out, struct firn_error **err)
{
    const char *file = argument_text(cli->arguments, "new-key");
    const char *recipient = argument_text(cli->arguments, "recipient");
    bool passphrase = argument_flag(cli->arguments, "new-passphrase");
    if ((file != NULL) + (recipient != NULL) + passphrase != 1)
        return usage(cli, err,
                     "key add: give one of --new-key FILE, --new-passphrase and --recipient PEM");
    if (file != NULL)
        return credential_new_key_file(file, out, err);
    if (recipient != NULL)
        return credential_read(KEY_PUBLIC, recipient, out, err);
    return credential_new_passphrase(out, err);
}

static int add(struct cli *cli, struct firn_error **err)
{
    auto_credential struct credential credential = {0};
    char id[FORMAT_ID_TEXT];
    const char *label = argument_text(cli->arguments, "label");
    enum key_role role = argument_flag(cli->arguments, "write-only") ? KEY_WRITE_ONLY : KEY_FULL;
    if (cli_open(cli, err) < 0 || new_credential(cli, &credential, err) < 0 ||
        key_slot_add(cli->store, &cli->repo->keyring, &credential.key, role,
                     label != NULL ? label : "", id, err) < 0)
        return -1;
    auto_json struct json_object *record = json_object_new_object();
    json_set_string(record, "id", id);
    json_set_string(record, "kind", kinds[credential.key.kind]);
    json_set_string(record, "role", roles[role]);
    if (cli->output != OUTPUT_TABLE)
        return output_value(cli, record, err);
    auto_free char *line =
        mem_printf("added key %.12s: %s, %s\n", id, kinds[credential.key.kind], roles[role]);
    return cli->quiet ? 0 : output_text(line, strlen(line), err);
}

static int remove_key(struct cli *cli, struct firn_error **err)
{
    const char *id = arguments_operand(cli->arguments, 1);
    if (id == NULL)
        return usage(cli, err,
                     "key remove: the id of a key is missing; `firn key list` shows them");
    if (cli_open(cli, err) < 0)
        return -1;
    if (key_slot_remove(cli->store, id, err) < 0) {
        cli->status = EXIT_FAILED;
        return -1;
    }
    cli_note(
        cli,
        "removed key %s; whoever copied the repository and holds that key can still read the copy",
        id);
    return 0;
}

static int run(struct cli *cli, struct firn_error **err)
{
    const char *action = arguments_operand(cli->arguments, 0);
    if (strcmp(action, "remove") == 0)
        return remove_key(cli, err);
    if (arguments_count(cli->arguments) > 1)
        return usage(cli, err, "key %s: \"%s\" is too much", action,
                     arguments_operand(cli->arguments, 1));
    if (strcmp(action, "list") == 0)
        return list(cli, err);
    if (strcmp(action, "add") == 0)
        return add(cli, err);
    return usage(cli, err, "key: \"%s\" is none of list, add and remove", action);
}

static const struct option options[] = {
    CREDENTIAL_OPTIONS_NEW,
    {.name = "recipient",
     .type = OPTION_PATH,
     .value = "PEM",
     .description = "the public key of a recipient, who opens the repository with --private-key"},
    {.name = "write-only",
     .type = OPTION_FLAG,
     .description = "the new key can make backups, and read no contents of any"},
    {0},
};

static const struct example examples[] = {
    {"a second key, to be kept in a safe", "firn key add --new-key safe.key --label safe"},
    {"a key for a machine that only makes backups",
     "firn key add --new-key agent.key --write-only"},
    {0},
};

const struct verb verb_key = {
    .name = "key",
    .operands = "list | add | remove ID",
    .summary = "list, add and remove the keys that open the repository",
    .description = "Each key opens the repository on its own: a key file, a passphrase, or the "
                   "private key of a recipient. A write-only key "
                   "suffices for making backups, deduplicated ones, too, but not for reading what "
                   "they hold.\n\n"
                   "The last key that can read is never removed.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 2,
    .run = run,
};
