/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: what the verbs share. A verb returns 0, or -1 with an error; what it wants the process to exit with, if
 * not what the error's code stands for, it leaves in `status`.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "arguments.h"

#include "core/error.h"
#include "host/plugin.h"
#include "host/settings.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

#include <stdbool.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PARTIAL = 3,
    EXIT_NO_REPOSITORY = 10,
    EXIT_HELD = 11,
    EXIT_WRONG_KEY = 12,
    EXIT_DAMAGED = 13,
    EXIT_INTERRUPTED = 130,
};

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

struct cli {
    struct arguments *arguments;
    struct plugins *plugins;
    struct settings *settings;
    enum output_format output;
    bool quiet;
    enum exit_code status; /* EXIT_DONE: as the error says */
    struct store *store;   /* NULL until cli_open() */
    struct repo *repo;
};

/* Runs the program: everything but signals. Returns the exit code; errors have been written. */
int cli_main(int argc, char *const *argv);

/* A repository that the user names, by the options (and variables) that say where it is and what opens it. */
struct place {
    const char *what; /* in messages */
    const char *repository, *key_file, *private_key, *password_file;
    const char *repository_variable, *key_file_variable, *passphrase_variable;
};
extern const struct place place_repository;

/* Opens the repository of a place and unlocks it. What was opened is the caller's, also on error. Sets status. */
int cli_open_place(struct cli *cli, const struct place *place, struct store **store,
                   struct repo **repo, struct firn_error **err);
/* Of verbs that show what there was: cli_open() obeys it. */
#define CLI_OPTION_AS_OF                                                                           \
    {                                                                                              \
        .name = "as-of", .type = OPTION_TEXT, .value = "TIME",                                     \
        .description = "as if nothing had been committed after that moment: 2026-11-22T08:00:00Z"  \
    }

/* Opens the repository that the user means and unlocks it; does nothing if it is open. Sets status. */
int cli_open(struct cli *cli, struct firn_error **err);
/* The same without a key, for what needs none. */
int cli_open_locked(struct cli *cli, struct firn_error **err);
/* Opens the store only, and makes its directory. */
int cli_create_store(struct cli *cli, struct firn_error **err);
/* fail() for a mistake in the command line. */
#define usage(cli, err, ...) ((cli)->status = EXIT_USAGE, fail((err), FIRN_INVALID, __VA_ARGS__))
/* The directory of the cache, a new string; NULL: none is wanted, or known. */
char *cli_cache_directory(const struct cli *cli);
/* A line for people on standard error; nothing with --quiet. */
void cli_note(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
