/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place of one object in the file system: a path, and beside it what a restore needs until it is done.
 *
 *     PATH                   the object, whole; or a disk that is being overwritten in place
 *     PATH.firn-partial      the object until it is whole
 *     PATH.firn-restore      the note that says how far a disk got
 */
#ifndef IMAGE_PLACE_H
#define IMAGE_PLACE_H

#include "image.h"

struct place {
    char *path;
    char *partial;
    char *note;
};

/* Takes path. */
struct place place_new_take(char *path);
void place_free(struct place *place);
/* Where an object of that name lies below a directory; suffix: ".raw", or "". -1 if the name leads out of it. */
int place_below(struct image *image, const char *directory, const char *name, const char *suffix,
                struct place *out);
bool place_exists(const char *path);
/* Makes the directories above the path. */
int place_make_parents(struct image *image, const struct place *place);
/* The partial file, complete and durable, gets its name; overwrite: something there is replaced. */
int place_finish(struct image *image, const struct place *place, bool overwrite);

#endif
