/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over an image: cuts what is to be taken into pieces of whole blocks, each to be read, or known to be zero, or the
 * same as in the parent. One thread at a time.
 */
#ifndef IMAGE_WALK_H
#define IMAGE_WALK_H

#include <firn/plugin.h>

#include <stddef.h>
#include <stdint.h>

struct input;

enum piece_kind { PIECE_DATA = 1, PIECE_ZERO, PIECE_SAME };

struct piece {
    enum piece_kind kind;
    uint64_t offset;
    uint64_t length; /* of data: at most WALK_PIECE */
    uint64_t turn;   /* of data: how many pieces of data came before it in its transfer */
};

#define WALK_PIECE (1024u * 1024u)

struct walk {
    struct input *input;
    struct firn_range
        *ranges; /* what to take: sorted, apart, of whole blocks but for the end of the image */
    size_t count;
    size_t at;
    uint64_t position; /* in ranges[at], if at < count */
};

/* The whole image. */
void walk_all(struct walk *walk, struct input *input);
/* The ranges that changed, and all from `tail` on; ranges are cut to the image, grown to whole blocks and joined. */
void walk_changed(struct walk *walk, struct input *input, const struct firn_range *changed,
                  size_t count, uint64_t tail);
void walk_free(struct walk *walk);
/* Bytes that will be looked at. */
uint64_t walk_length(const struct walk *walk);
/* 1: a piece; 0: the end; -1. */
int walk_next(struct walk *walk, struct piece *piece);

#endif
