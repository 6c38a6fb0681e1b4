/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache of pack trailers for reading: the ones used last, so that neighbouring extents cost one
 * read of the trailer. Thread-safe; memory is bounded by bytes, but what is held is never dropped.
 */
#ifndef REPO_TRAILER_CACHE_H
#define REPO_TRAILER_CACHE_H

#include <stdint.h>

struct firn_error;
struct pack_trailer;
struct repo;
struct trailer_cache;

struct trailer_cache *trailer_cache_new(void);
void trailer_cache_free(struct trailer_cache *cache); /* NULL is fine */

/* Holds the trailer of a pack that a map names, until trailer_release(). CORRUPT also if the pack is missing. */
int trailer_hold(struct repo *repo, uint32_t pack, const struct pack_trailer **out,
                 struct firn_error **err);
void trailer_release(struct repo *repo, const struct pack_trailer *trailer); /* NULL is fine */

#endif
