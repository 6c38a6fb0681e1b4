/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: key files, passphrases and PEM files as the user names them.
 */
#ifndef CLI_CREDENTIAL_H
#define CLI_CREDENTIAL_H

#include "core/buf.h"
#include "repo/keys.h"

struct cli;
struct firn_error;

struct credential {
    struct key_credential key; /* points into secret */
    struct buf secret;
};
#define auto_credential __attribute__((cleanup(credential_wipe)))
void credential_wipe(struct credential *credential);

/* The one that opens the repository of a place. What the command line names comes before the environment, that before the
 * configuration file; else the variable with the passphrase; else the terminal is asked. */
struct place;
int credential_present(struct cli *cli, const struct place *place, struct credential *out,
                       struct firn_error **err);
/* From a file of that kind. */
int credential_read(enum key_kind kind, const char *path, struct credential *out,
                    struct firn_error **err);
/* A new passphrase: from $FIRN_NEW_PASSWORD, else asked for twice. */
int credential_new_passphrase(struct credential *out, struct firn_error **err);
/* A new key file: made (mode 0600, never replacing one) and durable before this returns. */
int credential_new_key_file(const char *path, struct credential *out, struct firn_error **err);

/* The options by which a new key is told, for the tables of the verbs that make one. */
#define CREDENTIAL_OPTIONS_NEW                                                                     \
    {.name = "new-key",                                                                            \
     .type = OPTION_PATH,                                                                          \
     .value = "FILE",                                                                              \
     .description = "make a key file (mode 0600; an existing file is never replaced)"},            \
        {.name = "new-passphrase",                                                                 \
         .type = OPTION_FLAG,                                                                      \
         .description = "ask for a new passphrase, twice; or take $FIRN_NEW_PASSWORD"},            \
    {                                                                                              \
        .name = "label", .type = OPTION_TEXT, .value = "TEXT",                                     \
        .description = "what the key is called in `firn key list`"                                 \
    }

#endif
