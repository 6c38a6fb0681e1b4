/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

void record_time(struct json_object *record, const char *name, int64_t time)
{
    char text[CLOCK_TEXT_LENGTH];
    clock_format(time, text);
    json_set_string(record, name, text);
}

static void add_origin(struct json_object *record, const struct snapshot *snapshot)
{
    char parent[FORMAT_ID_TEXT];
    struct json_object *tags = json_object_new_array();
    for (size_t i = 0; i < snapshot->tag_count; i++)
        json_object_array_add(tags, json_object_new_string(snapshot->tags[i]));
    hex_encode(snapshot->parent, sizeof(snapshot->parent), parent);
    json_set_string(record, "id", snapshot->id_text);
    json_set_string(record, "item", snapshot->item);
    json_set_string(record, "hostname", snapshot->hostname);
    json_set_take(record, "tags", tags);
    json_set_string(record, "parent", snapshot_has_parent(snapshot) ? parent : NULL);
    if (snapshot_is_copy(snapshot)) {
        struct json_object *origin = json_object_new_object();
        char id[FORMAT_ID_TEXT];
        hex_encode(snapshot->origin.repository, FORMAT_ID_LENGTH, id);
        json_set_string(origin, "repository", id);
        hex_encode(snapshot->origin.snapshot, FORMAT_ID_LENGTH, id);
        json_set_string(origin, "snapshot", id);
        json_set_take(record, "origin", origin);
    }
    json_set_string(record, "version", snapshot->version);
}

static void add_outcome(struct json_object *record, const struct snapshot *snapshot)
{
    record_time(record, "started", snapshot->started);
    record_time(record, "committed", snapshot->committed);
    record_time(record, "point_in_time", snapshot->point_in_time);
    json_set_int(record, "duration_ms", snapshot->committed - snapshot->started);
    json_set_string(record, "method", snapshot->method);
    json_set_string(record, "consistency", snapshot_consistency_name(snapshot->consistency));
    json_set_string(record, "reason", snapshot->reason);
    json_set_int(record, "frozen_ms", snapshot->frozen);
    if (snapshot->protected_until > 0)
        record_time(record, "protected_until", snapshot->protected_until);
}

static void add_figures(struct json_object *record, const struct snapshot *snapshot)
{
    json_set_uint(record, "bytes_total", snapshot->bytes_total);
    json_set_uint(record, "bytes_read", snapshot->bytes_read);
    json_set_uint(record, "bytes_zero", snapshot->bytes_zero);
    json_set_uint(record, "bytes_changed", snapshot->bytes_changed);
    json_set_uint(record, "bytes_new", snapshot->bytes_new);
    json_set_uint(record, "bytes_stored", snapshot->bytes_stored);
    json_set_uint(record, "packs", snapshot->packs);
    json_set_uint(record, "object_count", snapshot->object_count);
}

struct json_object *record_snapshot(const struct snapshot *snapshot)
{
    struct json_object *record = json_object_new_object();
    add_origin(record, snapshot);
    add_outcome(record, snapshot);
    add_figures(record, snapshot);
    return record;
}

struct json_object *record_object(const struct snapshot_object *object)
{
    static const char *const kinds[] = {[FIRN_OBJECT_VOLUME] = "volume",
                                        [FIRN_OBJECT_STREAM] = "stream",
                                        [FIRN_OBJECT_DOCUMENT] = "document"};
    struct json_object *record = json_object_new_object();
    json_set_string(record, "name", object->name);
    json_set_string(record, "kind", kinds[object->kind]);
    json_set_string(record, "media_type", object->media_type);
    json_set_uint(record, "length", object->length);
    json_set_string(record, "digest", object->digest);
    return record;
}

struct json_object *record_objects(const struct snapshot *snapshot)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < snapshot->object_count; i++)
        json_object_array_add(array, record_object(&snapshot->objects[i]));
    return array;
}

void record_store(struct json_object *record, const struct repo *repo)
{
    static const char *const conditions[] = {[STORE_CONDITION_KEPT] = "kept",
                                             [STORE_CONDITION_IGNORED] = "ignored",
                                             [STORE_CONDITION_REFUSED] = "refused"};
    const struct store_abilities *store = &repo->abilities;
    json_set_bool(record, "versions", store->versions);
    json_set_bool(record, "object_lock", store->locks);
    json_set_string(record, "if_none_match", conditions[store->condition]);
    if (store->default_mode != STORE_UNLOCKED) {
        json_set_string(record, "default_mode", store_lock_mode_name(store->default_mode));
        json_set_int(record, "default_retain_ms", store->default_period);
    }
    if (repo->lock.mode == STORE_UNLOCKED)
        return;
    json_set_string(record, "immutable", store_lock_mode_name(repo->lock.mode));
    json_set_int(record, "retain_ms", repo->lock.period);
    json_set_int(record, "generation_ms", repo->lock.generation);
}
