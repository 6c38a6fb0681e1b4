/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "cli.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/yaml.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define OUTPUT_LONGEST (1024u * 1024u * 1024u)
#define ID_SHOWN       12u

/* ------------------------------------------------------------------------------------------------ cells */

static char *time_cell(const char *text)
{
    int64_t milliseconds;
    char cell[32];
    if (text == NULL || clock_parse(text, &milliseconds, NULL) < 0)
        return mem_strdup("-");
    time_t seconds = (time_t)(milliseconds / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(cell, sizeof(cell), "%Y-%m-%d %H:%M:%S", &parts);
    return mem_strdup(cell);
}

static char *list_cell(struct json_object *value)
{
    auto_buf struct buf text = buf_new(65536);
    size_t length =
        json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
    for (size_t i = 0; i < length; i++)
        buf_printf(&text, "%s%s", i > 0 ? "," : "",
                   json_object_get_string(json_object_array_get_idx(value, i)));
    return buf_take(&text);
}

static char *cell(struct json_object *record, const struct column *column)
{
    char short_text[DURATION_TEXT_LENGTH > SIZE_TEXT_LENGTH ? DURATION_TEXT_LENGTH
                                                            : SIZE_TEXT_LENGTH];
    struct json_object *value = json_at(record, column->member);
    if (value == NULL)
        return mem_strdup(column->format == COLUMN_LIST ? "" : "-");
    switch (column->format) {
    case COLUMN_ID:
        return mem_printf("%.*s", (int)ID_SHOWN, json_object_get_string(value));
    case COLUMN_SIZE:
        size_format(json_object_get_uint64(value), short_text);
        return mem_strdup(short_text);
    case COLUMN_DURATION:
        if (json_object_get_int64(value) < 0)
            return mem_strdup("-");
        duration_format(json_object_get_int64(value), short_text);
        return mem_strdup(short_text);
    case COLUMN_TIME:
        return time_cell(json_object_get_string(value));
    case COLUMN_LIST:
        return list_cell(value);
    case COLUMN_TEXT:
    case COLUMN_NUMBER:
        break;
    }
    return mem_strdup(json_object_get_string(value));
}

static bool to_the_right(const struct column *column)
{
    return column->format == COLUMN_SIZE || column->format == COLUMN_NUMBER ||
           column->format == COLUMN_DURATION;
}

/* Letters, not bytes: names may hold any UTF-8. */
static size_t width(const char *text)
{
    size_t letters = 0;
    for (; *text != '\0'; text++)
        letters += ((unsigned char)*text & 0xc0) != 0x80;
    return letters;
}

static void put_cell(struct buf *out, const char *text, size_t wide, bool right, bool last)
{
    size_t blanks = wide > width(text) ? wide - width(text) : 0;
    if (right)
        buf_printf(out, "%*s", (int)blanks, "");
    buf_puts(out, text);
    if (!last && !right)
        buf_printf(out, "%*s", (int)blanks, "");
    buf_puts(out, last ? "\n" : "  ");
}

/* ------------------------------------------------------------------------------------------------ tables */

static void write_table(struct buf *out, struct json_object *array, const struct column *columns,
                        size_t count)
{
    size_t rows = json_object_array_length(array);
    char **cells = mem_array(rows * count + 1, sizeof(*cells));
    size_t *widths = mem_array(count, sizeof(*widths));
    for (size_t c = 0; c < count; c++) {
        widths[c] = strlen(columns[c].title);
        for (size_t r = 0; r < rows; r++) {
            char *text = cell(json_object_array_get_idx(array, r), &columns[c]);
            cells[r * count + c] = text;
            widths[c] = width(text) > widths[c] ? width(text) : widths[c];
        }
    }
    for (size_t c = 0; c < count; c++)
        put_cell(out, columns[c].title, widths[c], to_the_right(&columns[c]), c + 1 == count);
    for (size_t i = 0; i < rows * count; i++) {
        size_t c = i % count;
        put_cell(out, cells[i], widths[c], to_the_right(&columns[c]), c + 1 == count);
        free(cells[i]);
    }
    free(cells);
    free(widths);
}

int output_text(const char *text, size_t length, struct firn_error **err)
{
    if (fwrite(text, 1, length, stdout) != length || fflush(stdout) != 0)
        return fail_errno(err, "writing to standard output");
    return 0;
}

static int put(const struct buf *out, struct firn_error **err)
{
    if (buf_check(out, "output", err) < 0)
        return -1;
    return output_text(buf_text(out), out->length, err);
}

int output_value(const struct cli *cli, struct json_object *value, struct firn_error **err)
{
    auto_buf struct buf out = buf_new(OUTPUT_LONGEST);
    if (cli->output != OUTPUT_YAML)
        json_write_pretty(&out, value);
    else if (yaml_write(&out, value, err) < 0)
        return -1;
    return put(&out, err);
}

int output_list(const struct cli *cli, struct json_object *array, const struct column *columns,
                size_t count, const char *nothing, struct firn_error **err)
{
    auto_buf struct buf out = buf_new(OUTPUT_LONGEST);
    if (cli->output != OUTPUT_TABLE)
        return output_value(cli, array, err);
    if (json_object_array_length(array) == 0) {
        cli_note(cli, "%s", nothing);
        return 0;
    }
    write_table(&out, array, columns, count);
    return put(&out, err);
}

int output_record(const struct cli *cli, struct json_object *record, const struct column *columns,
                  size_t count, struct firn_error **err)
{
    auto_buf struct buf out = buf_new(OUTPUT_LONGEST);
    size_t widest = 0;
    if (cli->output != OUTPUT_TABLE)
        return output_value(cli, record, err);
    for (size_t i = 0; i < count; i++)
        if (strlen(columns[i].title) > widest)
            widest = strlen(columns[i].title);
    for (size_t i = 0; i < count; i++) {
        if (json_at(record, columns[i].member) == NULL)
            continue;
        auto_free char *text = cell(record, &columns[i]);
        buf_printf(&out, "%-*s  %s\n", (int)widest, columns[i].title, text);
    }
    return put(&out, err);
}
