/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marking: which packs there are, and which of them the roots reach, by references in the clear. Needs no key. 18 bytes a pack
 * besides the table of packs.
 */
#ifndef REPO_MARK_H
#define REPO_MARK_H

#include "pack_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct mark;
struct repo;

/* What a pack is; bits. */
enum {
    MARK_THERE = 1,  /* it was listed */
    MARK_ALIVE = 2,  /* a root reaches it */
    MARK_DATA = 4,   /* not alive, and its end says that it is no meta pack */
    MARK_OPAQUE = 8, /* not alive, and nobody knows what it is: its end is damaged */
    MARK_META = 16,  /* a root names it, and what it names was marked */
    MARK_FIRST = 32, /* this bit and those above are the caller's */
};

/* Lists packs, then roots, and marks what they reach. CORRUPT: a root, or a meta pack that one names, cannot be read: what it
 * needs is not known. threads: how many requests at once. */
int mark_open(struct repo *repo, unsigned threads, struct mark **out, struct firn_error **err);
void mark_free(struct mark *mark); /* NULL is fine */
/* Looks for roots that came since, and marks what they reach. */
int mark_again(struct mark *mark, struct firn_error **err);

uint32_t mark_count(
    const struct mark *mark); /* packs that are listed or named: numbers below this */
bool mark_has(const struct mark *mark, uint32_t pack, uint16_t bits); /* any of them */
void mark_set(struct mark *mark, uint32_t pack, uint16_t bits);
void mark_unset(struct mark *mark, uint32_t pack, uint16_t bits);
void mark_clear(struct mark *mark, uint16_t bits); /* of all packs */
uint64_t mark_length(const struct mark *mark, uint32_t pack);
int64_t mark_modified(const struct mark *mark, uint32_t pack);
size_t mark_roots(const struct mark *mark);
/* The packs that are alive and are not there. */
uint32_t mark_missing(const struct mark *mark);

/* Which packs to follow, and the bits that they and what they name get; 0: not to follow. */
typedef uint16_t mark_choice(void *context, uint32_t pack);
/* Of the packs that are there and not alive, follows those meta packs that are chosen. Reads the ends of all that are chosen;
 * one that is damaged becomes MARK_OPAQUE, which is no error. */
int mark_follow(struct mark *mark, mark_choice *choice, void *context, struct firn_error **err);

#endif
