/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares: how much of the repository is to be read, as the user says it: "", "5%" or "5".
 */
#ifndef CLI_SHARE_H
#define CLI_SHARE_H

struct cli;
struct firn_error;

/* The value of the option: 0 if it is not given, 100 if it has no value. */
int share_read(struct cli *cli, const char *option, unsigned *percent, struct firn_error **err);

#endif
