/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloads: one blob from the registry into the sink, as it arrives, its length and digest proven.
 * A transfer that breaks off goes on where it ended (Range); where the registry cannot do that, it
 * starts again.
 */
#ifndef IMAGESTREAM_DOWNLOAD_H
#define IMAGESTREAM_DOWNLOAD_H

#include <stdatomic.h>

struct blob;
struct firn_error;
struct firn_sink;
struct registry;

struct download_request {
    struct registry *registry;
    const char *repository;
    const struct blob *blob;
    struct firn_sink *sink;
    const atomic_bool *stop; /* somebody else failed: give up */
};

/* -1 with NOTFOUND if the registry does not have it, CORRUPT if it gives other bytes than the
 * digest and size say. */
int download_blob(const struct download_request *request, struct firn_error **err);
/* The object that a blob is in the snapshot; name: its "blobs/DIGEST". */
struct firn_object_info download_object(const struct blob *blob, const char *name);

#endif
