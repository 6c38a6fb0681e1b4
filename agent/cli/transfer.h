/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer out of the repository through a plugin: what restore and export share. Shows progress and reports.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

struct cli;
struct firn_error;
struct selection;

/* The option with which what is damaged comes as zeros, and is named; the verbs that have it. */
#define TRANSFER_OPTION_SKIP_DAMAGED                                                               \
    {                                                                                              \
        .name = "skip-damaged", .type = OPTION_FLAG,                                               \
        .description =                                                                             \
            "go on where the repository is damaged: what is lost becomes zeros, and is "           \
            "named; exit code 13"                                                                  \
    }
#define TRANSFER_ABOUT_DAMAGE                                                                      \
    "Damage stops it, and is named; `firn repair` says all that is lost. With --skip-damaged "     \
    "everything else is written."

int transfer_restore(struct cli *cli, const struct selection *selection, const char *target,
                     struct firn_error **err);
/* One object to standard output, zeros written out. */
int transfer_to_stdout(struct cli *cli, const struct selection *selection, struct firn_error **err);

#endif
