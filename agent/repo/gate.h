/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate between writers and collectors (docs/collection.md): which packs a session may rely on, and whether what it relied
 * on still stands when it commits.
 *
 *     gate_open()      the session begins: what is there, and what collectors are about to remove
 *     gate_allows()    whether to rely on a pack
 *     gate_pass()      the last look before the commit: until when it must have landed
 *
 * Thread-safe.
 */
#ifndef REPO_GATE_H
#define REPO_GATE_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct gate;
struct repo;

struct gate *gate_new(void);
void gate_free(struct gate *gate);

/* Lists the packs, then the records of collectors. What the session before wrote is no longer its own. */
int gate_open(struct repo *repo, struct firn_error **err);
/* The records anew. A damaged one, by which nobody can act, is pardoned. CORRUPT: a damaged verdict. */
int gate_look(struct repo *repo, struct firn_error **err);
/* Whether the pack is present, and no record that was seen names it. */
bool gate_allows(struct repo *repo, uint32_t pack);
/* Whether a record that was seen names it. */
bool gate_names(struct repo *repo, const uint8_t pack[FORMAT_ID_LENGTH]);

/* A meta pack of this session is durable, which relies on these packs. */
void gate_written(struct repo *repo, const uint8_t pack[FORMAT_ID_LENGTH],
                  const uint8_t (*references)[FORMAT_ID_LENGTH], size_t count);
/* To be called when all that a snapshot relies on is durable: meta are the ids of its meta packs. *deadline: the latest time
 * that the store may give to the snapshot's object. RETRY: what it relies on was collected meanwhile. */
int gate_pass(struct repo *repo, const uint8_t (*meta)[FORMAT_ID_LENGTH], size_t count,
              int64_t *deadline, struct firn_error **err);

#endif
