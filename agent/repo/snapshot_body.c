/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_body.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "repo.h"
#include "snapshot.h"

#include <string.h>

static const char *const KINDS[] = {[FIRN_OBJECT_VOLUME] = "volume",
                                    [FIRN_OBJECT_STREAM] = "stream",
                                    [FIRN_OBJECT_DOCUMENT] = "document"};
static const char *const CONSISTENCIES[] = {[FIRN_CRASH_CONSISTENT] = "crash-consistent",
                                            [FIRN_FILESYSTEM_CONSISTENT] = "filesystem-consistent",
                                            [FIRN_APPLICATION_CONSISTENT] =
                                                "application-consistent"};

const char *snapshot_consistency_name(enum firn_consistency consistency)
{
    return consistency < FIRN_CRASH_CONSISTENT || consistency > FIRN_APPLICATION_CONSISTENT
               ? "unknown"
               : CONSISTENCIES[consistency];
}

const char *snapshot_kind_name(enum firn_object_kind kind)
{
    return KINDS[kind];
}

/* ------------------------------------------------------------------------------------------------ writing */

static void write_figures(struct json_object *json, const struct snapshot *snapshot)
{
    struct json_object *figures = json_object_new_object();
    json_set_uint(figures, "bytes_total", snapshot->bytes_total);
    json_set_uint(figures, "bytes_read", snapshot->bytes_read);
    json_set_uint(figures, "bytes_zero", snapshot->bytes_zero);
    json_set_uint(figures, "bytes_changed", snapshot->bytes_changed);
    json_set_uint(figures, "bytes_new", snapshot->bytes_new);
    json_set_uint(figures, "bytes_stored", snapshot->bytes_stored);
    json_set_uint(figures, "packs", snapshot->packs);
    json_set_take(json, "figures", figures);
}

static struct json_object *write_origin(const struct snapshot_origin *origin)
{
    struct json_object *json = json_object_new_object();
    char id[FORMAT_ID_TEXT];
    hex_encode(origin->repository, FORMAT_ID_LENGTH, id);
    json_set_string(json, "repository", id);
    hex_encode(origin->snapshot, FORMAT_ID_LENGTH, id);
    json_set_string(json, "snapshot", id);
    return json;
}

static void write_common(struct json_object *json, const struct snapshot *snapshot)
{
    json_set_string(json, "item", snapshot->item);
    json_set_string(json, "hostname", snapshot->hostname);
    struct json_object *tags = json_object_new_array();
    for (size_t i = 0; i < snapshot->tag_count; i++)
        json_object_array_add(tags, json_object_new_string(snapshot->tags[i]));
    json_set_take(json, "tags", tags);
    json_set_int(json, "started", snapshot->started);
    json_set_int(json, "committed", snapshot->committed);
    if (snapshot_has_parent(snapshot)) {
        char parent[FORMAT_ID_TEXT];
        hex_encode(snapshot->parent, FORMAT_ID_LENGTH, parent);
        json_set_string(json, "parent", parent);
    }
    if (snapshot_is_copy(snapshot))
        json_set_take(json, "origin", write_origin(&snapshot->origin));
    json_set_string(json, "version", snapshot->version);
    json_set_string(json, "consistency", snapshot_consistency_name(snapshot->consistency));
    json_set_string(json, "method", snapshot->method);
    json_set_string(json, "reason", snapshot->reason);
    json_set_int(json, "point_in_time", snapshot->point_in_time);
    json_set_int(json, "frozen_ms", snapshot->frozen);
    if (snapshot->protected_until > 0)
        json_set_int(json, "protected_until", snapshot->protected_until);
    write_figures(json, snapshot);
}

static struct json_object *write_object(const struct snapshot_object *object)
{
    struct json_object *json = json_object_new_object();
    json_set_string(json, "kind", KINDS[object->kind]);
    json_set_string(json, "name", object->name);
    json_set_string(json, "media_type", object->media_type);
    json_set_uint(json, "length", object->length);
    json_set_string(json, "digest", object->digest);
    return json;
}

struct json_object *snapshot_body_write(struct repo *repo, const struct snapshot *snapshot)
{
    struct json_object *json = json_object_new_object();
    write_common(json, snapshot);
    json_set_string(json, "state", snapshot->state);
    struct json_object *objects = json_object_new_array();
    for (size_t i = 0; i < snapshot->object_count; i++) {
        struct json_object *object = write_object(&snapshot->objects[i]);
        json_set_take(object, "map", map_to_json(repo, &snapshot->objects[i].map));
        json_object_array_add(objects, object);
    }
    json_set_take(json, "objects", objects);
    return json;
}

struct json_object *snapshot_to_json(const struct snapshot *snapshot)
{
    struct json_object *json = json_object_new_object();
    json_set_string(json, "id", snapshot->id_text);
    write_common(json, snapshot);
    struct json_object *objects = json_object_new_array();
    for (size_t i = 0; i < snapshot->object_count; i++)
        json_object_array_add(objects, write_object(&snapshot->objects[i]));
    json_set_take(json, "objects", objects);
    return json;
}

/* ------------------------------------------------------------------------------------------------ reading */

static int find_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return 0;
}

static int read_figures(struct json_object *json, struct snapshot *snapshot,
                        struct firn_error **err)
{
    uint64_t packs = 0;
    if (json_get_uint(json, "figures.bytes_total", &snapshot->bytes_total, err) < 0 ||
        json_get_uint(json, "figures.bytes_read", &snapshot->bytes_read, err) < 0 ||
        json_get_uint(json, "figures.bytes_zero", &snapshot->bytes_zero, err) < 0 ||
        json_get_uint(json, "figures.bytes_changed", &snapshot->bytes_changed, err) < 0 ||
        json_get_uint(json, "figures.bytes_new", &snapshot->bytes_new, err) < 0 ||
        json_get_uint(json, "figures.bytes_stored", &snapshot->bytes_stored, err) < 0 ||
        json_get_uint(json, "figures.packs", &packs, err) < 0)
        return -1;
    snapshot->packs = (uint32_t)packs;
    return 0;
}

static int read_tags(struct json_object *json, struct snapshot *snapshot, struct firn_error **err)
{
    struct json_object *tags = NULL;
    if (json_get_array(json, "tags", &tags, err) < 0)
        return -1;
    size_t count = json_object_array_length(tags);
    snapshot->tags = mem_array(count, sizeof(*snapshot->tags));
    for (size_t i = 0; i < count; i++) {
        const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));
        snapshot->tags[snapshot->tag_count++] = mem_strdup(tag == NULL ? "" : tag);
    }
    return 0;
}

static int read_relations(struct json_object *json, struct snapshot *snapshot,
                          struct firn_error **err)
{
    const char *parent = json_string_or(json, "parent", NULL);
    const char *repository = json_string_or(json, "origin.repository", NULL);
    const char *origin = json_string_or(json, "origin.snapshot", NULL);
    if (parent != NULL && !hex_decode(parent, snapshot->parent, FORMAT_ID_LENGTH))
        return fail(err, FIRN_CORRUPT, "its parent is no id");
    if (json_at(json, "origin") != NULL &&
        (repository == NULL || origin == NULL ||
         !hex_decode(repository, snapshot->origin.repository, FORMAT_ID_LENGTH) ||
         !hex_decode(origin, snapshot->origin.snapshot, FORMAT_ID_LENGTH)))
        return fail(err, FIRN_CORRUPT, "its origin is no snapshot");
    return 0;
}

static int read_common(struct json_object *json, struct snapshot *snapshot, struct firn_error **err)
{
    const char *item = NULL, *consistency = NULL, *method = NULL;
    if (json_get_string(json, "item", &item, err) < 0 ||
        json_get_string(json, "method", &method, err) < 0 ||
        json_get_string(json, "consistency", &consistency, err) < 0 ||
        json_get_int(json, "started", &snapshot->started, err) < 0 ||
        json_get_int(json, "committed", &snapshot->committed, err) < 0 ||
        json_get_int(json, "point_in_time", &snapshot->point_in_time, err) < 0 ||
        json_get_int(json, "frozen_ms", &snapshot->frozen, err) < 0 ||
        read_figures(json, snapshot, err) < 0 || read_tags(json, snapshot, err) < 0)
        return -1;
    snapshot->protected_until = json_int_or(json, "protected_until", 0);
    snapshot->item = mem_strdup(item);
    snapshot->method = mem_strdup(method);
    snapshot->consistency =
        (enum firn_consistency)find_name(CONSISTENCIES, array_length(CONSISTENCIES), consistency);
    snapshot->hostname = mem_strdup(json_string_or(json, "hostname", NULL));
    snapshot->reason = mem_strdup(json_string_or(json, "reason", NULL));
    snapshot->state = mem_strdup(json_string_or(json, "state", NULL));
    snapshot->version = mem_strdup(json_string_or(json, "version", NULL));
    return read_relations(json, snapshot, err);
}

static int read_object(struct repo *repo, struct json_object *json, struct snapshot_object *object,
                       struct firn_error **err)
{
    const char *kind = NULL, *name = NULL, *media_type = NULL;
    if (json_get_string(json, "kind", &kind, err) < 0 ||
        json_get_string(json, "name", &name, err) < 0 ||
        json_get_string(json, "media_type", &media_type, err) < 0 ||
        json_get_uint(json, "length", &object->length, err) < 0)
        return -1;
    object->name = mem_strdup(name);
    object->media_type = mem_strdup(media_type);
    object->digest = mem_strdup(json_string_or(json, "digest", NULL));
    object->kind = (enum firn_object_kind)find_name(KINDS, array_length(KINDS), kind);
    if (object->kind == 0 || object->length > FORMAT_LENGTH_MAX)
        return fail(err, FIRN_CORRUPT, "object %s: unknown kind or impossible length", name);
    return map_from_json(repo, json_at(json, "map"), &object->map, err);
}

int snapshot_body_read(struct repo *repo, struct json_object *json, struct snapshot *snapshot,
                       struct firn_error **err)
{
    struct json_object *objects = NULL;
    if (read_common(json, snapshot, err) < 0 || json_get_array(json, "objects", &objects, err) < 0)
        return -1;
    size_t count = json_object_array_length(objects);
    snapshot->objects = mem_array(count, sizeof(*snapshot->objects));
    for (size_t i = 0; i < count; i++) {
        snapshot->object_count = i + 1;
        if (read_object(repo, json_object_array_get_idx(objects, i), &snapshot->objects[i], err) <
            0)
            return -1;
    }
    return 0;
}
