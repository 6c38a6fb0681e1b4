/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content-defined cutting (FastCDC: Xia et al., USENIX ATC 2016, with normalised chunking and a
 * gear table derived from a key, so that cut points tell nothing). For uncompressed archives, where
 * an inserted file shifts everything behind it.
 */
#ifndef REPO_CUT_H
#define REPO_CUT_H

#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cutter;
struct firn_error;

#define CUT_MIN     (16u * 1024u)
#define CUT_AVERAGE (64u * 1024u)
#define CUT_MAX     (256u * 1024u)

/* The gear table is derived from the key, so the same key always cuts alike. */
int cutter_new(const uint8_t key[FORMAT_KEY_LENGTH], struct cutter **out, struct firn_error **err);
void cutter_free(struct cutter *cutter); /* NULL is fine */
/* The length of the next chunk at the start of data, 0 if more data is needed to tell (length <
 * CUT_MAX and not `last`) or there is none. Thread-safe. */
size_t cutter_next(const struct cutter *cutter, const uint8_t *data, size_t length, bool last);
/* Whether the beginning of a stream (the first 512 bytes or more) looks like an uncompressed tar archive. */
bool cut_is_tar(const uint8_t *data, size_t length);

#endif
