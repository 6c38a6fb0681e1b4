/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to NBD servers, by libnbd.
 */
#ifndef IMAGE_NBD_CONNECTION_H
#define IMAGE_NBD_CONNECTION_H

#include "image.h"

#include <libnbd.h>

/* Connects; contexts: meta contexts to ask for, up to a NULL. */
int nbd_connection_open(struct image *image, const char *uri, const char *const *contexts,
                        struct nbd_handle **out);
void nbd_connection_close(struct nbd_handle *nbd); /* NULL is fine */
/* fail() with what libnbd says. */
int nbd_connection_fail(struct image *image, const char *what, const char *uri);

#endif
