/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair (docs/repair.md): what of a damaged repository is lost, and what is not.
 *
 *     look     reads, and finds damaged packs; for each snapshot what of each object lies in them; where else that lies
 *     apply    writes the damaged packs down (damage.h), stores what can still be read of them again, and replaces each
 *              snapshot that is whole without them by one that no longer relies on them
 *
 * Looking writes nothing. Applying can be stopped anywhere, and begun again. One thread calls.
 */
#ifndef REPO_REPAIR_H
#define REPO_REPAIR_H

#include "check.h"
#include "damage.h"
#include "snapshot.h"

struct firn_error;
struct repair;
struct repo;

/* Bytes [offset, offset + length) of an object that lie nowhere any more. */
struct repair_loss {
    size_t object; /* number in the snapshot */
    uint64_t offset;
    uint64_t length;
};

enum repair_verdict {
    REPAIR_SOUND,      /* relies on nothing that is damaged */
    REPAIR_UNREADABLE, /* the object of the snapshot itself is damaged */
    REPAIR_LOST,       /* some of it is lost */
    REPAIR_HEALS,      /* all of it lies elsewhere, too, or can still be read */
    REPAIR_REPLACED,   /* there is a copy of it that is sound */
};

struct repair_snapshot {
    struct snapshot *snapshot; /* NULL: unreadable */
    char *name;                /* "snapshots/…" */
    char *what;                /* why it is unreadable, or could not be healed; else NULL */
    enum repair_verdict verdict;
    struct repair_loss *losses; /* rising by object and offset */
    size_t loss_count;
    char healed
        [FORMAT_ID_TEXT]; /* by repair_apply(): the snapshot that takes its place; "" if none */
    bool removed;         /* by repair_apply() */
};

struct repair_options {
    unsigned read_percent;                    /* as in check.h */
    const uint8_t (*packs)[FORMAT_ID_LENGTH]; /* packs that are read besides, sorted */
    size_t pack_count;
    check_progress *progress;
    void *context;
};

/* DENIED: the key cannot read. */
int repair_look(struct repo *repo, const struct repair_options *options, struct repair **out,
                struct firn_error **err);
/* Everything that can be done. Snapshots that could not be removed are left beside the ones that take their place. */
int repair_apply(struct repair *repair, struct firn_error **err);
void repair_free(struct repair *repair); /* NULL is fine */

const struct damage *repair_damage(const struct repair *repair);
const struct check_result *repair_checked(const struct repair *repair);
/* All snapshots, oldest first, unreadable ones last. */
const struct repair_snapshot *repair_snapshots(const struct repair *repair, size_t *count);
/* Bytes that repair_apply() stored again. */
uint64_t repair_stored(const struct repair *repair);

#endif
