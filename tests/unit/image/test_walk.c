/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over made-up images: whatever data, zeros and ranges there are, pieces cover them once, in order, by whole blocks. */
#include "unit/unit.h"

#include "image/input.h"
#include "image/walk.h"

#define BLOCK FIRN_BLOCK_SIZE

/* An image described by runs: kind and length, to the end. */
struct run {
    enum piece_kind kind;
    uint64_t length;
};

struct made_up {
    struct input input;
    const struct run *runs;
};

static int status(struct input *input, uint64_t offset, uint64_t end, enum piece_kind *kind,
                  uint64_t *length)
{
    const struct run *run = ((struct made_up *)input)->runs;
    uint64_t begin = 0;
    while (begin + run->length <= offset)
        begin += run++->length;
    *kind = run->kind;
    *length = begin + run->length - offset;
    *length = *length < end - offset ? *length : end - offset;
    return 0;
}

static const struct input_operations operations = {.status = status};

static struct made_up image_of(const struct run *runs, size_t count)
{
    struct made_up image = {.input = {.operations = &operations}, .runs = runs};
    for (size_t i = 0; i < count; i++)
        image.input.size += runs[i].length;
    return image;
}

/* Takes the walk to its end; what is not data has no data in it. Returns the bytes of data. */
static uint64_t check_walk(struct walk *walk, struct made_up *image)
{
    struct piece piece;
    uint64_t data = 0, total = 0, last = 0;
    while (walk_next(walk, &piece) == 1) {
        CU_ASSERT(piece.length > 0 && piece.offset >= last);
        CU_ASSERT_EQUAL(piece.offset % BLOCK, 0);
        CU_ASSERT(piece.offset + piece.length == image->input.size || piece.length % BLOCK == 0);
        CU_ASSERT(piece.kind != PIECE_DATA || piece.length <= WALK_PIECE);
        last = piece.offset + piece.length;
        total += piece.length;
        data += piece.kind == PIECE_DATA ? piece.length : 0;
        for (uint64_t at = piece.offset; piece.kind != PIECE_DATA && at < last; at += 512) {
            enum piece_kind kind;
            uint64_t length;
            status(&image->input, at, last, &kind, &length);
            CU_ASSERT_EQUAL(kind, piece.kind);
        }
    }
    CU_ASSERT_EQUAL(total, walk_length(walk));
    walk_free(walk);
    return data;
}

static void test_whole_images(void)
{
    static const struct run runs[] = {{PIECE_DATA, 512},
                                      {PIECE_ZERO, 5 * BLOCK},
                                      {PIECE_DATA, 3 * WALK_PIECE},
                                      {PIECE_ZERO, BLOCK / 2},
                                      {PIECE_SAME, BLOCK},
                                      {PIECE_ZERO, 4 * BLOCK},
                                      {PIECE_SAME, 100 * BLOCK + 512},
                                      {PIECE_DATA, 1024}};
    for (size_t count = 1; count <= array_length(runs); count++) {
        struct made_up image = image_of(runs, count);
        struct walk walk;
        walk_all(&walk, &image.input);
        CU_ASSERT_EQUAL(walk_length(&walk), image.input.size);
        CU_ASSERT(check_walk(&walk, &image) > 0);
    }
    static const struct run empty[] = {{PIECE_DATA, 0}};
    struct made_up image = image_of(empty, 1);
    struct walk walk;
    walk_all(&walk, &image.input);
    CU_ASSERT_EQUAL(check_walk(&walk, &image), 0);
}

static void test_ranges(void)
{
    static const struct run runs[] = {{PIECE_DATA, 10 * BLOCK + 777}};
    struct made_up image = image_of(runs, 1);
    static const struct firn_range ranges[] = {{1, 1},
                                               {2, BLOCK},
                                               {5 * BLOCK - 1, 2},
                                               {6 * BLOCK, 0},
                                               {10 * BLOCK + 776, 99999},
                                               {UINT64_MAX - 1, UINT64_MAX}};
    struct walk walk;
    walk_changed(&walk, &image.input, ranges, array_length(ranges), image.input.size);
    CU_ASSERT_EQUAL(walk.count, 3);
    CU_ASSERT_EQUAL(check_walk(&walk, &image), 2 * BLOCK + 2 * BLOCK + 777);
    walk_changed(&walk, &image.input, NULL, 0, image.input.size);
    CU_ASSERT_EQUAL(check_walk(&walk, &image), 0);
    walk_changed(&walk, &image.input, ranges, 1, 9 * BLOCK + 5);
    CU_ASSERT_EQUAL(check_walk(&walk, &image), BLOCK + BLOCK + 777);
    walk_changed(&walk, &image.input, ranges, array_length(ranges), 0);
    CU_ASSERT_EQUAL(check_walk(&walk, &image), image.input.size);
}

static void test_random(void)
{
    struct run runs[40];
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < array_length(runs); i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            runs[i] = (struct run){(enum piece_kind)(1 + (seed >> 33) % 3),
                                   512 * (1 + (seed >> 40) % 400)};
        }
        struct made_up image = image_of(runs, array_length(runs));
        struct walk walk;
        walk_all(&walk, &image.input);
        check_walk(&walk, &image);
    }
}

static const struct unit_test tests[] = {
    {"whole images", test_whole_images},
    {"ranges", test_ranges},
    {"random images", test_random},
};

int main(void)
{
    return unit_run("walk", tests, array_length(tests));
}
