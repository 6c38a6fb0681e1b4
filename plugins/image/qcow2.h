/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qcow2 files, written by QEMU's own tools: qemu-img makes the file, qemu-nbd serves it on a socket in a private directory,
 * and ends when the connection does.
 */
#ifndef IMAGE_QCOW2_H
#define IMAGE_QCOW2_H

#include "output.h"

struct qcow2;

/* Makes the file anew, and an output to it. */
int qcow2_open(struct image *image, const char *path, uint64_t size, struct qcow2 **out,
               struct output **output);
/* Closes the output and waits for the server: only then is the file complete. NULL is fine. */
int qcow2_finish(struct qcow2 *qcow2);

#endif
