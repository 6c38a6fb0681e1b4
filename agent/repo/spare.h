/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spares: where else the chunks of damaged packs lie. A chunk is known by its full fingerprint, which the trailer of the
 * damaged pack still tells: equal fingerprints, equal contents. All trailers are read once; nothing is left to the sampled
 * index.
 *
 * Memory: 48 bytes a chunk of the damaged packs. One thread, but for spares_scan().
 */
#ifndef REPO_SPARE_H
#define REPO_SPARE_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct damage;
struct damaged_pack;
struct firn_error;
struct pack_trailer;
struct repo;
struct spares;

/* Both are borrowed. */
struct spares *spares_new(struct repo *repo, const struct damage *damage);
void spares_free(struct spares *spares); /* NULL is fine */

/* Asks for all chunks of a damaged pack whose trailer can be read. */
int spares_want(struct spares *spares, uint32_t pack, struct firn_error **err);
/* Looks through all packs that may be relied on. */
int spares_scan(struct spares *spares, struct firn_error **err);

enum spare_state {
    SPARE_NONE,   /* it is lost */
    SPARE_INTACT, /* it can still be read where it is, in the damaged pack */
    SPARE_FOUND,  /* it lies elsewhere, too */
};
/* What there is of a chunk of a damaged pack. SPARE_FOUND: *pack and *ordinal say where. */
enum spare_state spares_find(struct spares *spares, uint32_t damaged, uint32_t chunk,
                             uint32_t *pack, uint32_t *ordinal);

/* Stores what is SPARE_INTACT of the packs that were wanted again, in new packs; then it is SPARE_FOUND. */
int spares_salvage(struct spares *spares, uint64_t *bytes, struct firn_error **err);
/* Reads a spare and compares it with its fingerprint. CORRUPT. */
int spares_prove(struct spares *spares, uint32_t pack, uint32_t ordinal, struct firn_error **err);

#endif
