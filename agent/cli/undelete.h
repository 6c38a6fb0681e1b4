/* SPDX-License-Identifier: Apache-2.0 */
/* firn repair --undelete: what somebody overwrote or hid in a bucket with versions is shown to others, too, as it was first
 * written. Firn itself reads the first versions anyway. */
#ifndef CLI_UNDELETE_H
#define CLI_UNDELETE_H

#include <stdbool.h>

struct cli;
struct firn_error;

/* Lists what is overlaid; with --apply, takes away what lies over it. */
int undelete_run(struct cli *cli, struct firn_error **err);

#endif
