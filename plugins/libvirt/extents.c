/* SPDX-License-Identifier: Apache-2.0 */
#include "extents.h"

static int write_one(const struct extents *extents, const struct firn_extent *extent,
                     struct firn_error **err)
{
    if (extent->length > extents->size || extent->offset > extents->size - extent->length)
        return fail(err, FIRN_CORRUPT, "an extent lies beyond the end of the volume");
    if (atomic_load(extents->stop) || extents->host->cancelled(extents->host))
        return fail(err, FIRN_CANCELLED, "cancelled");
    if (extent->data == NULL)
        return 0;
    return extents->write(extents->context, extent->offset, extent->data, extent->length, err);
}

int extents_write(const struct extents *extents, struct firn_source *source,
                  struct firn_reader *reader, struct firn_error **err)
{
    for (;;) {
        struct firn_extent extent = {.size = sizeof(extent)};
        int more = source->next_extent(reader, &extent);
        if (more <= 0)
            return more;
        int result = write_one(extents, &extent, err);
        extents->host->progress(extents->host, 0, extent.length);
        source->release(reader, &extent);
        if (result < 0)
            return -1;
    }
}
