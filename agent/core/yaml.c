/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading follows libyaml's events by recursive descent. An anchor is known once its node is complete, so no node can
 * contain itself, and every node that an alias brings in again is counted again: a small text cannot become a large value.
 */
#include "yaml.h"

#include "buf.h"
#include "error.h"
#include "json.h"
#include "mem.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <yaml.h>

#define NODE_LIMIT  100000
#define DEPTH_LIMIT 64

struct reading {
    yaml_parser_t parser;
    const char *what;
    unsigned nodes;
    unsigned depth;
    struct json_object *anchors; /* name -> value */
};

#define auto_event __attribute__((cleanup(yaml_event_delete)))

static int refuse(const struct reading *reading, const yaml_event_t *event, const char *why,
                  struct firn_error **err)
{
    return fail(err, FIRN_INVALID, "%s: line %zu: %s", reading->what, event->start_mark.line + 1,
                why);
}

static int next_event(struct reading *reading, yaml_event_t *event, struct firn_error **err)
{
    if (yaml_parser_parse(&reading->parser, event) == 1)
        return 0;
    const yaml_parser_t *parser = &reading->parser;
    size_t line = parser->problem_mark.line + 1;
    return fail(err, FIRN_INVALID, "%s: line %zu: %s", reading->what, line,
                parser->problem == NULL ? "no YAML" : parser->problem);
}

/* ---- scalars, by the core schema of YAML 1.2 (section 10.3.2) */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const true_words[] = {"true", "True", "TRUE", NULL};
static const char *const false_words[] = {"false", "False", "FALSE", NULL};
static const char *const no_json_words[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                            "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                            ".NaN",  ".NAN",  NULL};

static size_t skip_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static bool is_decimal(const char *text)
{
    text += *text == '-' || *text == '+';
    return *text != '\0' && text[skip_digits(text)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t digits = skip_digits(text);
    text += digits;
    if (*text == '.') {
        size_t more = skip_digits(++text);
        text += more;
        digits += more;
    }
    if (digits == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        return *text != '\0' && text[skip_digits(text)] == '\0';
    }
    return *text == '\0';
}

/* The base of "0o17" and "0x1f"; 0 if it is neither. */
static int prefixed_base(const char *text)
{
    if (strncmp(text, "0o", 2) == 0 && text[2] != '\0' &&
        text[2 + strspn(text + 2, "01234567")] == '\0')
        return 8;
    if (strncmp(text, "0x", 2) == 0 && text[2] != '\0' &&
        text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0')
        return 16;
    return 0;
}

/* An integer that fits 64 bits, signed or unsigned; NULL if it does not. */
static struct json_object *integer_of(const char *text, int base)
{
    errno = 0;
    long long number = strtoll(text, NULL, base);
    if (errno == 0)
        return json_object_new_int64(number);
    errno = 0;
    unsigned long long large = strtoull(text, NULL, base);
    return errno == 0 && *text != '-' ? json_object_new_uint64(large) : NULL;
}

static struct json_object *number_of(const char *text)
{
    int base = prefixed_base(text);
    struct json_object *integer = NULL;
    if (base != 0)
        integer = integer_of(text + 2, base);
    else if (is_decimal(text))
        integer = integer_of(text, 10);
    if (integer != NULL)
        return integer;
    return base == 0 && is_float(text) ? json_object_new_double(strtod(text, NULL)) : NULL;
}

static int read_scalar(struct reading *reading, const yaml_event_t *event, struct json_object **out,
                       struct firn_error **err)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    bool plain = event->data.scalar.plain_implicit && strlen(text) == length;
    *out = NULL;
    if (event->data.scalar.tag != NULL)
        return refuse(reading, event, "tags are not understood", err);
    if (plain && is_one_of(text, null_words))
        return 0;
    bool endless = plain && is_float(text) && !isfinite(strtod(text, NULL));
    if (endless || (plain && is_one_of(text, no_json_words)))
        return refuse(reading, event, "JSON has no such number", err);
    if (plain && is_one_of(text, true_words))
        *out = json_object_new_boolean(1);
    else if (plain && is_one_of(text, false_words))
        *out = json_object_new_boolean(0);
    else if (plain)
        *out = number_of(text);
    if (*out == NULL)
        *out = json_object_new_string_len(text, (int)length);
    return 0;
}

/* ---- nodes */

static int read_node(struct reading *reading, const yaml_event_t *event, struct json_object **out,
                     struct firn_error **err);

static int read_items(struct reading *reading, struct json_object *array, struct firn_error **err)
{
    for (;;) {
        auto_event yaml_event_t event = {0};
        if (next_event(reading, &event, err) < 0)
            return -1;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        struct json_object *item = NULL;
        if (read_node(reading, &event, &item, err) < 0)
            return -1;
        json_object_array_add(array, item);
    }
}

static int read_key(struct reading *reading, const yaml_event_t *event, struct json_object *object,
                    char **out, struct firn_error **err)
{
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(reading, event, "a key must be a string", err);
    const char *key = (const char *)event->data.scalar.value;
    if (strlen(key) != event->data.scalar.length)
        return refuse(reading, event, "a key holds a NUL character", err);
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return refuse(reading, event, "a key has an anchor or a tag", err);
    if (json_object_object_get_ex(object, key, NULL))
        return refuse(reading, event, "a key is there twice", err);
    *out = mem_strdup(key);
    return 0;
}

static int read_members(struct reading *reading, struct json_object *object,
                        struct firn_error **err)
{
    for (;;) {
        auto_event yaml_event_t event = {0};
        auto_event yaml_event_t next = {0};
        auto_free char *key = NULL;
        struct json_object *value = NULL;
        if (next_event(reading, &event, err) < 0)
            return -1;
        if (event.type == YAML_MAPPING_END_EVENT)
            return 0;
        if (read_key(reading, &event, object, &key, err) < 0)
            return -1;
        if (next_event(reading, &next, err) < 0 || read_node(reading, &next, &value, err) < 0)
            return -1;
        json_set_take(object, key, value);
    }
}

static int count_node(struct reading *reading, const yaml_event_t *event, struct firn_error **err)
{
    if (++reading->nodes > NODE_LIMIT)
        return refuse(reading, event, "too many values", err);
    return 0;
}

/* Counts what an alias repeats, and how deep that goes below the place where it is put. */
static int count_copy(struct reading *reading, const yaml_event_t *event, struct json_object *value,
                      unsigned depth, struct firn_error **err)
{
    if (depth > DEPTH_LIMIT)
        return refuse(reading, event, "nested too deep", err);
    if (count_node(reading, event, err) < 0)
        return -1;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (count_copy(reading, event, json_object_array_get_idx(value, i), depth + 1, err) < 0)
                return -1;
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            if (count_copy(reading, event, member, depth + 1, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int read_alias(struct reading *reading, const yaml_event_t *event, struct json_object **out,
                      struct firn_error **err)
{
    struct json_object *value = NULL;
    if (!json_object_object_get_ex(reading->anchors, (const char *)event->data.alias.anchor,
                                   &value))
        return refuse(reading, event, "an alias to nothing that stands before it", err);
    if (count_copy(reading, event, value, reading->depth, err) < 0)
        return -1;
    *out = NULL;
    if (value != NULL && json_object_deep_copy(value, out, NULL) < 0)
        return fail(err, FIRN_INTERNAL, "%s: no memory", reading->what);
    return 0;
}

static int read_collection(struct reading *reading, const yaml_event_t *event,
                           struct json_object **out, struct firn_error **err)
{
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag =
        mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (tag != NULL)
        return refuse(reading, event, "tags are not understood", err);
    if (++reading->depth > DEPTH_LIMIT)
        return refuse(reading, event, "nested too deep", err);
    auto_json struct json_object *value =
        mapping ? json_object_new_object() : json_object_new_array();
    int result = mapping ? read_members(reading, value, err) : read_items(reading, value, err);
    reading->depth--;
    if (result == 0)
        *out = steal(value);
    return result;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static int read_node(struct reading *reading, const yaml_event_t *event, struct json_object **out,
                     struct firn_error **err)
{
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reading, event, out, err);
    if (count_node(reading, event, err) < 0)
        return -1;
    int result = event->type == YAML_SCALAR_EVENT ? read_scalar(reading, event, out, err)
                                                  : read_collection(reading, event, out, err);
    const yaml_char_t *anchor = anchor_of(event);
    if (result == 0 && anchor != NULL)
        json_set_take(reading->anchors, (const char *)anchor, json_object_get(*out));
    return result;
}

static int read_document(struct reading *reading, struct json_object **out, struct firn_error **err)
{
    *out = NULL;
    for (;;) {
        auto_event yaml_event_t event = {0};
        if (next_event(reading, &event, err) < 0)
            return -1;
        if (event.type == YAML_STREAM_END_EVENT)
            return 0;
        if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT)
            return read_node(reading, &event, out, err);
    }
}

int yaml_parse(const void *data, size_t length, const char *what, struct json_object **out,
               struct firn_error **err)
{
    struct reading reading = {.what = what};
    if (yaml_parser_initialize(&reading.parser) != 1)
        return fail(err, FIRN_INTERNAL, "%s: no memory for a YAML parser", what);
    reading.anchors = json_object_new_object();
    yaml_parser_set_input_string(&reading.parser, data, length);
    int result = read_document(&reading, out, err);
    json_free(&reading.anchors);
    yaml_parser_delete(&reading.parser);
    return result;
}

/* ---- writing */

static int append_output(void *context, unsigned char *data, size_t length)
{
    buf_append(context, data, length);
    return 1;
}

/* Words and shapes that YAML 1.1 or 1.2 reads as something else than the string. */
static bool needs_quotes(const char *text)
{
    static const char *const words[] = {"y",   "Y",   "yes", "Yes", "YES", "n",  "N",
                                        "no",  "No",  "NO",  "on",  "On",  "ON", "off",
                                        "Off", "OFF", "<<",  "=",   NULL};
    if (is_one_of(text, words) || is_one_of(text, null_words) || is_one_of(text, true_words) ||
        is_one_of(text, false_words) || is_one_of(text, no_json_words))
        return true;
    /* Numbers of both versions, dates and sexagesimals begin like this; a quote too many does no harm. */
    return is_float(text) || isdigit((unsigned char)text[0]) ||
           (strchr("+-.", text[0]) != NULL && isdigit((unsigned char)text[1]));
}

static int emit(yaml_emitter_t *emitter, yaml_event_t *event, int initialised,
                struct firn_error **err)
{
    if (initialised == 1 && yaml_emitter_emit(emitter, event) == 1)
        return 0;
    return fail(err, FIRN_INVALID, "write YAML: %s",
                emitter->problem == NULL ? "no UTF-8" : emitter->problem);
}

static int emit_scalar(yaml_emitter_t *emitter, const char *text, size_t length,
                       yaml_scalar_style_t style, struct firn_error **err)
{
    yaml_event_t event;
    /* libyaml does not change the text, but does not say so. */
    yaml_char_t *value = (yaml_char_t *)(uintptr_t)text;
    int ready = length > INT32_MAX ? 0
                                   : yaml_scalar_event_initialize(&event, NULL, NULL, value,
                                                                  (int)length, 1, 1, style);
    return emit(emitter, &event, ready, err);
}

static int emit_string(yaml_emitter_t *emitter, const char *text, size_t length,
                       struct firn_error **err)
{
    yaml_scalar_style_t style = YAML_ANY_SCALAR_STYLE;
    if (strlen(text) != length || needs_quotes(text))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    else if (strchr(text, '\n') != NULL)
        style = YAML_LITERAL_SCALAR_STYLE;
    return emit_scalar(emitter, text, length, style, err);
}

static int emit_value(yaml_emitter_t *emitter, struct json_object *value, struct firn_error **err);

static int emit_array(yaml_emitter_t *emitter, struct json_object *array, struct firn_error **err)
{
    yaml_event_t event;
    if (emit(emitter, &event,
             yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE),
             err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(array); i++)
        if (emit_value(emitter, json_object_array_get_idx(array, i), err) < 0)
            return -1;
    return emit(emitter, &event, yaml_sequence_end_event_initialize(&event), err);
}

static int emit_object(yaml_emitter_t *emitter, struct json_object *object, struct firn_error **err)
{
    yaml_event_t event;
    if (emit(emitter, &event,
             yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE),
             err) < 0)
        return -1;
    json_object_object_foreach(object, name, member)
    {
        if (emit_string(emitter, name, strlen(name), err) < 0 ||
            emit_value(emitter, member, err) < 0)
            return -1;
    }
    return emit(emitter, &event, yaml_mapping_end_event_initialize(&event), err);
}

static int emit_value(yaml_emitter_t *emitter, struct json_object *value, struct firn_error **err)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        return emit_object(emitter, value, err);
    case json_type_array:
        return emit_array(emitter, value, err);
    case json_type_string:
        return emit_string(emitter, json_object_get_string(value),
                           (size_t)json_object_get_string_len(value), err);
    default: {
        const char *text = value == NULL ? "null" : json_object_to_json_string(value);
        return emit_scalar(emitter, text, strlen(text), YAML_PLAIN_SCALAR_STYLE, err);
    }
    }
}

static int emit_stream(yaml_emitter_t *emitter, struct json_object *value, struct firn_error **err)
{
    yaml_event_t event;
    if (emit(emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), err) <
            0 ||
        emit(emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1),
             err) < 0 ||
        emit_value(emitter, value, err) < 0 ||
        emit(emitter, &event, yaml_document_end_event_initialize(&event, 1), err) < 0)
        return -1;
    return emit(emitter, &event, yaml_stream_end_event_initialize(&event), err);
}

int yaml_write(struct buf *buf, struct json_object *value, struct firn_error **err)
{
    yaml_emitter_t emitter;
    if (yaml_emitter_initialize(&emitter) != 1)
        return fail(err, FIRN_INTERNAL, "no memory for a YAML writer");
    yaml_emitter_set_output(&emitter, append_output, buf);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    int result = emit_stream(&emitter, value, err);
    yaml_emitter_delete(&emitter);
    return result;
}
