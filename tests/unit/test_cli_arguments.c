/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of the command line, settings and near names. */
#include "unit/unit.h"

#include "cli/arguments.h"
#include "core/json.h"
#include "host/nearest.h"
#include "host/plugin.h"
#include "host/settings.h"

static int foreign(void *context, const char *name, const char *value, const char *next,
                   bool *used_next, struct firn_error **err)
{
    char *seen = context;
    (void)err;
    if (strcmp(name, "connect") != 0)
        return 0;
    *used_next = value == NULL;
    snprintf(seen, 64, "%s", value != NULL ? value : next != NULL ? next : "");
    return 1;
}

#define WORDS_MOST 16
static char seen[64];

/* "a b c": words of a command line. */
static int parse(const char *text, struct arguments **out, struct firn_error **err)
{
    static char copy[256];
    char *words[WORDS_MOST] = {copy};
    int count = 0;
    char *rest = NULL;
    snprintf(copy, sizeof(copy), "firn %s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return arguments_parse(count, words, foreign, seen, out, err);
}

static void test_forms(void)
{
    static const char *const same[] = {
        "-o json -vv snapshots --tag x a b", "snapshots a -ojson -v -v b --tag=x",
        "snapshots --output=json a --tag x b -vv", "snapshots -vvo json --tag x -- a b",
        "-o=json -v snapshots a b -v --tag y --tag x"};
    for (size_t i = 0; i < array_length(same); i++) {
        struct arguments *arguments = NULL;
        expect_ok(parse(same[i], &arguments, err));
        expect_text(arguments_verb(arguments)->name, "snapshots");
        expect_text(argument_text(arguments, "output"), "json");
        expect_text(argument_text(arguments, "tag"), "x");
        CU_ASSERT_EQUAL(argument_count(arguments, "verbose"), 2);
        CU_ASSERT_EQUAL(arguments_count(arguments), 2);
        expect_text(arguments_operand(arguments, 0), "a");
        expect_text(arguments_operand(arguments, 1), "b");
        CU_ASSERT_PTR_NULL(arguments_operand(arguments, 2));
        CU_ASSERT_FALSE(argument_flag(arguments, "quiet"));
        arguments_free(arguments);
    }
}

static void test_mistakes(void)
{
    static const char *const wrong[] = {"snapshots --tags x",
                                        "snapshots -x",
                                        "snapshots -o xml",
                                        "snapshots --quiet=yes",
                                        "snapshots --tag",
                                        "nonsense",
                                        "show",
                                        "show a b",
                                        "forget --keep-last x",
                                        "forget --keep-last -1",
                                        "forget --keep-last 99999999999",
                                        "forget --keep-within soon",
                                        "--tag x snapshots",
                                        "snapshots -r",
                                        "snapshots --cache-dir="};
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct arguments *arguments = NULL;
        expect_error(FIRN_INVALID, parse(wrong[i], &arguments, err));
    }
}

static void test_values(void)
{
    struct arguments *arguments = NULL;
    const char **list;
    expect_ok(parse("forget --keep-last 3 --keep-within 1h30m --keep-tag a --keep-tag b",
                    &arguments, err));
    CU_ASSERT_EQUAL(argument_number(arguments, "keep-last", 0), 3);
    CU_ASSERT_EQUAL(argument_number(arguments, "keep-daily", 9), 9);
    CU_ASSERT_EQUAL(argument_number(arguments, "keep-within", 0), 5400000);
    CU_ASSERT_EQUAL(argument_list(arguments, "keep-tag", &list), 2);
    expect_text(list[1], "b");
    free(list);
    arguments_free(arguments);
    expect_ok(parse("check --read-data", &arguments, err));
    expect_text(argument_text(arguments, "read-data"), "");
    arguments_free(arguments);
    expect_ok(parse("check --read-data=5%", &arguments, err));
    expect_text(argument_text(arguments, "read-data"), "5%");
    arguments_free(arguments);
}

static void test_plugin_options(void)
{
    struct arguments *arguments = NULL;
    expect_ok(parse("backup --connect test:///default libvirt:x", &arguments, err));
    expect_text(seen, "test:///default");
    CU_ASSERT_EQUAL(arguments_count(arguments), 1);
    arguments_free(arguments);
    expect_ok(parse("backup --connect=uri libvirt:x", &arguments, err));
    expect_text(seen, "uri");
    arguments_free(arguments);
    expect_error(FIRN_INVALID, parse("backup --konnect uri libvirt:x", &arguments, err));
    expect_error(FIRN_INVALID, parse("snapshots --connect uri", &arguments, err));
}

static void test_origins(void)
{
    struct arguments *arguments = NULL;
    struct json_object *config = NULL;
    static const char text[] = "{\"repository\": \"/c\", \"cache-dir\": \"/cc\", \"plugins\": {}}";
    setenv("FIRN_REPOSITORY", "/e", 1);
    expect_ok(parse("snapshots -r /l", &arguments, err));
    expect_text(argument_text(arguments, "repository"), "/l");
    arguments_free(arguments);
    expect_ok(parse("snapshots", &arguments, err));
    expect_ok(json_parse(text, sizeof(text) - 1, "test", &config, err));
    expect_ok(arguments_config_take(arguments, config, err));
    expect_text(argument_text(arguments, "repository"), "/e");
    CU_ASSERT_EQUAL(argument_origin(arguments, "repository"), ORIGIN_ENVIRONMENT);
    unsetenv("FIRN_REPOSITORY");
    expect_text(argument_text(arguments, "repository"), "/c");
    expect_text(argument_text(arguments, "cache-dir"), "/cc");
    CU_ASSERT_EQUAL(argument_origin(arguments, "key-file"), ORIGIN_NONE);
    arguments_free(arguments);
}

static void test_nearest(void)
{
    struct nearest nearest = nearest_new("bakcup");
    nearest_offer(&nearest, "check");
    nearest_offer(&nearest, "backup");
    nearest_offer(&nearest, "stats");
    expect_text(nearest.best, "backup");
    nearest = nearest_new("zzz");
    nearest_offer(&nearest, "cat");
    CU_ASSERT_PTR_NULL(nearest.best);
    nearest = nearest_new("");
    nearest_offer(&nearest, "cat");
    CU_ASSERT_PTR_NULL(nearest.best);
}

static void test_settings(void)
{
    static const struct firn_param params[] = {{"size", FIRN_PARAM_SIZE, "4K", "s"},
                                               {"flag", FIRN_PARAM_BOOLEAN, NULL, "f"},
                                               {"time", FIRN_PARAM_DURATION, NULL, "t"},
                                               {"count", FIRN_PARAM_INTEGER, NULL, "c"},
                                               {0}};
    char name[] = "p";
    struct plugin plugin = {.name = name, .api = {.params = params}, .param_count = 4};
    struct settings *settings = settings_new();
    int64_t number;
    expect_text(settings_value(settings, &plugin, "size"), "4K");
    CU_ASSERT_PTR_NULL(settings_value(settings, &plugin, "flag"));
    expect_ok(settings_parse(settings, "p.size=1M", err));
    expect_ok(settings_parse(settings, "q.unknown=1", err));
    expect_ok(settings_check(settings, &plugin, err));
    expect_text(settings_value(settings, &plugin, "size"), "1M");
    expect_ok(settings_parse(settings, "p.flag=maybe", err));
    expect_error(FIRN_INVALID, settings_check(settings, &plugin, err));
    settings_set(settings, "p", "flag", "true");
    expect_ok(settings_check(settings, &plugin, err));
    settings_set(settings, "p", "sise", "1");
    expect_error(FIRN_INVALID, settings_check(settings, &plugin, err));
    settings_free(settings);
    static const char *const malformed[] = {"", "p", "p.x", ".x=1", "p.=1", "p=1.x", "=", "."};
    settings = settings_new();
    for (size_t i = 0; i < array_length(malformed); i++)
        expect_error(FIRN_INVALID, settings_parse(settings, malformed[i], err));
    settings_free(settings);
    expect_ok(setting_number(FIRN_PARAM_INTEGER, "-42", &number, err));
    CU_ASSERT_EQUAL(number, -42);
    expect_error(FIRN_INVALID, setting_number(FIRN_PARAM_INTEGER, "42x", &number, err));
    expect_error(FIRN_INVALID, setting_number(FIRN_PARAM_INTEGER, " 42", &number, err));
    expect_error(FIRN_INVALID,
                 setting_number(FIRN_PARAM_INTEGER, "99999999999999999999", &number, err));
    expect_error(FIRN_INVALID, setting_number(FIRN_PARAM_SIZE, "16777216T", &number, err));
    expect_error(FIRN_INVALID, setting_number(FIRN_PARAM_PATH, "", &number, err));
    expect_ok(setting_number(FIRN_PARAM_DURATION, "250ms", &number, err));
    CU_ASSERT_EQUAL(number, 250);
}

/* Every table is one that the parser can work with. */
static void test_tables(void)
{
    for (size_t i = 0; verbs[i] != NULL; i++) {
        const struct verb *verb = verbs[i];
        CU_ASSERT(verb->run != NULL && verb->summary != NULL && verb->description != NULL &&
                  verb->operands != NULL);
        CU_ASSERT(verb->least <= verb->most);
        CU_ASSERT_PTR_EQUAL(verb_find(verb->name, strlen(verb->name)), verb);
        for (const struct option *option = verb->options; option != NULL && option->name != NULL;
             option++) {
            CU_ASSERT(option->description != NULL &&
                      (!option_takes_value(option) || option->value != NULL));
            CU_ASSERT_PTR_NULL(option_find(options_global, option->name, strlen(option->name)));
            CU_ASSERT_PTR_EQUAL(option_find(verb->options, option->name, strlen(option->name)),
                                option);
            CU_ASSERT(option->letter == 0 ||
                      option_find_letter(options_global, option->letter) == NULL);
        }
    }
}

static const struct unit_test tests[] = {
    {"forms", test_forms},       {"mistakes", test_mistakes},
    {"values", test_values},     {"options of plugins", test_plugin_options},
    {"origins", test_origins},   {"near names", test_nearest},
    {"settings", test_settings}, {"tables", test_tables},
};

int main(void)
{
    unsetenv("FIRN_KEY_FILE");
    unsetenv("FIRN_CACHE_DIR");
    return unit_run("arguments", tests, array_length(tests));
}
