/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout: the images of a snapshot as an OCI image layout, a directory that skopeo, podman and
 * others read. Bytes and digests are never changed, so Docker's images stay Docker's: readers that
 * know OCI's media types alone pass them over.
 */
#ifndef IMAGESTREAM_LAYOUT_H
#define IMAGESTREAM_LAYOUT_H

struct firn_error;
struct firn_host;
struct firn_restore;
struct firn_source;
struct inventory;

/* Writes to a directory that is made, is empty, or (request->overwrite) may be added to. index.json
 * comes last. */
int layout_write(const struct firn_host *host, const struct firn_restore *request,
                 struct firn_source *source, struct inventory *inventory, const char *directory,
                 struct firn_error **err);

#endif
