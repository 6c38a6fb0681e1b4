/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments: the command line, taken apart by the tables of options.h. The value of an option comes from the command line,
 * else from its environment variable, else from the configuration file.
 *
 * Accessors take the name of an option of the verb or of all verbs; another name is a programmer's error.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "options.h"

#include <stdint.h>

struct arguments;
struct firn_error;
struct json_object;

/* Offered a long option that no table has, for verbs with plugin_options. value: after '=', or NULL; next: the argument that
 * follows, or NULL. 1: taken (*used_next says whether with next); 0: not known; -1: error. */
typedef int arguments_foreign(void *context, const char *name, const char *value, const char *next,
                              bool *used_next, struct firn_error **err);

/* argv is borrowed. Everything is checked against the tables: INVALID names the argument and the nearest right one. Without a
 * verb, arguments_verb() is NULL. */
int arguments_parse(int argc, char *const *argv, arguments_foreign *foreign, void *context,
                    struct arguments **out, struct firn_error **err);
void arguments_free(struct arguments *arguments); /* NULL is fine */

const struct verb *arguments_verb(const struct arguments *arguments);
/* Where options that are neither on the command line nor in the environment come from; taken. Checks names and values. */
int arguments_config_take(struct arguments *arguments, struct json_object *config,
                          struct firn_error **err);

size_t arguments_count(const struct arguments *arguments); /* operands */
const char *arguments_operand(const struct arguments *arguments,
                              size_t number); /* NULL beyond the last */

enum argument_origin { ORIGIN_NONE, ORIGIN_CONFIG, ORIGIN_ENVIRONMENT, ORIGIN_COMMAND_LINE };
/* Whether the verb, or all verbs, have an option of that name: what may be asked of the following. */
bool argument_exists(const struct arguments *arguments, const char *name);
enum argument_origin argument_origin(const struct arguments *arguments, const char *name);
const char *argument_text(const struct arguments *arguments,
                          const char *name); /* NULL: not given; "": no value given */
bool argument_flag(const struct arguments *arguments, const char *name);
unsigned argument_count(const struct arguments *arguments, const char *name);
/* A NUMBER, or a DURATION in ms; the fallback if it is not given. */
int64_t argument_number(const struct arguments *arguments, const char *name, int64_t fallback);
/* All values of a LIST on the command line: *out is the caller's array of borrowed texts. */
size_t argument_list(const struct arguments *arguments, const char *name, const char ***out);

#endif
