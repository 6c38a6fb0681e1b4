/* SPDX-License-Identifier: Apache-2.0 */
#include "fallback.h"

#include "digest.h"
#include "inventory.h"
#include "manifest.h"
#include "registry.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <string.h>

static char *tag_of(const char *subject)
{
    char *tag = mem_strdup(subject);
    *strchr(tag, ':') = '-';
    return tag;
}

static bool brought(const struct repository *repository, const char *tag)
{
    for (size_t i = 0; i < repository->tag_count; i++)
        if (strcmp(repository->tags[i].name, tag) == 0)
            return true;
    return false;
}

/* The index as it is, or a new one. */
static int current(struct registry *registry, const struct repository *repository, const char *tag,
                   struct json_object **out, struct firn_error **err)
{
    auto_served struct served served = {0};
    auto_error struct firn_error *failure = NULL;
    if (registry_manifest_get(registry, repository->target, tag, &served, &failure) == 0)
        return json_parse(served.bytes, served.length, tag, out, err);
    if (error_code(failure) != FIRN_NOTFOUND)
        return fail(err, error_code(failure), "%s", error_message(failure));
    *out = json_object_new_object();
    json_set_int(*out, "schemaVersion", 2);
    json_set_string(*out, "mediaType", OCI_INDEX);
    json_set_take(*out, "manifests", json_object_new_array());
    return 0;
}

static bool listed(struct json_object *list, const char *digest)
{
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strcmp(json_string_or(json_object_array_get_idx(list, i), "digest", ""), digest) == 0)
            return true;
    return false;
}

/* The descriptor of a referrer carries its artifact type and annotations. */
static int describe(const struct served *manifest, struct json_object **out,
                    struct firn_error **err)
{
    auto_json struct json_object *json = NULL;
    if (json_parse(manifest->bytes, manifest->length, "manifest", &json, err) < 0)
        return -1;
    *out = json_object_new_object();
    json_set_string(*out, "mediaType", manifest->media_type);
    json_set_string(*out, "digest", manifest->digest);
    json_set_uint(*out, "size", manifest->length);
    json_set_string(
        *out, "artifactType",
        json_string_or(json, "artifactType", json_string_or(json, "config.mediaType", NULL)));
    struct json_object *annotations = json_at(json, "annotations");
    if (annotations != NULL)
        json_set_take(*out, "annotations", json_object_get(annotations));
    return 0;
}

static int put(struct registry *registry, const struct repository *repository, const char *tag,
               struct json_object *index, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(MANIFEST_LIMIT);
    json_write(&text, index);
    if (buf_check(&text, "index of referrers", err) < 0)
        return -1;
    auto_free char *digest = digest_of(NULL, text.data, text.length);
    char media_type[] = OCI_INDEX;
    struct served served = {
        .bytes = text.data, .length = text.length, .digest = digest, .media_type = media_type};
    return registry_manifest_put(registry, repository->target, tag, &served, NULL, err);
}

int fallback_refer(struct registry *registry, const struct repository *repository,
                   const struct image *image, const struct served *manifest,
                   struct firn_error **err)
{
    auto_free char *tag = tag_of(image->subject);
    auto_json struct json_object *index = NULL;
    struct json_object *list;
    struct json_object *descriptor;
    if (brought(repository, tag))
        return 0;
    if (current(registry, repository, tag, &index, err) < 0 ||
        json_get_array(index, "manifests", &list, err) < 0)
        return wrap(err, "referrers tag %s", tag);
    if (listed(list, image->digest))
        return 0;
    if (describe(manifest, &descriptor, err) < 0)
        return -1;
    json_object_array_add(list, descriptor);
    return put(registry, repository, tag, index, err);
}
