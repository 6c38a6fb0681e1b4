/* SPDX-License-Identifier: Apache-2.0 */
#include "read_back.h"

#include "download.h"

#include <core/error.h>

#include <firn/plugin.h>

/* A sink of streams that takes everything and keeps nothing: downloads prove digests themselves. */

static int begin(struct firn_sink *sink, const struct firn_object_info *info,
                 struct firn_object **object)
{
    (void)sink;
    (void)info;
    *object = NULL;
    return 0;
}

static int take(struct firn_object *object, const void *data, uint64_t length)
{
    (void)object;
    (void)data;
    (void)length;
    return 0;
}

static int end(struct firn_object *object)
{
    (void)object;
    return 0;
}

static void abandon(struct firn_object *object)
{
    (void)object;
}

int read_back_blob(struct registry *registry, const char *repository, const struct blob *blob,
                   const atomic_bool *stop, struct firn_error **err)
{
    struct firn_sink nowhere = {.size = sizeof(nowhere),
                                .object_begin = begin,
                                .stream = take,
                                .object_end = end,
                                .object_abandon = abandon};
    struct download_request request = {.registry = registry,
                                       .repository = repository,
                                       .blob = blob,
                                       .sink = &nowhere,
                                       .stop = stop};
    if (download_blob(&request, err) < 0)
        return wrap(err, "read back after the restore");
    return 0;
}
