/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What firn prune and firn forget --prune share.
 */
#ifndef CLI_PRUNE_H
#define CLI_PRUNE_H

#include "repo/collect.h"

struct cli;
struct firn_error;

/* Collects in the repository that is open, with a display, and says in a line or two what it did. */
int prune_collect(struct cli *cli, const struct collect_options *options,
                  struct collect_result *result, struct firn_error **err);
/* CORRUPT if it met damage that it could work around. */
int prune_verdict(const struct collect_result *result, struct firn_error **err);

#endif
