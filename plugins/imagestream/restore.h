/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restore: the images of a snapshot into a registry: blobs, child manifests, indexes, tags, in this
 * order, the bytes as they were captured; then everything is read back.
 */
#ifndef IMAGESTREAM_RESTORE_H
#define IMAGESTREAM_RESTORE_H

struct firn_error;
struct firn_host;
struct firn_restore;
struct firn_source;
struct image;
struct inventory;
struct repository;

/* Target: HOST[:PORT][/PATH], or oci:DIRECTORY. */
int restore_images(const struct firn_host *host, const struct firn_restore *request,
                   struct firn_source *source, struct firn_error **err);

/* Why an image of the snapshot cannot be restored: NULL, or what it lacks. The caller's. */
char *restore_lack(const struct image *image);

#endif
