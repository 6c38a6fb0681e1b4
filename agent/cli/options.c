/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>

const struct option options_global[] = {
    {.name = "repository",
     .letter = 'r',
     .type = OPTION_TEXT,
     .value = "REPO",
     .environment = "FIRN_REPOSITORY",
     .description = "where the repository is: a directory, or s3://host/bucket/prefix"},
    {.name = "key-file",
     .type = OPTION_PATH,
     .value = "FILE",
     .environment = "FIRN_KEY_FILE",
     .description = "the key file that opens the repository"},
    {.name = "password-file",
     .type = OPTION_PATH,
     .value = "FILE",
     .environment = "FIRN_PASSWORD_FILE",
     .description = "a file that holds the passphrase; a newline at its end does not count"},
    {.name = "private-key",
     .type = OPTION_PATH,
     .value = "PEM",
     .environment = "FIRN_PRIVATE_KEY",
     .description = "the private key of a recipient (see `firn key`)"},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_CHOICE,
     .value = "table|json|yaml",
     .environment = "FIRN_OUTPUT",
     .description = "how results are written to standard output"},
    {.name = "quiet",
     .letter = 'q',
     .type = OPTION_FLAG,
     .description = "no progress, no notes, no summaries; lists are still printed"},
    {.name = "verbose",
     .letter = 'v',
     .type = OPTION_COUNT,
     .description = "say more; -vv: everything"},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .value = "text|json",
     .environment = "FIRN_LOG_FORMAT",
     .description = "how log lines and progress are written to standard error"},
    {.name = "cache-dir",
     .type = OPTION_PATH,
     .value = "DIR",
     .environment = "FIRN_CACHE_DIR",
     .description =
         "where the deduplication index and snapshots are cached ($XDG_CACHE_HOME/firn)"},
    {.name = "no-cache", .type = OPTION_FLAG, .description = "neither read nor write a cache"},
    {.name = "limit-upload",
     .type = OPTION_TEXT,
     .value = "RATE",
     .environment = "FIRN_LIMIT_UPLOAD",
     .description = "send at most so many bytes a second over the network, as in 10M; 0: no limit"},
    {.name = "limit-download",
     .type = OPTION_TEXT,
     .value = "RATE",
     .environment = "FIRN_LIMIT_DOWNLOAD",
     .description = "receive at most so many bytes a second over the network; 0: no limit"},
    {.name = "config",
     .type = OPTION_PATH,
     .value = "FILE",
     .environment = "FIRN_CONFIG",
     .description =
         "the configuration file ($XDG_CONFIG_HOME/firn/config.yaml, else /etc/firn/config.yaml)"},
    {.name = "plugin-path",
     .type = OPTION_TEXT,
     .value = "DIR[:DIR]",
     .description = "where to look for plugins first; $FIRN_PLUGIN_PATH is searched next"},
    {.name = "set",
     .type = OPTION_LIST,
     .value = "PLUGIN.PARAM=VALUE",
     .description = "set a parameter of a plugin; may be repeated"},
    {.name = "help",
     .letter = 'h',
     .type = OPTION_FLAG,
     .description = "explain the program or the verb"},
    {.name = "version",
     .letter = 'V',
     .type = OPTION_FLAG,
     .description = "the same as the verb version"},
    {0},
};

const struct verb *const verbs[] = {
    &verb_init,    &verb_backup, &verb_snapshots,  &verb_show,    &verb_diff,
    &verb_restore, &verb_export, &verb_copy,       &verb_cat,     &verb_check,
    &verb_repair,  &verb_forget, &verb_hold,       &verb_prune,   &verb_stats,
    &verb_key,     &verb_help,   &verb_completion, &verb_version, NULL,
};

const struct verb *verb_find(const char *name, size_t length)
{
    for (size_t i = 0; verbs[i] != NULL; i++)
        if (strlen(verbs[i]->name) == length && memcmp(verbs[i]->name, name, length) == 0)
            return verbs[i];
    return NULL;
}

const struct option *option_find(const struct option *table, const char *name, size_t length)
{
    for (; table != NULL && table->name != NULL; table++)
        if (strlen(table->name) == length && memcmp(table->name, name, length) == 0)
            return table;
    return NULL;
}

const struct option *option_find_letter(const struct option *table, char letter)
{
    for (; table != NULL && table->name != NULL; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

bool option_takes_value(const struct option *option)
{
    return option->type != OPTION_FLAG && option->type != OPTION_COUNT;
}
