/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage: which packs are damaged, and which of their frames. Found by check (check.h), and written down in the repository:
 *
 *     damaged/PACK    the pack is not to be relied on any more: a small JSON object for people; its name says all to programs
 *
 * A pack that is written down so is not deduplicated against, nor is a snapshot built on that relies on it. Readers read it
 * all the same.
 */
#ifndef REPO_DAMAGE_H
#define REPO_DAMAGE_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct damage;
struct firn_error;
struct repo;

struct damaged_pack {
    uint32_t pack; /* number in the repository's pack table */
    bool whole;    /* nothing of it can be read: it is missing, or what describes it is damaged */
    uint32_t *frames; /* else those that cannot, rising; none: only what stands twice is damaged */
    size_t frame_count;
    char *what; /* the first that was found */
};

struct damage *damage_new(void);
void damage_free(struct damage *damage); /* NULL is fine */
/* Thread-safe. Frames of one pack come in rising order. */
void damage_add_whole(struct damage *damage, uint32_t pack, const char *what);
void damage_add_frame(struct damage *damage, uint32_t pack, uint32_t frame, const char *what);
void damage_add_spare(struct damage *damage, uint32_t pack, const char *what);

/* ---- once all is found */
size_t damage_count(const struct damage *damage);
const struct damaged_pack *damage_at(const struct damage *damage, size_t number);
/* NULL: the pack is not damaged. */
const struct damaged_pack *damage_find(const struct damage *damage, uint32_t pack);
bool damaged_pack_lost(const struct damaged_pack *pack, uint32_t frame);

/* Writes the pack down as damaged. That it is already is no error. */
int damage_write(struct repo *repo, const struct damaged_pack *pack, struct firn_error **err);
/* Takes the records of packs back that are no longer in the repository and of no use to anybody. */
int damage_forget(struct repo *repo, uint32_t pack, struct firn_error **err);

#endif
