/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of packs: gives every pack id a small number for as long as the repository is open, so
 * that maps and the index hold 4 bytes instead of 16. Thread-safe. 24 bytes a pack.
 */
#ifndef REPO_PACK_TABLE_H
#define REPO_PACK_TABLE_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct pack_table;
struct store;

#define PACK_NONE UINT32_MAX /* no pack: zeros */

struct pack_table *pack_table_new(void);
void pack_table_free(struct pack_table *table);
/* The number of the pack, a new one if it has none. Numbers count from 0. At most 2^24 packs: INTERNAL beyond. */
int pack_table_number(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH],
                      uint32_t *number, struct firn_error **err);
/* The number of the pack, if it has one. */
bool pack_table_find(struct pack_table *table, const uint8_t id[FORMAT_ID_LENGTH],
                     uint32_t *number);
/* Copies the id of a number that was given out. */
void pack_table_id(struct pack_table *table, uint32_t number, uint8_t id[FORMAT_ID_LENGTH]);
uint32_t pack_table_count(struct pack_table *table);

/* A pack is present if the store listed it or this process wrote it, and nobody found it damaged: then it may be relied on. */
void pack_table_set_present(struct pack_table *table, uint32_t number);
bool pack_table_present(struct pack_table *table, uint32_t number);
/* A pack that was found to be damaged (damage.h) is not relied on any more, though much of it may be readable. */
void pack_table_set_damaged(struct pack_table *table, uint32_t number);
bool pack_table_damaged(struct pack_table *table, uint32_t number);
uint32_t pack_table_damaged_count(struct pack_table *table);
/* Lists damaged/ and packs/ and marks what is there; names that are no pack are left alone. */
int pack_table_list(struct pack_table *table, struct store *store, struct firn_error **err);

/* "packs/3f/3f9c…" */
#define PACK_NAME_LENGTH (9 + FORMAT_ID_TEXT)
void pack_name(const uint8_t id[FORMAT_ID_LENGTH], char out[PACK_NAME_LENGTH]);
/* The other way round; false if it is no pack's name. */
bool pack_name_parse(const char *name, uint8_t id[FORMAT_ID_LENGTH]);

#endif
