/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache file of the index: the hooks, and the packs whose hooks they are. All integers are
 * little-endian:
 *
 *     "firnindx" | u32 version = 1 | u32 sampling | repository id (16) | u64 packs | u64 hooks
 *     packs × id (16) | hooks × { u64 key << 24 | place of its pack in the list } | u32 CRC-32C of all before
 *
 * Fingerprints are keyed, so the file tells nothing. It is not trusted either: what it says only
 * leads to a pack's trailer.
 */
#ifndef REPO_INDEX_CACHE_H
#define REPO_INDEX_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct hooks;
struct repo;

/* New hooks of at most `memory`, and the numbers of the packs that they cover, of those that are
 * present in the repository. INVALID: the file is damaged or belongs to something else; NOTFOUND.
 */
int index_cache_read(const char *path, struct repo *repo, size_t memory, struct hooks **hooks,
                     uint32_t **packs, size_t *count, struct firn_error **err);
/* Replaces the file at once. Hooks of packs that are not among `packs` are left out. */
int index_cache_write(const char *path, struct repo *repo, const struct hooks *hooks,
                      const uint32_t *packs, size_t count, struct firn_error **err);

#endif
