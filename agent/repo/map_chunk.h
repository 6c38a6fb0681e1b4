/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Map chunks: the coding of the extents of a run. Each chunk can be decoded alone.
 *
 *     u8 version = 1
 *     v  packs                  how many packs the chunk names
 *     packs × id (16 bytes)     a pack's place in this list, from 0, is its index
 *     v  extents                how many extents follow; at least one
 *     extents × {
 *         v gap                 units between the end of the extent before it (0 for the first) and its start
 *         v tag                 (count - 1) × 4 + form
 *         form 0                data: the pack of the data extent before it, at the predicted ordinal
 *         form 1                zeros
 *         form 2                data: the pack of the data extent before it;  v zigzag(ordinal - predicted)
 *         form 3                data: another pack;  v index × 2 + explicit;  if explicit: v zigzag(ordinal - predicted)
 *     }
 *
 * v: LEB128, unsigned, in its shortest form. zigzag(n): 2n if n ≥ 0, else -2n - 1. The predicted
 * ordinal of a pack is the ordinal + count of the extent before it in the same pack, 0 if the chunk
 * has none. The pack before the first data extent is that of index 0. Nothing follows the last
 * extent. Start + count is at most 2^48, ordinal + count at most 65536.
 *
 * So what a writer stored in rising order costs two bytes an extent (gap below 128, up to 32
 * units), and three with a gap of up to 16,383.
 */
#ifndef REPO_MAP_CHUNK_H
#define REPO_MAP_CHUNK_H

#include "map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;
struct map_decoder;
struct map_encoder;
struct pack_table;

#define MAP_CHUNK_RAW (256u * 1024u) /* a writer closes a chunk before this size */

/* ---- encoding: one chunk at a time */
struct map_encoder *map_encoder_new(void);
void map_encoder_free(struct map_encoder *encoder); /* NULL is fine */
/* Whether another extent may take the chunk past MAP_CHUNK_RAW. */
bool map_encoder_full(const struct map_encoder *encoder);
/* Extents are valid (map_extent_check) and rise without overlap. */
void map_encoder_add(struct map_encoder *encoder, const struct map_extent *extent);
uint64_t map_encoder_extents(const struct map_encoder *encoder);
/* The numbers of the packs that the chunk names. Borrowed until the next call. */
const uint32_t *map_encoder_packs(const struct map_encoder *encoder, size_t *count);
/* Appends the chunk to out; the encoder is empty afterwards. */
void map_encoder_take(struct map_encoder *encoder, struct pack_table *table, struct buf *out);

/* ---- decoding, extent by extent; everything is checked (CORRUPT) */
/* Packs that are not in the table yet are added. data is borrowed until map_decoder_free(). */
int map_decoder_open(struct pack_table *table, const void *data, size_t length,
                     struct map_decoder **out, struct firn_error **err);
/* 1: an extent; 0: the end; -1. */
int map_decoder_next(struct map_decoder *decoder, struct map_extent *out, struct firn_error **err);
void map_decoder_free(struct map_decoder *decoder); /* NULL is fine */

#endif
