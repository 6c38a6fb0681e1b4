/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest.h"

#include "digest.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <string.h>

#define OCI_IMAGE       "application/vnd.oci.image.manifest.v1+json"
#define OCI_ARTIFACT    "application/vnd.oci.artifact.manifest.v1+json"
#define DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_IMAGE    "application/vnd.docker.distribution.manifest.v2+json"
#define SCHEMA1         "application/vnd.docker.distribution.manifest.v1+json"
#define SCHEMA1_SIGNED  "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define MEDIA_TYPE_MOST 255

const char manifest_accept[] =
    OCI_INDEX ", " OCI_IMAGE ", " DOCKER_LIST ", " DOCKER_IMAGE ", " OCI_ARTIFACT
              ", " SCHEMA1_SIGNED ";q=0.1, " SCHEMA1 ";q=0.1";

bool manifest_type_known(const char *media_type)
{
    static const char *const types[] = {OCI_INDEX, OCI_IMAGE, OCI_ARTIFACT, DOCKER_LIST,
                                        DOCKER_IMAGE};
    for (size_t i = 0; i < array_length(types); i++)
        if (strcmp(media_type, types[i]) == 0)
            return true;
    return manifest_type_schema1(media_type);
}

bool manifest_type_schema1(const char *media_type)
{
    return strcmp(media_type, SCHEMA1) == 0 || strcmp(media_type, SCHEMA1_SIGNED) == 0;
}

static void descriptor_free(struct descriptor *descriptor)
{
    free(descriptor->media_type);
    free(descriptor->digest);
    free(descriptor->platform);
}

void manifest_free(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->child_count; i++)
        descriptor_free(&manifest->children[i]);
    for (size_t i = 0; i < manifest->blob_count; i++)
        descriptor_free(&manifest->blobs[i]);
    free(manifest->children);
    free(manifest->blobs);
    free(manifest->media_type);
    free(manifest->subject);
    *manifest = (struct manifest){0};
}

/* RFC 6838 names only: the type goes into headers and into the snapshot. */
static bool media_type_valid(const char *type)
{
    size_t length = strlen(type);
    return length > 0 && length <= MEDIA_TYPE_MOST &&
           strspn(type,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+.-_!#$&^") ==
               length;
}

static char *platform_text(struct json_object *descriptor)
{
    const char *os = json_string_or(descriptor, "platform.os", NULL);
    const char *architecture = json_string_or(descriptor, "platform.architecture", NULL);
    const char *variant = json_string_or(descriptor, "platform.variant", NULL);
    if (os == NULL || architecture == NULL)
        return NULL;
    struct buf text = buf_new(128);
    buf_printf(&text, "%s/%s%s%s", os, architecture, variant == NULL ? "" : "/",
               variant == NULL ? "" : variant);
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
            text.data[i] = '?';
    return buf_take(&text);
}

static int descriptor_read(struct json_object *json, struct descriptor *out,
                           struct firn_error **err)
{
    const char *media_type;
    const char *digest;
    uint64_t size;
    if (json_get_string(json, "mediaType", &media_type, err) < 0 ||
        json_get_string(json, "digest", &digest, err) < 0 ||
        json_get_uint(json, "size", &size, err) < 0)
        return wrap(err, "descriptor");
    if (!media_type_valid(media_type))
        return fail(err, FIRN_INVALID, "a descriptor's media type is not one");
    if (!digest_valid(digest))
        return fail(err, FIRN_INVALID, "a descriptor's digest is not sha256 or sha512");
    if (size > INT64_MAX)
        return fail(err, FIRN_INVALID, "%s: a size of %llu bytes is not possible", digest,
                    (unsigned long long)size);
    struct json_object *urls = json_at(json, "urls");
    *out = (struct descriptor){
        .media_type = mem_strdup(media_type),
        .digest = mem_strdup(digest),
        .size = size,
        .platform = platform_text(json),
        .foreign = json_object_is_type(urls, json_type_array) && json_object_array_length(urls) > 0,
    };
    return 0;
}

/* Appends one descriptor to the list that it belongs to. */
static int add(struct json_object *json, struct descriptor **list, size_t *count,
               struct firn_error **err)
{
    struct descriptor descriptor;
    if (descriptor_read(json, &descriptor, err) < 0)
        return -1;
    if ((*count & (*count - 1)) == 0)
        *list = mem_resize(*list, *count == 0 ? 1 : 2 * *count, sizeof(**list));
    (*list)[(*count)++] = descriptor;
    return 0;
}

/* An index may name things that are no manifests (build caches do): those are blobs. */
static int add_child(struct json_object *json, struct manifest *out, struct firn_error **err)
{
    if (manifest_type_known(json_string_or(json, "mediaType", "")))
        return add(json, &out->children, &out->child_count, err);
    return add(json, &out->blobs, &out->blob_count, err);
}

static int read_index(struct json_object *json, struct manifest *out, struct firn_error **err)
{
    struct json_object *list;
    if (json_get_array(json, "manifests", &list, err) < 0)
        return -1;
    if (json_at(json, "layers") != NULL || json_at(json, "config") != NULL)
        return fail(err, FIRN_INVALID, "it claims to be an index and an image at once");
    out->index = true;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (add_child(json_object_array_get_idx(list, i), out, err) < 0)
            return -1;
    return 0;
}

static int read_layers(struct json_object *json, const char *member, struct manifest *out,
                       struct firn_error **err)
{
    struct json_object *list;
    if (json_get_array(json, member, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (add(json_object_array_get_idx(list, i), &out->blobs, &out->blob_count, err) < 0)
            return -1;
    return 0;
}

static int read_image(struct json_object *json, struct manifest *out, struct firn_error **err)
{
    struct json_object *config = json_at(json, "config");
    if (config == NULL)
        return fail(err, FIRN_INVALID, "it has no config");
    if (json_at(json, "manifests") != NULL)
        return fail(err, FIRN_INVALID, "it claims to be an image and an index at once");
    if (add(config, &out->blobs, &out->blob_count, err) < 0)
        return -1;
    return read_layers(json, "layers", out, err);
}

static int read_artifact(struct json_object *json, struct manifest *out, struct firn_error **err)
{
    return json_at(json, "blobs") == NULL ? 0 : read_layers(json, "blobs", out, err);
}

/* The type that the manifest gives itself must be the one that it was served as: what is an image
 * to one reader and an index to another hides contents (CVE-2021-41190). */
static int media_type_of(struct json_object *json, const char *content_type, const char **out,
                         struct firn_error **err)
{
    const char *own = json_string_or(json, "mediaType", NULL);
    const char *served =
        content_type != NULL && manifest_type_known(content_type) ? content_type : NULL;
    if (json_int_or(json, "schemaVersion", 0) == 1 || (own != NULL && manifest_type_schema1(own)) ||
        (served != NULL && manifest_type_schema1(served)))
        return fail(err, FIRN_INVALID,
                    "it is a schema-1 manifest, whose digest does not name its bytes; push the "
                    "image again in Docker's "
                    "schema 2 or as OCI");
    if (own != NULL && served != NULL && strcmp(own, served) != 0)
        return fail(err, FIRN_INVALID, "it was served as %s and calls itself %s", served, own);
    if (own == NULL && served == NULL)
        own = json_at(json, "manifests") != NULL ? OCI_INDEX
              : json_at(json, "layers") != NULL  ? OCI_IMAGE
                                                 : NULL;
    *out = own != NULL ? own : served;
    if (*out == NULL || !manifest_type_known(*out))
        return fail(err, FIRN_INVALID, "its type is not one that Firn knows");
    return 0;
}

static int read_subject(struct json_object *json, struct manifest *out, struct firn_error **err)
{
    if (json_at(json, "subject") == NULL)
        return 0;
    const char *digest;
    if (json_get_string(json, "subject.digest", &digest, err) < 0)
        return -1;
    if (!digest_valid(digest))
        return fail(err, FIRN_INVALID, "its subject's digest is not sha256 or sha512");
    out->subject = mem_strdup(digest);
    return 0;
}

static int read_members(struct json_object *json, struct manifest *out, struct firn_error **err)
{
    if (strcmp(out->media_type, OCI_INDEX) == 0 || strcmp(out->media_type, DOCKER_LIST) == 0) {
        if (read_index(json, out, err) < 0)
            return -1;
    } else if (strcmp(out->media_type, OCI_ARTIFACT) == 0) {
        if (read_artifact(json, out, err) < 0)
            return -1;
    } else if (read_image(json, out, err) < 0) {
        return -1;
    }
    return read_subject(json, out, err);
}

int manifest_parse(const void *data, size_t length, const char *content_type, struct manifest *out,
                   struct firn_error **err)
{
    *out = (struct manifest){0};
    if (length > MANIFEST_LIMIT)
        return fail(err, FIRN_INVALID, "a manifest of more than 4 MiB");
    auto_json struct json_object *json = NULL;
    if (json_parse(data, length, "manifest", &json, err) < 0)
        return -1;
    if (!json_object_is_type(json, json_type_object))
        return fail(err, FIRN_INVALID, "a manifest is a JSON object");
    const char *media_type;
    if (media_type_of(json, content_type, &media_type, err) < 0)
        return -1;
    auto_manifest struct manifest manifest = {.media_type = mem_strdup(media_type)};
    if (read_members(json, &manifest, err) < 0)
        return -1;
    *out = manifest;
    manifest = (struct manifest){0};
    return 0;
}
