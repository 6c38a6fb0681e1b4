/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of restored disks: written sparse under a temporary name, put in place at the end.
 */
#ifndef PLUGIN_LIBVIRT_IMAGE_H
#define PLUGIN_LIBVIRT_IMAGE_H

#include "connection.h"
#include "definition.h"

#include <stdbool.h>

void images_release(struct images *images);
/* Writes every image's part, several at a time, and makes them durable. -1 with or without an error in *err. */
int images_write(struct connection *connection, struct images *images, struct firn_source *source,
                 struct firn_error **err);
/* Moves the parts to their places; CONFLICT if something is there, unless it may be overwritten. */
int images_place(struct images *images, bool overwrite, struct firn_error **err);
/* Removes what was written, from wherever it is. */
void images_remove(const struct images *images);

/* As root: gives the file the owner of the folder that it lies in, so that a QEMU of an ordinary user can open it. */
int image_adopt_owner(const char *path, struct firn_error **err);
/* rename(), which replaces nothing unless that is allowed. */
int image_move(const char *from, const char *to, bool overwrite, struct firn_error **err);

#endif
