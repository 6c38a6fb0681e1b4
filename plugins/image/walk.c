/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include "input.h"

#include <stdlib.h>

static uint64_t down(uint64_t offset)
{
    return offset - offset % FIRN_BLOCK_SIZE;
}

static uint64_t up_to(uint64_t offset, uint64_t limit)
{
    uint64_t rest = offset % FIRN_BLOCK_SIZE;
    uint64_t grown = rest == 0 ? offset : offset + (FIRN_BLOCK_SIZE - rest);
    return grown < limit ? grown : limit;
}

static void add(struct walk *walk, uint64_t begin, uint64_t end)
{
    struct firn_range *last = walk->count > 0 ? &walk->ranges[walk->count - 1] : NULL;
    if (begin >= end)
        return;
    if (last != NULL && begin <= last->offset + last->length) {
        if (end > last->offset + last->length)
            last->length = end - last->offset;
        return;
    }
    walk->ranges[walk->count++] = (struct firn_range){begin, end - begin};
}

static void begin(struct walk *walk, struct input *input, size_t room)
{
    *walk = (struct walk){.input = input, .ranges = calloc(room, sizeof(*walk->ranges))};
    if (walk->ranges == NULL)
        abort();
}

void walk_all(struct walk *walk, struct input *input)
{
    begin(walk, input, 1);
    add(walk, 0, input->size);
}

void walk_changed(struct walk *walk, struct input *input, const struct firn_range *changed,
                  size_t count, uint64_t tail)
{
    begin(walk, input, count + 1);
    tail = tail < input->size ? down(tail) : input->size;
    for (size_t i = 0; i < count; i++) {
        uint64_t end;
        if (changed[i].length == 0 || changed[i].offset >= tail)
            continue;
        if (__builtin_add_overflow(changed[i].offset, changed[i].length, &end) || end > tail)
            end = tail;
        add(walk, down(changed[i].offset), up_to(end, tail));
    }
    add(walk, tail, input->size);
    if (walk->count > 0)
        walk->position = walk->ranges[0].offset;
}

void walk_free(struct walk *walk)
{
    free(walk->ranges);
    walk->ranges = NULL;
}

uint64_t walk_length(const struct walk *walk)
{
    uint64_t length = 0;
    for (size_t i = 0; i < walk->count; i++)
        length += walk->ranges[i].length;
    return length;
}

/* The image may change from data to zero in the middle of a block: such a block is read. */
static void shape(struct piece *piece, uint64_t end)
{
    uint64_t stop = piece->offset + piece->length;
    if (piece->kind != PIECE_DATA && stop < end)
        stop = down(stop);
    if (stop <= piece->offset) {
        piece->kind = PIECE_DATA;
        stop = piece->offset + 1;
    }
    if (piece->kind == PIECE_DATA) {
        uint64_t most = end - piece->offset < WALK_PIECE ? end - piece->offset : WALK_PIECE;
        stop = stop - piece->offset < most ? up_to(stop, end) : piece->offset + most;
    }
    piece->length = stop - piece->offset;
}

int walk_next(struct walk *walk, struct piece *piece)
{
    while (walk->at < walk->count) {
        const struct firn_range *range = &walk->ranges[walk->at];
        uint64_t end = range->offset + range->length;
        if (walk->position < end) {
            *piece = (struct piece){.offset = walk->position};
            if (walk->input->operations->status(walk->input, walk->position, end, &piece->kind,
                                                &piece->length) < 0)
                return -1;
            shape(piece, end);
            walk->position += piece->length;
            return 1;
        }
        walk->at++;
        if (walk->at < walk->count)
            walk->position = walk->ranges[walk->at].offset;
    }
    return 0;
}
