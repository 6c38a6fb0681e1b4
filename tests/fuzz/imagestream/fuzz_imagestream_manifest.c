/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: whatever a registry serves under any type is refused, or yields valid digests and
 * types only.
 */
#include "core/error.h"
#include "imagestream/digest.h"
#include "imagestream/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct descriptor *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!digest_valid(list[i].digest) || strpbrk(list[i].media_type, " \r\n") != NULL ||
            list[i].size > INT64_MAX)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        NULL, OCI_INDEX, "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json", "text/plain"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        auto_manifest struct manifest manifest = {0};
        auto_error struct firn_error *err = NULL;
        if (manifest_parse(data, size, types[i], &manifest, &err) < 0)
            continue;
        check(manifest.children, manifest.child_count);
        check(manifest.blobs, manifest.blob_count);
        if (!manifest_type_known(manifest.media_type) || manifest_type_schema1(manifest.media_type))
            abort();
    }
    return 0;
}
