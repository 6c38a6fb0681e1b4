/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer out of the repository through a plugin: what restore and export share. Shows progress and reports.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

struct cli;
struct firn_error;
struct selection;

int transfer_restore(struct cli *cli, const struct selection *selection, const char *target,
                     struct firn_error **err);
/* One object to standard output, zeros written out. */
int transfer_to_stdout(struct cli *cli, const struct selection *selection, struct firn_error **err);

#endif
