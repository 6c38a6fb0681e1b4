/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include "core/buf.h"
#include "core/json.h"
#include "core/mem.h"

#include <string.h>

#define STATE_VERSION 1
#define STATE_LIMIT   65536

void state_release(struct state *state)
{
    free(state->uuid);
    free(state->lineage);
    free(state->checkpoint);
    free(state->checkpoint_xml);
    for (size_t i = 0; i < state->disk_count; i++)
        free(state->disks[i].target);
    free(state->disks);
    *state = (struct state){.uuid = NULL};
}

static int read_disks(struct json_object *value, struct state *state, struct firn_error **err)
{
    struct json_object *list = NULL;
    if (json_get_array(value, "disks", &list, err) < 0)
        return -1;
    size_t count = json_object_array_length(list);
    state->disks = mem_array(count, sizeof(*state->disks));
    for (size_t i = 0; i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct state_disk *disk = &state->disks[state->disk_count];
        const char *target = NULL;
        if (json_get_string(entry, "target", &target, err) < 0 ||
            json_get_uint(entry, "size", &disk->size, err) < 0)
            return -1;
        disk->target = mem_strdup(target);
        state->disk_count++;
    }
    return 0;
}

static int read_members(struct json_object *value, struct state *state, struct firn_error **err)
{
    int64_t version = 0;
    const char *uuid = NULL, *lineage = NULL;
    if (json_get_int(value, "version", &version, err) < 0 ||
        json_get_string(value, "uuid", &uuid, err) < 0 ||
        json_get_string(value, "lineage", &lineage, err) < 0)
        return -1;
    if (version != STATE_VERSION)
        return fail(err, FIRN_INVALID, "it is of version %lld", (long long)version);
    state->uuid = mem_strdup(uuid);
    state->lineage = mem_strdup(lineage);
    state->checkpoint = mem_strdup(json_string_or(value, "checkpoint", NULL));
    state->checkpoint_xml = mem_strdup(json_string_or(value, "checkpointXml", NULL));
    return read_disks(value, state, err);
}

int state_read(const char *json, struct state *out, struct firn_error **err)
{
    auto_json struct json_object *value = NULL;
    auto_state struct state state = {.uuid = NULL};
    if (json_parse(json, strlen(json), "state of the parent", &value, err) < 0 ||
        read_members(value, &state, err) < 0)
        return -1;
    *out = state;
    state = (struct state){.uuid = NULL};
    return 0;
}

uint64_t state_disk_size(const struct state *state, const char *target)
{
    for (size_t i = 0; i < state->disk_count; i++) {
        if (strcmp(state->disks[i].target, target) == 0)
            return state->disks[i].size;
    }
    return 0;
}

char *state_write(const char *uuid, const char *lineage, const char *checkpoint,
                  const char *checkpoint_xml, const struct disks *disks)
{
    auto_json struct json_object *value = json_object_new_object();
    struct json_object *list = json_object_new_array();
    json_set_int(value, "version", STATE_VERSION);
    json_set_string(value, "uuid", uuid);
    json_set_string(value, "lineage", lineage);
    json_set_string(value, "checkpoint", checkpoint);
    /* It serves only if libvirt loses its own; a domain with very many disks goes without. */
    if (checkpoint_xml != NULL && strlen(checkpoint_xml) < STATE_LIMIT / 5)
        json_set_string(value, "checkpointXml", checkpoint_xml);
    for (size_t i = 0; i < disks->count; i++) {
        if (disks->list[i].skipped != NULL)
            continue;
        struct json_object *entry = json_object_new_object();
        json_set_string(entry, "target", disks->list[i].target);
        json_set_uint(entry, "size", disks->list[i].size);
        json_object_array_add(list, entry);
    }
    json_set_take(value, "disks", list);
    auto_buf struct buf text = buf_new(STATE_LIMIT * 4);
    json_write(&text, value);
    return buf_take(&text);
}
