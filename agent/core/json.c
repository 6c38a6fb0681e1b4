/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "buf.h"
#include "error.h"
#include "mem.h"
#include "utf8.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>

#define DEPTH_LIMIT 64

void json_free(struct json_object **value)
{
    json_object_put(*value);
    *value = NULL;
}

static void free_tokener(struct json_tokener **tokener)
{
    json_tokener_free(*tokener);
}

static bool only_blanks(const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(" \t\r\n", data[i]) == NULL || data[i] == '\0')
            return false;
    return true;
}

/* ---- json-c is lenient even when told to be strict: these are the faults that it lets pass. */

/* Whether the digits, `length` of them, stand for more than `most`, a text of digits as well. */
static bool exceeds(const char *digits, size_t length, const char *most)
{
    size_t allowed = strlen(most);
    return length > allowed || (length == allowed && memcmp(digits, most, length) > 0);
}

static size_t count_digits(const char *data, size_t length)
{
    size_t count = 0;
    while (count < length && data[count] >= '0' && data[count] <= '9')
        count++;
    return count;
}

/* The length of ".5" or "e+7" at the start: 0 if there is none, `length` + 1 if it has no digits. */
static size_t suffix_length(const char *data, size_t length, const char *marks, const char *signs)
{
    if (length == 0 || data[0] == '\0' || strchr(marks, data[0]) == NULL)
        return 0;
    size_t at = 1;
    if (at < length && data[at] != '\0' && strchr(signs, data[at]) != NULL)
        at++;
    size_t digits = count_digits(data + at, length - at);
    return digits == 0 ? length + 1 : at + digits;
}

/* The length of the number at the start; 0 if it is none, or an integer that does not fit 64 bits. */
static size_t number_length(const char *data, size_t length)
{
    size_t sign = data[0] == '-';
    size_t digits = count_digits(data + sign, length - sign);
    size_t integer = sign + digits;
    if (digits == 0 || (digits > 1 && data[sign] == '0'))
        return 0;
    size_t end = integer + suffix_length(data + integer, length - integer, ".", "");
    if (end <= length)
        end += suffix_length(data + end, length - end, "eE", "+-");
    const char *most = sign == 1 ? "9223372036854775808" : "18446744073709551615";
    return end > length || (end == integer && exceeds(data + sign, digits, most)) ? 0 : end;
}

/* The length of the string at the start, quotes included; 0 if it is not UTF-8 or has a control character. Escapes are
 * json-c's business. */
static size_t string_length(const char *data, size_t length)
{
    size_t at = 1;
    while (at < length && data[at] != '"') {
        size_t character = utf8_character(data + at, length - at);
        if (character == 0 || (unsigned char)data[at] < 0x20)
            return 0;
        bool escape = data[at] == '\\' && at + 1 < length && (unsigned char)data[at + 1] >= 0x20;
        at += escape ? 2 : character;
    }
    return at < length ? at + 1 : length;
}

/* The offset of the first thing that RFC 8259 has no word for, or length. */
static size_t find_foreign(const char *data, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t step = 1;
        if (data[at] == '"')
            step = string_length(data + at, length - at);
        else if (data[at] == '-' || (data[at] >= '0' && data[at] <= '9'))
            step = number_length(data + at, length - at);
        else if (data[at] == '\0' || strchr("{}[]:,truefalsn \t\r\n", data[at]) == NULL)
            step = 0;
        if (step == 0)
            return at;
        at += step;
    }
    return length;
}

int json_parse(const void *data, size_t length, const char *what, struct json_object **out,
               struct firn_error **err)
{
    if (length > INT_MAX)
        return fail(err, FIRN_INVALID, "%s: JSON of %zu bytes is too large", what, length);
    size_t foreign = find_foreign(data, length);
    if (foreign < length)
        return fail(err, FIRN_INVALID, "%s: JSON is wrong at offset %zu", what, foreign);
    __attribute__((cleanup(free_tokener))) struct json_tokener *tokener =
        json_tokener_new_ex(DEPTH_LIMIT);
    if (tokener == NULL)
        return fail(err, FIRN_INTERNAL, "%s: no memory for a JSON parser", what);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    auto_json struct json_object *value = json_tokener_parse_ex(tokener, data, (int)length);
    size_t end = json_tokener_get_parse_end(tokener);
    /* A number at the very end might go on: a NUL says that it does not. */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        value = json_tokener_parse_ex(tokener, "", 1);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue)
        return fail(err, FIRN_INVALID, "%s: JSON ends in the middle of a value", what);
    if (error != json_tokener_success)
        return fail(err, FIRN_INVALID, "%s: JSON is wrong at offset %zu: %s", what, end,
                    json_tokener_error_desc(error));
    if (end < length && !only_blanks((const char *)data + end, length - end))
        return fail(err, FIRN_INVALID, "%s: more than one JSON value, at offset %zu", what, end);
    *out = steal(value);
    return 0;
}

static void write_with(struct buf *buf, struct json_object *value, int flags)
{
    size_t length = 0;
    const char *text =
        json_object_to_json_string_length(value, flags | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    if (value == NULL)
        buf_puts(buf, "null");
    else if (text == NULL)
        buf->overflowed = true;
    else
        buf_append(buf, text, length);
}

void json_write(struct buf *buf, struct json_object *value)
{
    write_with(buf, value, JSON_C_TO_STRING_PLAIN);
}

void json_write_pretty(struct buf *buf, struct json_object *value)
{
    write_with(buf, value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
    buf_putc(buf, '\n');
}

static struct json_object *step(struct json_object *value, const char *segment)
{
    struct json_object *member = NULL;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_get_ex(value, segment, &member);
        return member;
    }
    if (!json_object_is_type(value, json_type_array) || !isdigit((unsigned char)segment[0]))
        return NULL;
    char *end = NULL;
    unsigned long index = strtoul(segment, &end, 10);
    return *end == '\0' ? json_object_array_get_idx(value, index) : NULL;
}

struct json_object *json_at(struct json_object *value, const char *path)
{
    while (*path != '\0' && value != NULL) {
        char segment[128];
        size_t length = strcspn(path, ".");
        assert(length < sizeof(segment));
        memcpy(segment, path, length);
        segment[length] = '\0';
        value = step(value, segment);
        path += length;
        if (*path == '.')
            path++;
    }
    return value;
}

static int get(struct json_object *value, const char *path, enum json_type type,
               struct json_object **out, struct firn_error **err)
{
    *out = json_at(value, path);
    if (*out == NULL)
        return fail(err, FIRN_INVALID, "member \"%s\" is missing", path);
    if (!json_object_is_type(*out, type))
        return fail(err, FIRN_INVALID, "member \"%s\" is not of type %s", path,
                    json_type_to_name(type));
    return 0;
}

/* A string with a NUL in it would be cut short by whoever reads it. */
static bool is_c_string(struct json_object *value)
{
    return strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

int json_get_string(struct json_object *value, const char *path, const char **out,
                    struct firn_error **err)
{
    struct json_object *member = NULL;
    if (get(value, path, json_type_string, &member, err) < 0)
        return -1;
    if (!is_c_string(member))
        return fail(err, FIRN_INVALID, "member \"%s\" holds a NUL character", path);
    *out = json_object_get_string(member);
    return 0;
}

/* json-c clamps what does not fit instead of telling. */
static bool exceeds_int64(struct json_object *value)
{
    return json_object_get_int64(value) == INT64_MAX && json_object_get_uint64(value) > INT64_MAX;
}

int json_get_int(struct json_object *value, const char *path, int64_t *out, struct firn_error **err)
{
    struct json_object *member = NULL;
    if (get(value, path, json_type_int, &member, err) < 0)
        return -1;
    if (exceeds_int64(member))
        return fail(err, FIRN_INVALID, "member \"%s\" is too large", path);
    *out = json_object_get_int64(member);
    return 0;
}

int json_get_uint(struct json_object *value, const char *path, uint64_t *out,
                  struct firn_error **err)
{
    struct json_object *member = NULL;
    if (get(value, path, json_type_int, &member, err) < 0)
        return -1;
    if (json_object_get_int64(member) < 0)
        return fail(err, FIRN_INVALID, "member \"%s\" is negative", path);
    *out = json_object_get_uint64(member);
    return 0;
}

int json_get_array(struct json_object *value, const char *path, struct json_object **out,
                   struct firn_error **err)
{
    return get(value, path, json_type_array, out, err);
}

const char *json_string_or(struct json_object *value, const char *path, const char *fallback)
{
    struct json_object *member = json_at(value, path);
    bool usable = json_object_is_type(member, json_type_string) && is_c_string(member);
    return usable ? json_object_get_string(member) : fallback;
}

int64_t json_int_or(struct json_object *value, const char *path, int64_t fallback)
{
    struct json_object *member = json_at(value, path);
    bool usable = json_object_is_type(member, json_type_int) && !exceeds_int64(member);
    return usable ? json_object_get_int64(member) : fallback;
}

bool json_bool_or(struct json_object *value, const char *path, bool fallback)
{
    struct json_object *member = json_at(value, path);
    return json_object_is_type(member, json_type_boolean) ? json_object_get_boolean(member)
                                                          : fallback;
}

static struct json_object *or_abort(struct json_object *value)
{
    if (value == NULL)
        abort();
    return value;
}

void json_set_string(struct json_object *object, const char *name, const char *text)
{
    if (text != NULL)
        json_set_take(object, name, or_abort(json_object_new_string(text)));
}

void json_set_int(struct json_object *object, const char *name, int64_t number)
{
    json_set_take(object, name, or_abort(json_object_new_int64(number)));
}

void json_set_uint(struct json_object *object, const char *name, uint64_t number)
{
    json_set_take(object, name, or_abort(json_object_new_uint64(number)));
}

void json_set_bool(struct json_object *object, const char *name, bool flag)
{
    json_set_take(object, name, or_abort(json_object_new_boolean(flag)));
}

void json_set_take(struct json_object *object, const char *name, struct json_object *value)
{
    assert(json_object_is_type(object, json_type_object));
    if (json_object_object_add(object, name, value) != 0)
        abort();
}
