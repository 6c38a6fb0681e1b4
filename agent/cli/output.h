/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results: a verb makes JSON; here it becomes a table, JSON or YAML on standard output. A table shows what its columns pick.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stddef.h>

struct cli;
struct firn_error;
struct json_object;

enum column_format {
    COLUMN_TEXT = 1,
    COLUMN_ID,   /* the first 12 digits */
    COLUMN_SIZE, /* bytes for people; to the right */
    COLUMN_NUMBER,
    COLUMN_TIME,     /* RFC 3339 → local time */
    COLUMN_DURATION, /* ms for people; negative: "-" */
    COLUMN_LIST,     /* an array, joined by commas */
};

struct column {
    const char *title;
    const char *member; /* path in the record */
    enum column_format format;
};

/* An array of records: one row each; with `nothing` said instead of an empty table. */
int output_list(const struct cli *cli, struct json_object *array, const struct column *columns,
                size_t count, const char *nothing, struct firn_error **err);
/* One record: one line for each column; members that are absent are left out. */
int output_record(const struct cli *cli, struct json_object *record, const struct column *columns,
                  size_t count, struct firn_error **err);
/* JSON or YAML (JSON for OUTPUT_TABLE), for what has no table. */
int output_value(const struct cli *cli, struct json_object *value, struct firn_error **err);
/* Text to standard output. */
int output_text(const char *text, size_t length, struct firn_error **err);

#endif
