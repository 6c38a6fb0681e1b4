/* SPDX-License-Identifier: Apache-2.0 */
/* firn diff: compares maps only. Blocks that lie at the same place are the same; different places count as different, though
 * a block may have come back to what it was before and been stored anew. */
#include "cli.h"
#include "core/json.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"
#include "repo/map_delta.h"
#include "selector.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ maps */

static int compare_maps(struct repo *repo, const struct snapshot_object *before,
                        const struct snapshot_object *after, uint64_t *units,
                        struct firn_error **err)
{
    struct map_delta *delta = NULL;
    struct map_extent extent;
    int more = 0;
    *units = 0;
    if (map_delta_open(repo, (struct map_side){&after->map, MAP_UNITS_MAX},
                       (struct map_side){&before->map, MAP_UNITS_MAX}, &delta, err) < 0)
        return -1;
    while ((more = map_delta_next(delta, &extent, err)) > 0)
        *units += extent.count;
    map_delta_free(delta);
    return more;
}

/* ------------------------------------------------------------------------------------------------ objects */

static struct json_object *row_of(const struct snapshot_object *object, const char *change,
                                  uint64_t bytes)
{
    struct json_object *row = record_object(object);
    json_set_string(row, "change", change);
    json_set_uint(row, "bytes_different", bytes);
    return row;
}

static int compare_objects(struct repo *repo, const struct snapshot_object *before,
                           const struct snapshot_object *after, struct json_object *array,
                           struct firn_error **err)
{
    uint64_t units = 0;
    if (before->digest != NULL && after->digest != NULL &&
        strcmp(before->digest, after->digest) == 0)
        return 0;
    if (compare_maps(repo, before, after, &units, err) < 0)
        return wrap(err, "object %s", after->name);
    if (units == 0 && before->length == after->length)
        return 0;
    bool volume = after->kind == FIRN_OBJECT_VOLUME;
    uint64_t bytes = volume ? units * FORMAT_BLOCK_SIZE : after->length;
    uint64_t longest = before->length > after->length ? before->length : after->length;
    struct json_object *row = row_of(after, "changed", bytes < longest ? bytes : longest);
    json_set_uint(row, "length_before", before->length);
    json_object_array_add(array, row);
    return 0;
}

static int compare(struct repo *repo, const struct snapshot *before, const struct snapshot *after,
                   struct json_object *array, struct firn_error **err)
{
    for (size_t i = 0; i < before->object_count; i++)
        if (snapshot_object(after, before->objects[i].name) == NULL)
            json_object_array_add(
                array, row_of(&before->objects[i], "removed", before->objects[i].length));
    for (size_t i = 0; i < after->object_count; i++) {
        const struct snapshot_object *object = &after->objects[i];
        const struct snapshot_object *old = snapshot_object(before, object->name);
        if (old == NULL)
            json_object_array_add(array, row_of(object, "added", object->length));
        else if (compare_objects(repo, old, object, array, err) < 0)
            return -1;
    }
    return 0;
}

static int run(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"CHANGE", "change", COLUMN_TEXT},
                                            {"OBJECT", "name", COLUMN_TEXT},
                                            {"KIND", "kind", COLUMN_TEXT},
                                            {"SIZE", "length", COLUMN_SIZE},
                                            {"DIFFERENT", "bytes_different", COLUMN_SIZE}};
    auto_snapshot struct snapshot *before = NULL;
    auto_snapshot struct snapshot *after = NULL;
    auto_json struct json_object *array = json_object_new_array();
    if (select_snapshot(cli, arguments_operand(cli->arguments, 0), &before, err) < 0 ||
        select_snapshot(cli, arguments_operand(cli->arguments, 1), &after, err) < 0 ||
        compare(cli->repo, before, after, array, err) < 0)
        return -1;
    return output_list(cli, array, columns, array_length(columns), "no difference", err);
}

static const struct option options[] = {
    CLI_OPTION_AS_OF,
    {0},
};

static const struct example examples[] = {
    {"what changed since a snapshot", "firn diff 3f9c21aa latest:libvirt:web01"},
    {0},
};

const struct verb verb_diff = {
    .name = "diff",
    .operands = "SNAP SNAP",
    .summary = "compare two snapshots",
    .description =
        "Lists the objects that the second snapshot added, removed or changed against the first. "
        "Of volumes it says "
        "how many bytes, in blocks of 64 KiB, lie elsewhere in the repository; no data is read.",
    .options = options,
    .examples = examples,
    .least = 2,
    .most = 2,
    .run = run,
};
