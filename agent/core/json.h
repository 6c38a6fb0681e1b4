/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: json-c, with foreign input in mind. Values are plain `struct json_object *`; unknown
 * members survive as they are. Readers name the member in their errors (INVALID). Paths are dotted:
 * "status.phase". A path segment matches a member by name, or an array element by its index.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct buf;

#define auto_json __attribute__((cleanup(json_free)))
void json_free(struct json_object **value); /* drops one reference; NULL is fine */

/* Parses exactly one value in strict mode: UTF-8, depth at most 64, nothing but blanks behind it.
 * -1 with INVALID, naming `what` and the offset. *out: the caller's. */
int json_parse(const void *data, size_t length, const char *what, struct json_object **out,
               struct firn_error **err);
/* Compact text, appended. Slashes are not escaped. */
void json_write(struct buf *buf, struct json_object *value);
void json_write_pretty(
    struct buf *buf, struct json_object *value); /* two blanks of indentation, ends in a newline */

/* Borrowed member at `path`, or NULL if it is not there or null. */
struct json_object *json_at(struct json_object *value, const char *path);
/* Required members: -1 with INVALID when absent or of another type. Strings are borrowed. */
int json_get_string(struct json_object *value, const char *path, const char **out,
                    struct firn_error **err);
int json_get_int(struct json_object *value, const char *path, int64_t *out,
                 struct firn_error **err);
int json_get_uint(struct json_object *value, const char *path, uint64_t *out,
                  struct firn_error **err);
int json_get_array(struct json_object *value, const char *path, struct json_object **out,
                   struct firn_error **err);
/* Optional members: the fallback when absent, or of another type. */
const char *json_string_or(struct json_object *value, const char *path, const char *fallback);
int64_t json_int_or(struct json_object *value, const char *path, int64_t fallback);
bool json_bool_or(struct json_object *value, const char *path, bool fallback);

/* Sets a member of an object; a NULL string is left out. */
void json_set_string(struct json_object *object, const char *name, const char *text);
void json_set_int(struct json_object *object, const char *name, int64_t number);
void json_set_uint(struct json_object *object, const char *name, uint64_t number);
void json_set_bool(struct json_object *object, const char *name, bool flag);
void json_set_take(struct json_object *object, const char *name,
                   struct json_object *value); /* consumes value */

#endif
