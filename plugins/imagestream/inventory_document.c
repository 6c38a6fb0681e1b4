/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document of an inventory: JSON that a person can read, and from which restore rebuilds the
 * inventory.
 */
#include "digest.h"
#include "inventory.h"
#include "manifest.h"
#include "reference.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <json-c/linkhash.h>
#include <string.h>

#define VERSION        1
#define DOCUMENT_LIMIT (16u << 20)

static struct json_object *write_image(const struct image *image)
{
    struct json_object *json = json_object_new_object();
    json_set_string(json, "digest", image->digest);
    json_set_string(json, "mediaType", image->media_type);
    json_set_uint(json, "size", image->size);
    json_set_string(json, "platform", image->platform);
    json_set_string(json, "subject", image->subject);
    json_set_string(json, "missing", image->missing);
    if (image->child_count > 0) {
        struct json_object *children = json_object_new_array();
        for (size_t i = 0; i < image->child_count; i++)
            json_object_array_add(children, json_object_new_string(image->children[i]->digest));
        json_set_take(json, "children", children);
    }
    struct json_object *blobs = json_object_new_array();
    for (size_t i = 0; i < image->blob_count; i++)
        json_object_array_add(blobs, json_object_new_string(image->blobs[i]->digest));
    json_set_take(json, "blobs", blobs);
    return json;
}

static struct json_object *write_blob(const struct blob *blob)
{
    struct json_object *json = json_object_new_object();
    json_set_string(json, "digest", blob->digest);
    json_set_string(json, "mediaType", blob->media_type);
    json_set_uint(json, "size", blob->size);
    if (blob->foreign)
        json_set_bool(json, "foreign", true);
    json_set_string(json, "missing", blob->missing);
    return json;
}

/* The blobs of the images, each once. */
static struct json_object *write_blobs(const struct image_list *images)
{
    struct json_object *list = json_object_new_array();
    struct lh_table *seen = lh_kchar_table_new(64, NULL);
    for (size_t i = 0; i < images->count; i++)
        for (size_t k = 0; k < images->list[i]->blob_count; k++) {
            struct blob *blob = images->list[i]->blobs[k];
            if (lh_table_lookup_entry(seen, blob->digest) != NULL)
                continue;
            lh_table_insert(seen, blob->digest, NULL);
            json_object_array_add(list, write_blob(blob));
        }
    lh_table_free(seen);
    return list;
}

static void write_roots(struct json_object *json, const struct repository *repository)
{
    struct json_object *tags = json_object_new_array();
    for (size_t i = 0; i < repository->tag_count; i++) {
        struct json_object *tag = json_object_new_object();
        json_set_string(tag, "name", repository->tags[i].name);
        json_set_string(tag, "digest", repository->tags[i].image->digest);
        json_object_array_add(tags, tag);
    }
    json_set_take(json, "tags", tags);
    struct json_object *untagged = json_object_new_array();
    for (size_t i = 0; i < repository->untagged_count; i++)
        json_object_array_add(untagged, json_object_new_string(repository->untagged[i]->digest));
    json_set_take(json, "untagged", untagged);
}

static struct json_object *write_skipped(const struct repository *repository)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < repository->skipped_count; i++) {
        struct json_object *json = json_object_new_object();
        json_set_string(json, "what", repository->skipped[i].what);
        json_set_string(json, "reason", repository->skipped[i].reason);
        json_object_array_add(list, json);
    }
    return list;
}

int inventory_write(struct inventory *inventory, const struct repository *repository,
                    struct buf *out, struct firn_error **err)
{
    auto_json struct json_object *json = json_object_new_object();
    struct image_list images;
    inventory_walk(inventory, repository, &images);
    json_set_int(json, "version", VERSION);
    json_set_string(json, "registry", inventory->registry);
    json_set_string(json, "repository", repository->name);
    json_set_string(json, "relative", repository->relative);
    write_roots(json, repository);
    struct json_object *manifests = json_object_new_array();
    for (size_t i = 0; i < images.count; i++)
        json_object_array_add(manifests, write_image(images.list[i]));
    json_set_take(json, "manifests", manifests);
    json_set_take(json, "blobs", write_blobs(&images));
    json_set_take(json, "skipped", write_skipped(repository));
    free(images.list);
    *out = buf_new(DOCUMENT_LIMIT);
    json_write(out, json);
    if (out->overflowed)
        return fail(err, FIRN_INVALID,
                    "%s holds too many images for one snapshot: back it up tag by tag",
                    repository->name);
    return 0;
}

/* ---- reading */

static int get_digest(struct json_object *json, const char *member, const char **out,
                      struct firn_error **err)
{
    if (json_get_string(json, member, out, err) < 0)
        return -1;
    return digest_valid(*out) ? 0 : fail(err, FIRN_INVALID, "\"%s\" is not a digest", member);
}

static int digest_at(struct json_object *list, size_t index, const char **out,
                     struct firn_error **err)
{
    *out = json_object_get_string(json_object_array_get_idx(list, index));
    return *out != NULL && digest_valid(*out)
               ? 0
               : fail(err, FIRN_INVALID, "a list of digests holds something else");
}

static int read_blob(struct inventory *inventory, struct json_object *json, struct firn_error **err)
{
    const char *digest;
    const char *media_type;
    uint64_t size;
    bool added;
    if (get_digest(json, "digest", &digest, err) < 0 ||
        json_get_string(json, "mediaType", &media_type, err) < 0 ||
        json_get_uint(json, "size", &size, err) < 0)
        return wrap(err, "blob");
    struct blob *blob = inventory_blob(inventory, digest, &added);
    if (!added)
        return 0;
    blob->media_type = mem_strdup(media_type);
    blob->size = size;
    blob->foreign = json_bool_or(json, "foreign", false);
    blob->missing = mem_strdup(json_string_or(json, "missing", NULL));
    return 0;
}

static int read_references(struct inventory *inventory, struct json_object *json,
                           struct image *image, struct firn_error **err)
{
    struct json_object *children = json_at(json, "children");
    struct json_object *blobs;
    const char *digest;
    bool added;
    if (json_get_array(json, "blobs", &blobs, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(blobs); i++) {
        if (digest_at(blobs, i, &digest, err) < 0)
            return -1;
        struct blob *blob = inventory_blob(inventory, digest, &added);
        image_add_blob(image, blob);
        if (added)
            return fail(err, FIRN_INVALID, "blob %s is not described", digest);
    }
    if (!json_object_is_type(children, json_type_array))
        return 0;
    for (size_t i = 0; i < json_object_array_length(children); i++) {
        if (digest_at(children, i, &digest, err) < 0)
            return -1;
        struct image *child = inventory_image(inventory, digest, &added);
        if (child->media_type == NULL)
            return fail(err, FIRN_INVALID, "manifest %s is not described before it is referred to",
                        digest);
        image_add_child(image, child);
    }
    return 0;
}

static int read_image(struct inventory *inventory, struct json_object *json,
                      struct firn_error **err)
{
    const char *digest;
    bool added;
    if (get_digest(json, "digest", &digest, err) < 0)
        return -1;
    struct image *image = inventory_image(inventory, digest, &added);
    if (image->media_type != NULL)
        return 0;
    const char *media_type = json_string_or(json, "mediaType", NULL);
    image->missing = mem_strdup(json_string_or(json, "missing", NULL));
    if (image->missing == NULL && (media_type == NULL || !manifest_type_known(media_type)))
        return fail(err, FIRN_INVALID, "manifest %s has no type", digest);
    image->media_type = mem_strdup(media_type == NULL ? "" : media_type);
    if (json_at(json, "size") != NULL && json_get_uint(json, "size", &image->size, err) < 0)
        return -1;
    image->platform = mem_strdup(json_string_or(json, "platform", NULL));
    image->subject = mem_strdup(json_string_or(json, "subject", NULL));
    return read_references(inventory, json, image, err);
}

/* An image that a tag or a list names has to be described. */
static int described(struct inventory *inventory, const char *digest, struct image **out,
                     struct firn_error **err)
{
    bool added;
    *out = inventory_image(inventory, digest, &added);
    return (*out)->media_type == NULL
               ? fail(err, FIRN_INVALID, "manifest %s is not described", digest)
               : 0;
}

static int read_roots(struct inventory *inventory, struct json_object *json,
                      struct repository *repository, struct firn_error **err)
{
    struct json_object *tags;
    struct json_object *untagged;
    struct image *image;
    const char *name;
    const char *digest;
    if (json_get_array(json, "tags", &tags, err) < 0 ||
        json_get_array(json, "untagged", &untagged, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(tags); i++) {
        struct json_object *tag = json_object_array_get_idx(tags, i);
        if (json_get_string(tag, "name", &name, err) < 0 ||
            get_digest(tag, "digest", &digest, err) < 0 ||
            described(inventory, digest, &image, err) < 0)
            return -1;
        if (!reference_valid_tag(name))
            return fail(err, FIRN_INVALID, "a tag's name is not one");
        repository_add_tag(repository, name, image);
    }
    for (size_t i = 0; i < json_object_array_length(untagged); i++) {
        if (digest_at(untagged, i, &digest, err) < 0 ||
            described(inventory, digest, &image, err) < 0)
            return -1;
        repository_add_untagged(repository, image);
    }
    return 0;
}

static int read_parts(struct inventory *inventory, struct json_object *json,
                      struct firn_error **err)
{
    struct json_object *manifests;
    struct json_object *blobs;
    if (json_get_array(json, "manifests", &manifests, err) < 0 ||
        json_get_array(json, "blobs", &blobs, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(blobs); i++)
        if (read_blob(inventory, json_object_array_get_idx(blobs, i), err) < 0)
            return -1;
    for (size_t i = 0; i < json_object_array_length(manifests); i++)
        if (read_image(inventory, json_object_array_get_idx(manifests, i), err) < 0)
            return -1;
    return 0;
}

int inventory_read(struct inventory *inventory, const void *data, size_t length,
                   struct firn_error **err)
{
    auto_json struct json_object *json = NULL;
    const char *name;
    if (json_parse(data, length, "inventory", &json, err) < 0 ||
        json_get_string(json, "repository", &name, err) < 0)
        return -1;
    if (json_int_or(json, "version", 0) != VERSION)
        return fail(err, FIRN_INVALID, "the inventory of %.255s is of another version than %d",
                    name, VERSION);
    const char *relative = json_string_or(json, "relative", "");
    if (!reference_valid_name(name) || (relative[0] != '\0' && !reference_valid_name(relative)))
        return fail(err, FIRN_INVALID, "an inventory's repository has a name that cannot be one");
    if (inventory->registry == NULL)
        inventory->registry = mem_strdup(json_string_or(json, "registry", NULL));
    struct repository *repository = inventory_add_repository(inventory, name, relative);
    if (read_parts(inventory, json, err) < 0 || read_roots(inventory, json, repository, err) < 0)
        return wrap(err, "inventory of %s", name);
    return 0;
}
