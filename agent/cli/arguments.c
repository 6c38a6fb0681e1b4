/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "host/nearest.h"
#include "host/settings.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct given {
    const struct option *option;
    const char *value; /* NULL: a flag, or no value */
};

struct arguments {
    const struct verb *verb;
    struct given *given;
    size_t given_count;
    const char **operands;
    size_t operand_count;
    struct json_object *config;
};

struct parser {
    struct arguments *arguments;
    char *const *argv;
    int argc;
    int at;
    arguments_foreign *foreign;
    void *context;
};

static const struct option *verb_options(const struct arguments *arguments)
{
    return arguments->verb != NULL ? arguments->verb->options : NULL;
}

/* ------------------------------------------------------------------------------------------------ values */

static bool choice_has(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *word = choices; length > 0; word++) {
        size_t end = strcspn(word, "|");
        if (end == length && memcmp(word, value, length) == 0)
            return true;
        word += end;
        if (*word == '\0')
            break;
    }
    return false;
}

static int check_value(const struct option *option, const char *value, int64_t *number,
                       struct firn_error **err)
{
    int result = 0;
    *number = 0;
    if (option->type == OPTION_NUMBER)
        result = setting_number(FIRN_PARAM_INTEGER, value, number, err);
    else if (option->type == OPTION_DURATION)
        result = setting_number(FIRN_PARAM_DURATION, value, number, err);
    else if (option->type == OPTION_CHOICE && !choice_has(option->value, value))
        result = fail(err, FIRN_INVALID, "\"%s\" is none of %s", value, option->value);
    else if (option->type != OPTION_LIST && *value == '\0')
        result = fail(err, FIRN_INVALID, "an empty value");
    if (result == 0 && option->type == OPTION_NUMBER && (*number < 0 || *number > INT32_MAX))
        result = fail(err, FIRN_INVALID, "%s is out of range", value);
    return result < 0 ? wrap(err, "--%s", option->name) : 0;
}

static int add_given(struct arguments *arguments, const struct option *option, const char *value,
                     struct firn_error **err)
{
    int64_t number;
    if (value != NULL && check_value(option, value, &number, err) < 0)
        return -1;
    arguments->given =
        mem_resize(arguments->given, arguments->given_count + 1, sizeof(*arguments->given));
    arguments->given[arguments->given_count++] = (struct given){option, value};
    return 0;
}

/* ------------------------------------------------------------------------------------------------ parsing */

static void offer_options(struct nearest *nearest, const struct option *table)
{
    for (; table != NULL && table->name != NULL; table++)
        nearest_offer(nearest, table->name);
}

static int unknown_option(const struct parser *parser, const char *name, struct firn_error **err)
{
    const struct verb *verb = parser->arguments->verb;
    struct nearest nearest = nearest_new(name);
    offer_options(&nearest, options_global);
    offer_options(&nearest, verb_options(parser->arguments));
    if (nearest.best != NULL)
        return fail(err, FIRN_INVALID, "unknown option --%s: did you mean --%s?", name,
                    nearest.best);
    for (size_t i = 0; verb == NULL && verbs[i] != NULL; i++)
        if (option_find(verbs[i]->options, name, strlen(name)) != NULL)
            return fail(err, FIRN_INVALID, "option --%s belongs to a verb: write it after `%s`",
                        name, verbs[i]->name);
    return fail(err, FIRN_INVALID, "unknown option --%s: `firn help%s%s` lists the options", name,
                verb != NULL ? " " : "", verb != NULL ? verb->name : "");
}

static int parse_foreign(struct parser *parser, const char *name, const char *value,
                         struct firn_error **err)
{
    const struct verb *verb = parser->arguments->verb;
    const char *next = parser->at + 1 < parser->argc ? parser->argv[parser->at + 1] : NULL;
    bool used_next = false;
    int taken = 0;
    if (verb != NULL && verb->plugin_options)
        taken = parser->foreign(parser->context, name, value, next, &used_next, err);
    if (taken < 0)
        return -1;
    if (taken == 0)
        return unknown_option(parser, name, err);
    parser->at += used_next;
    return 0;
}

static int next_value(struct parser *parser, const struct option *option, const char **value,
                      struct firn_error **err)
{
    if (parser->at + 1 >= parser->argc)
        return fail(err, FIRN_INVALID, "option --%s needs a value: %s", option->name,
                    option->value);
    *value = parser->argv[++parser->at];
    return 0;
}

static int parse_long(struct parser *parser, const char *text, struct firn_error **err)
{
    size_t length = strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    const struct option *option = option_find(verb_options(parser->arguments), text, length);
    if (option == NULL)
        option = option_find(options_global, text, length);
    if (option == NULL) {
        auto_free char *name = mem_dup(text, length);
        return parse_foreign(parser, name, value, err);
    }
    if (!option_takes_value(option) && value != NULL)
        return fail(err, FIRN_INVALID, "option --%s takes no value", option->name);
    if (option_takes_value(option) && !option->optional && value == NULL &&
        next_value(parser, option, &value, err) < 0)
        return -1;
    return add_given(parser->arguments, option, value, err);
}

/* -v, -vv, -o json, -ojson, -o=json */
static int parse_short(struct parser *parser, const char *letters, struct firn_error **err)
{
    for (; *letters != '\0'; letters++) {
        const struct option *option = option_find_letter(verb_options(parser->arguments), *letters);
        if (option == NULL)
            option = option_find_letter(options_global, *letters);
        if (option == NULL)
            return fail(err, FIRN_INVALID, "unknown option -%c: `firn help` lists the options",
                        *letters);
        const char *value = NULL;
        if (option_takes_value(option)) {
            if (letters[1] != '\0')
                value = letters + 1 + (letters[1] == '=');
            else if (next_value(parser, option, &value, err) < 0)
                return -1;
        }
        if (add_given(parser->arguments, option, value, err) < 0)
            return -1;
        if (value != NULL)
            return 0;
    }
    return 0;
}

static int unknown_verb(const char *name, struct firn_error **err)
{
    struct nearest nearest = nearest_new(name);
    for (size_t i = 0; verbs[i] != NULL; i++)
        nearest_offer(&nearest, verbs[i]->name);
    if (nearest.best != NULL)
        return fail(err, FIRN_INVALID, "unknown verb \"%s\": did you mean %s?", name, nearest.best);
    return fail(err, FIRN_INVALID, "unknown verb \"%s\": `firn help` lists the verbs", name);
}

static int parse_operand(struct parser *parser, const char *text, struct firn_error **err)
{
    struct arguments *arguments = parser->arguments;
    if (arguments->verb == NULL) {
        arguments->verb = verb_find(text, strlen(text));
        return arguments->verb != NULL ? 0 : unknown_verb(text, err);
    }
    arguments->operands =
        mem_resize(arguments->operands, arguments->operand_count + 1, sizeof(*arguments->operands));
    arguments->operands[arguments->operand_count++] = text;
    return 0;
}

static int parse_all(struct parser *parser, struct firn_error **err)
{
    bool operands_only = false;
    for (parser->at = 1; parser->at < parser->argc; parser->at++) {
        const char *text = parser->argv[parser->at];
        int result;
        if (operands_only || text[0] != '-' || text[1] == '\0')
            result = parse_operand(parser, text, err);
        else if (strcmp(text, "--") == 0)
            result = (operands_only = true, 0);
        else if (text[1] == '-')
            result = parse_long(parser, text + 2, err);
        else
            result = parse_short(parser, text + 1, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int check_operands(const struct arguments *arguments, struct firn_error **err)
{
    const struct verb *verb = arguments->verb;
    if (verb == NULL || argument_flag(arguments, "help"))
        return 0;
    if (arguments->operand_count < verb->least)
        return fail(err, FIRN_INVALID, "%s: something is missing: firn %s %s", verb->name,
                    verb->name, verb->operands);
    if (arguments->operand_count > verb->most)
        return fail(err, FIRN_INVALID, "%s: \"%s\" is too much: firn %s %s", verb->name,
                    arguments->operands[verb->most], verb->name, verb->operands);
    return 0;
}

int arguments_parse(int argc, char *const *argv, arguments_foreign *foreign, void *context,
                    struct arguments **out, struct firn_error **err)
{
    struct arguments *arguments = mem_zalloc(sizeof(*arguments));
    struct parser parser = {
        .arguments = arguments, .argv = argv, .argc = argc, .foreign = foreign, .context = context};
    if (parse_all(&parser, err) < 0 || check_operands(arguments, err) < 0) {
        arguments_free(arguments);
        return -1;
    }
    *out = arguments;
    return 0;
}

void arguments_free(struct arguments *arguments)
{
    if (arguments == NULL)
        return;
    free(arguments->given);
    free(arguments->operands);
    json_free(&arguments->config);
    free(arguments);
}

/* ------------------------------------------------------------------------------------------------ configuration */

int arguments_config_take(struct arguments *arguments, struct json_object *config,
                          struct firn_error **err)
{
    json_free(&arguments->config);
    arguments->config = config;
    json_object_object_foreach(config, name, value)
    {
        int64_t number;
        const struct option *option = option_find(options_global, name, strlen(name));
        if (strcmp(name, "plugins") == 0)
            continue;
        if (option == NULL) {
            struct nearest nearest = nearest_new(name);
            offer_options(&nearest, options_global);
            nearest_offer(&nearest, "plugins");
            return fail(err, FIRN_INVALID, "%s: there is no such setting%s%s", name,
                        nearest.best != NULL ? ": did you mean " : "",
                        nearest.best != NULL ? nearest.best : "");
        }
        if (value == NULL || json_object_is_type(value, json_type_object) ||
            json_object_is_type(value, json_type_array))
            return fail(err, FIRN_INVALID, "%s: expected one value", name);
        if (option_takes_value(option) &&
            check_value(option, json_object_get_string(value), &number, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ looking up */

const struct verb *arguments_verb(const struct arguments *arguments)
{
    return arguments->verb;
}

size_t arguments_count(const struct arguments *arguments)
{
    return arguments->operand_count;
}

const char *arguments_operand(const struct arguments *arguments, size_t number)
{
    return number < arguments->operand_count ? arguments->operands[number] : NULL;
}

static const struct option *known(const struct arguments *arguments, const char *name)
{
    const struct option *option = option_find(verb_options(arguments), name, strlen(name));
    if (option == NULL)
        option = option_find(options_global, name, strlen(name));
    assert(option != NULL);
    return option;
}

static const char *find(const struct arguments *arguments, const char *name,
                        enum argument_origin *origin)
{
    const struct option *option = known(arguments, name);
    *origin = ORIGIN_COMMAND_LINE;
    for (size_t i = arguments->given_count; i-- > 0;)
        if (arguments->given[i].option == option)
            return arguments->given[i].value != NULL ? arguments->given[i].value : "";
    const char *variable = option->environment != NULL ? getenv(option->environment) : NULL;
    *origin = ORIGIN_ENVIRONMENT;
    if (variable != NULL && *variable != '\0')
        return variable;
    struct json_object *value =
        arguments->config != NULL ? json_object_object_get(arguments->config, name) : NULL;
    *origin = value != NULL ? ORIGIN_CONFIG : ORIGIN_NONE;
    return value != NULL ? json_object_get_string(value) : NULL;
}

bool argument_exists(const struct arguments *arguments, const char *name)
{
    return option_find(verb_options(arguments), name, strlen(name)) != NULL ||
           option_find(options_global, name, strlen(name)) != NULL;
}

enum argument_origin argument_origin(const struct arguments *arguments, const char *name)
{
    enum argument_origin origin;
    find(arguments, name, &origin);
    return origin;
}

const char *argument_text(const struct arguments *arguments, const char *name)
{
    enum argument_origin origin;
    return find(arguments, name, &origin);
}

bool argument_flag(const struct arguments *arguments, const char *name)
{
    enum argument_origin origin;
    const char *value = find(arguments, name, &origin);
    return value != NULL && (origin == ORIGIN_COMMAND_LINE || strcmp(value, "true") == 0);
}

unsigned argument_count(const struct arguments *arguments, const char *name)
{
    const struct option *option = known(arguments, name);
    unsigned count = 0;
    for (size_t i = 0; i < arguments->given_count; i++)
        count += arguments->given[i].option == option;
    return count;
}

int64_t argument_number(const struct arguments *arguments, const char *name, int64_t fallback)
{
    int64_t number;
    const char *value = argument_text(arguments, name);
    if (value == NULL || check_value(known(arguments, name), value, &number, NULL) < 0)
        return fallback;
    return number;
}

size_t argument_list(const struct arguments *arguments, const char *name, const char ***out)
{
    const struct option *option = known(arguments, name);
    size_t count = 0;
    *out = mem_array(arguments->given_count + 1, sizeof(**out));
    for (size_t i = 0; i < arguments->given_count; i++)
        if (arguments->given[i].option == option)
            (*out)[count++] = arguments->given[i].value;
    return count;
}
