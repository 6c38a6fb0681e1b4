/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The note beside a file that is being restored, PATH.firn-restore: how far a restore got, so that the same restore can go on
 * there. Written anew every few seconds, removed at the end.
 */
#ifndef IMAGE_NOTE_H
#define IMAGE_NOTE_H

#include "image.h"

#include <stdint.h>

struct note {
    struct image *image;
    char *path;
    const char *snapshot; /* which restore it is of */
    const char *object;
    uint64_t size;
};

/* Where to go on: 0 if there is no note, or one of another restore. A multiple of FIRN_BLOCK_SIZE. */
uint64_t note_read(const struct note *note);
/* Durable. */
int note_write(const struct note *note, uint64_t frontier);
void note_remove(const struct note *note);

#endif
