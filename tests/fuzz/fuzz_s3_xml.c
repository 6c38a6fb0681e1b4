/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an S3 server says in XML: errors, listings of objects and of versions, the configuration of Object Lock. What comes
 * out keeps to what the headers promise.
 */
#include "store/s3_xml.h"

#include "core/error.h"
#include "core/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PREFIX "p/"

static int take_entry(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)context;
    (void)err;
    if (!store_name_valid(entry->name) || entry->length > INT64_MAX)
        abort();
    return 0;
}

static int take_version(void *context, const struct s3_version *version, struct firn_error **err)
{
    (void)context;
    (void)err;
    if (!store_name_valid(version->name) || version->id[0] == '\0' ||
        strlen(version->id) >= S3_VERSION_LENGTH || version->etag == NULL ||
        (version->marker && version->length != 0))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    struct s3_fault fault;
    struct s3_version_place place;
    struct s3_lock_default state;
    char *next = NULL;
    s3_xml_fault(body, size, &fault);
    if (strlen(fault.code) >= S3_CODE_LENGTH || !utf8_is_printable(fault.code) ||
        !utf8_is_printable(fault.message) || !utf8_is_printable(fault.region))
        abort();
    if (s3_xml_page(body, size, PREFIX, take_entry, NULL, &next, NULL) < 0 && next != NULL)
        abort();
    free(next);
    if (s3_xml_versions(body, size, PREFIX, take_version, NULL, &place, NULL) < 0 &&
        (place.key != NULL || place.id != NULL))
        abort();
    s3_version_place_free(&place);
    if (s3_xml_lock(body, size, &state, NULL) == 0 &&
        (state.mode == STORE_UNLOCKED) != (state.period == 0) && state.mode == STORE_UNLOCKED)
        abort();
    return 0;
}
