/* SPDX-License-Identifier: Apache-2.0 */
#include "changes.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAP_LONGEST (1024u * 1024u * 1024u)

static int read_input(struct buf *text, struct firn_error **err)
{
    char piece[65536];
    for (;;) {
        ssize_t got = read(STDIN_FILENO, piece, sizeof(piece));
        if (got < 0)
            return fail_errno(err, "standard input");
        if (got == 0)
            return buf_check(text, "the list of changes", err);
        buf_append(text, piece, (size_t)got);
    }
}

static int compare(const void *a, const void *b)
{
    const struct firn_range *left = a, *right = b;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static size_t join(struct firn_range *ranges, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct firn_range *last = kept > 0 ? &ranges[kept - 1] : NULL;
        uint64_t end = ranges[i].offset + ranges[i].length;
        if (ranges[i].length == 0)
            continue;
        if (last == NULL || ranges[i].offset > last->offset + last->length)
            ranges[kept++] = ranges[i];
        else if (end > last->offset + last->length)
            last->length = end - last->offset;
    }
    return kept;
}

static int parse_range(struct json_object *entry, struct firn_range *range, struct firn_error **err)
{
    uint64_t end;
    if (json_get_uint(entry, "offset", &range->offset, err) < 0 ||
        json_get_uint(entry, "length", &range->length, err) < 0)
        return -1;
    if (__builtin_add_overflow(range->offset, range->length, &end) || end > INT64_MAX)
        return fail(err, FIRN_INVALID, "offset and length are too large");
    return 0;
}

static int parse(const struct buf *text, struct firn_range **out, size_t *count,
                 struct firn_error **err)
{
    auto_json struct json_object *list = NULL;
    void *memory;
    if (json_parse(buf_text(text), text->length, "list of changes", &list, err) < 0)
        return -1;
    if (!json_object_is_type(list, json_type_array))
        return fail(err, FIRN_INVALID, "expected a list of {\"offset\": …, \"length\": …}");
    *count = json_object_array_length(list);
    if (mem_try(&memory, *count + 1, sizeof(**out), "the list of changes", err) < 0)
        return -1;
    *out = memory;
    for (size_t i = 0; i < *count; i++)
        if (parse_range(json_object_array_get_idx(list, i), &(*out)[i], err) < 0)
            return wrap(err, "entry %zu", i);
    qsort(*out, *count, sizeof(**out), compare);
    *count = join(*out, *count);
    return 0;
}

int changes_read(const char *path, struct firn_range **out, size_t *count, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(MAP_LONGEST);
    auto_free struct firn_range *ranges = NULL;
    int result =
        strcmp(path, "-") == 0 ? read_input(&text, err) : file_read(path, MAP_LONGEST, &text, err);
    if (result < 0 || parse(&text, &ranges, count, err) < 0)
        return wrap(err, "--changed %s", path);
    *out = steal(ranges);
    return 0;
}
