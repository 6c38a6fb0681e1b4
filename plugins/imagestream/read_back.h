/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading back: downloads a blob that was pushed, proves its length and digest, and keeps nothing of it.
 */
#ifndef IMAGESTREAM_READ_BACK_H
#define IMAGESTREAM_READ_BACK_H

#include <stdatomic.h>

struct blob;
struct firn_error;
struct registry;

/* -1 with NOTFOUND if the registry does not have it, CORRUPT if it gives other bytes. stop: somebody else failed. */
int read_back_blob(struct registry *registry, const char *repository, const struct blob *blob,
                   const atomic_bool *stop, struct firn_error **err);

#endif
