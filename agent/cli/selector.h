/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: how the user names a snapshot, and an object of it.
 *
 *     SNAP     an id, a unique prefix of one (4 digits or more), "latest", or "latest:SOURCE"
 *     OBJECT   behind SNAP and a colon
 *
 * SOURCE holds colons itself. After "latest:", the longest text that is the SOURCE of some snapshot and ends at a colon, or at
 * the end, is SOURCE; what follows that colon is OBJECT. If no SOURCE fits, the whole is an OBJECT of the latest snapshot.
 */
#ifndef CLI_SELECTOR_H
#define CLI_SELECTOR_H

struct cli;
struct firn_error;
struct snapshot;

struct selection {
    struct snapshot *snapshot;
    char *object; /* NULL: all */
};
#define auto_selection __attribute__((cleanup(selection_free)))
void selection_free(struct selection *selection);

/* Open the repository. NOTFOUND, CONFLICT (an ambiguous prefix: status is EXIT_FAILED). */
int select_snapshot(struct cli *cli, const char *text, struct snapshot **out,
                    struct firn_error **err);
/* SNAP[:OBJECT]; the object exists. */
int select_object(struct cli *cli, const char *text, struct selection *out,
                  struct firn_error **err);

#endif
