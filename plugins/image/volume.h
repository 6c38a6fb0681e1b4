/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes on their way from a snapshot to an output.
 */
#ifndef IMAGE_VOLUME_H
#define IMAGE_VOLUME_H

#include "image.h"

#include <stdint.h>

struct output;

/* Where everything that lies below `frontier` has been made durable. -1 stops. NULL: nobody wants to know. */
typedef int volume_checkpoint(void *context, uint64_t frontier);

struct volume_job {
    struct image *image;
    struct firn_source *source;
    struct output *output;
    const char *name;
    uint64_t start;                /* a multiple of FIRN_BLOCK_SIZE */
    volume_checkpoint *checkpoint; /* called every few seconds */
    void *context;
};

/* Writes the volume from `start` on and makes it durable. */
int volume_write(const struct volume_job *job);

#endif
