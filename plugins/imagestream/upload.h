/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads: one blob of the snapshot into a repository: looked for first, then mounted from another
 * repository, then sent, in chunks if it is large; a transfer that breaks off goes on where the
 * registry says that it ended.
 */
#ifndef IMAGESTREAM_UPLOAD_H
#define IMAGESTREAM_UPLOAD_H

#include <stdatomic.h>
#include <stdint.h>

struct blob;
struct firn_error;
struct firn_source;
struct registry;

enum upload_result { UPLOAD_PRESENT = 1, UPLOAD_MOUNTED, UPLOAD_SENT };

struct upload_request {
    struct registry *registry;
    const char *repository;
    const char *from; /* a repository of the same registry that may have it, or NULL */
    const struct blob *blob;
    struct firn_source *source;
    uint64_t chunk_size;
    const atomic_bool *stop; /* somebody else failed: give up */
};

/* Returns only when the registry says that it has the blob, in its full length. */
int upload_blob(const struct upload_request *request, enum upload_result *out,
                struct firn_error **err);

#endif
