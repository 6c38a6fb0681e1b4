/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image plugin: disk images in raw files, on block devices and behind NBD servers. It is also the template for other
 * plugins: it uses <firn/plugin.h>, libc and one library, and nothing else.
 *
 *     plugin.c       what the host sees
 *     capture.c      what to take; walk.c cuts it into pieces; file_input.c and nbd_input.c read them
 *     restore.c      where to put objects; volume.c moves one; file_output.c and nbd_output.c write it
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <firn/plugin.h>

#include <stdbool.h>

/* What open() gives: the plugin keeps nothing else between calls. */
struct image {
    const struct firn_host *host;
};

/* Says why and evaluates to -1. */
#define image_fail(image, code, ...) ((image)->host->fail((image)->host, (code), __VA_ARGS__), -1)
/* The same for a system call that has set errno. */
int image_fail_errno(const struct image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* -1 with CANCELLED once the user wants to stop. */
int image_check_cancelled(const struct image *image);

/* A string that stands for no value, also NULL. */
const char *image_param(const struct image *image, const char *name); /* NULL: not set, or empty */
bool image_param_true(const struct image *image, const char *name);
bool image_is_uri(const char *reference); /* an NBD URI, not a path */
/* printf into new memory; aborts without memory. */
char *image_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

int image_capture(struct image *image, const struct firn_capture *request, struct firn_sink *sink);
int image_restore(struct image *image, const struct firn_restore *request,
                  struct firn_source *source);

#endif
