/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An output: an image that is written. Two kinds exist, files with block devices, and NBD servers. write and zero may be
 * called from several threads, for different places.
 */
#ifndef IMAGE_OUTPUT_H
#define IMAGE_OUTPUT_H

#include "image.h"

#include <stdint.h>

struct output;

struct output_operations {
    int (*write)(struct output *output, const void *data, uint64_t length, uint64_t offset);
    int (*zero)(struct output *output, uint64_t length, uint64_t offset);
    int (*sync)(struct output *output); /* what was written so far is durable */
    void (*close)(struct output *output);
};

/* Implementations put this first in their own structure. */
struct output {
    const struct output_operations *operations;
    struct image *image;
    bool clean; /* what was never written reads as zero: zeros need not be written */
};

/* A regular file, made if it is not there and set to `size`; or a block device, which must have room. */
int output_open_file(struct image *image, const char *path, uint64_t size, struct output **out);
/* An NBD server with room for `size` bytes. */
int output_open_nbd(struct image *image, const char *uri, uint64_t size, struct output **out);
void output_close(struct output *output); /* NULL is fine */

#endif
