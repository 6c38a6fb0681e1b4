/* SPDX-License-Identifier: Apache-2.0 */
#include "undelete.h"

#include "cli.h"
#include "core/cancel.h"
#include "core/json.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"
#include "store/store.h"

static int add_row(void *context, const struct store_overlaid *object, struct firn_error **err)
{
    struct json_object *row = json_object_new_object();
    (void)err;
    json_set_string(row, "object", object->name);
    json_set_string(row, "state", object->hidden ? "hidden" : "overwritten");
    record_time(row, "since", object->when);
    json_object_array_add(context, row);
    return 0;
}

static int look(struct cli *cli, struct json_object *rows, struct firn_error **err)
{
    for (size_t i = 0; repo_places[i] != NULL; i++)
        if (store_list_overlaid(cli->store, repo_places[i], add_row, rows, err) < 0)
            return -1;
    return 0;
}

static int uncover(struct cli *cli, struct json_object *rows, struct firn_error **err)
{
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        if (cancel_check(err) < 0 ||
            store_uncover(cli->store, json_string_or(row, "object", ""), err) < 0)
            return -1;
        json_set_string(row, "state", "restored");
    }
    return 0;
}

int undelete_run(struct cli *cli, struct firn_error **err)
{
    static const struct column columns[] = {{"OBJECT", "object", COLUMN_TEXT},
                                            {"STATE", "state", COLUMN_TEXT},
                                            {"SINCE", "since", COLUMN_TIME}};
    bool apply = argument_flag(cli->arguments, "apply");
    auto_json struct json_object *rows = json_object_new_array();
    if (cli_open(cli, err) < 0 || look(cli, rows, err) < 0)
        return -1;
    int result = apply ? uncover(cli, rows, err) : 0;
    if (output_list(cli, rows, columns, array_length(columns), "nothing was overwritten or hidden",
                    result == 0 ? err : NULL) < 0 ||
        result < 0)
        return -1;
    if (!apply && json_object_array_length(rows) > 0)
        cli_note(cli, "nothing was changed: add --apply");
    return 0;
}
