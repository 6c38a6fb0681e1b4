/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that a registry or a user sends: references, challenges, addresses. What is taken holds
 * nothing that could leave a path or a header; a reference, put together again, is taken as the
 * same.
 */
#include "core/error.h"
#include "core/mem.h"
#include "imagestream/challenge.h"
#include "imagestream/location.h"
#include "imagestream/reference.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_reference(const char *text)
{
    auto_reference struct reference first = {0};
    auto_reference struct reference second = {0};
    if (reference_parse(text, &first, NULL) < 0)
        return;
    if (strpbrk(first.host, "/@ \r\n") != NULL || strstr(first.path, "..") != NULL ||
        strpbrk(first.path, "@ \r\n?#%") != NULL)
        abort();
    auto_free char *again = mem_printf(
        "%s/%s%s%s%s%s%s", first.host, first.path, first.kind == REFERENCE_NAMESPACE ? "/" : "",
        first.tag == NULL ? "" : ":", first.tag == NULL ? "" : first.tag,
        first.digest == NULL ? "" : "@", first.digest == NULL ? "" : first.digest);
    if (reference_parse(again, &second, NULL) < 0 || second.kind != first.kind ||
        strcmp(first.path, second.path) != 0)
        abort();
}

static void try_location(const char *text)
{
    auto_free char *resolved = NULL;
    if (location_resolve("https://registry.example/v2/", text, &resolved, NULL) < 0)
        return;
    auto_free char *host = location_host(resolved);
    if (location_same_origin(resolved, "https://registry.example/") &&
        (host == NULL || strcasecmp(host, "registry.example") != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_dup(data, size);
    auto_challenge struct challenge challenge = {0};
    challenge_read(text, &challenge);
    if (challenge.scheme == CHALLENGE_BEARER && challenge.realm == NULL)
        abort();
    try_reference(text);
    try_location(text);
    return 0;
}
