/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML by libyaml, as another spelling of JSON: what is read becomes json-c values (core schema:
 * null, booleans, integers, floats, strings; no tags, aliases bounded), what is written comes from
 * them.
 */
#ifndef CORE_YAML_H
#define CORE_YAML_H

#include <stddef.h>

struct json_object;
struct buf;
struct firn_error;

/* The first document. At most 100,000 nodes and depth 64, aliases expanded. -1 with INVALID and
 * line number. An empty document gives *out NULL. */
int yaml_parse(const void *data, size_t length, const char *what, struct json_object **out,
               struct firn_error **err);
/* Block style; strings that YAML would read as something else are quoted. */
int yaml_write(struct buf *buf, struct json_object *value, struct firn_error **err);

#endif
