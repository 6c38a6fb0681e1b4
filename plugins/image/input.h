/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An input: an image that is read. Two kinds exist, files with block devices, and NBD servers.
 */
#ifndef IMAGE_INPUT_H
#define IMAGE_INPUT_H

#include "image.h"
#include "walk.h"

#include <pthread.h>

struct input;

/* Where what is read goes. Pieces come from the walk and go to the object; `lock` keeps calls on either apart. Data is handed
 * over in the order in which it was handed out, whoever reads it: the repository finds duplicates by their neighbours. */
struct transfer {
    struct image *image;
    struct firn_sink *sink;
    struct firn_object *object;
    struct walk *walk;
    pthread_mutex_t lock;
    pthread_cond_t passed; /* the next piece may go */
    uint64_t given, taken; /* pieces of data handed out, and handed over */
    bool failed;           /* some thread has given up */
};

struct input_operations {
    /* What lies at offset, and for how long (*length > 0, at most to end). */
    int (*status)(struct input *input, uint64_t offset, uint64_t end, enum piece_kind *kind,
                  uint64_t *length);
    /* Takes the walk to its end: reads data into borrowed buffers. */
    int (*transfer)(struct input *input, struct transfer *transfer);
    /* Whether the image changed since it was opened: why, or NULL. Borrowed. */
    const char *(*disturbed)(struct input *input);
    void (*close)(struct input *input);
};

/* Implementations put this first in their own structure. */
struct input {
    const struct input_operations *operations;
    struct image *image;
    uint64_t size;
    uint64_t known_end;  /* what lies from here on is never the same as in the parent */
    const char *what;    /* "raw file", "block device", "NBD export" */
    const char *warning; /* why this image is not at rest, or NULL; static */
};

/* bitmap: the meta context that tells what changed (NBD only), or NULL. */
int input_open(struct image *image, const char *reference, const char *bitmap, struct input **out);
void input_close(struct input *input);
int input_open_file(struct image *image, const char *path, struct input **out);
int input_open_nbd(struct image *image, const char *uri, const char *bitmap, struct input **out);

void transfer_begin(struct transfer *transfer); /* the members above `lock` are set */
void transfer_end(struct transfer *transfer);
/* The next piece of data to read: 1, 0 at the end, -1. What needs no reading has gone to the object. */
int transfer_next(struct transfer *transfer, struct piece *piece);
/* Hands what was read over; takes the buffer, also on error. */
int transfer_take(struct transfer *transfer, const struct piece *piece, void *buffer);
void transfer_give_up(struct transfer *transfer);

#endif
