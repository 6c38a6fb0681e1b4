/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "core/json.h"
#include "core/yaml.h"
#include "unit/unit.h"

static struct json_object *parsed(const char *text)
{
    struct json_object *value = NULL;
    expect_ok(json_parse(text, strlen(text), "test", &value, err));
    return value;
}

static void test_round_trip(void)
{
    static const char *const same[] = {
        "{\"a\":[1,2.50,true,null,\"x/y\"],\"unknown\":{\"deep\":{}}}",
        "18446744073709551615",
        "-5",
        "\"\\u0000\"",
        "null",
        "[]",
    };
    for (size_t i = 0; i < array_length(same); i++) {
        auto_json struct json_object *value = parsed(same[i]);
        auto_buf struct buf buf = buf_new(1000);
        json_write(&buf, value);
        expect_text(buf_text(&buf), same[i]);
    }
    auto_json struct json_object *value = parsed(" {\"a\": [1]} \r\n\t");
    auto_buf struct buf buf = buf_new(1000);
    json_write_pretty(&buf, value);
    expect_text(buf_text(&buf), "{\n  \"a\": [\n    1\n  ]\n}\n");
}

static void test_refused(void)
{
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "{\"a\":1",
        "{\"a\":1}x",
        "1 2",
        "{}{}",
        "{'a':1}",
        "{a:1}",
        "[1,]",
        "tru",
        "nul",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "// x\n1",
        "\"abc",
        "18446744073709551616",
        "-9223372036854775809",
        "[1,'x']",
        "Infinity",
        "-Infinity",
        "{\"a\\ÿ\":1}",
        "01",
        "1.",
        "+1",
        "\"\n\"",
        "\"\\x\"",
        "{\"a\":1}\x01",
        "NaN",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        auto_json struct json_object *value = NULL;
        struct firn_error *error = NULL;
        int result = json_parse(wrong[i], strlen(wrong[i]), "test", &value, &error);
        if (result != -1)
            printf("\n    taken: %s", wrong[i]);
        unit_expect(result, &error, FIRN_INVALID, "json_parse", __FILE__, __LINE__);
    }
    auto_json struct json_object *value = NULL;
    expect_error(FIRN_INVALID, json_parse("1\0", 2, "test", &value, err));
    expect_error(FIRN_INVALID, json_parse("{\"a\":1}\0{}", 10, "test", &value, err));
}

static void test_depth(void)
{
    char text[131];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    auto_json struct json_object *value = NULL;
    expect_error(FIRN_INVALID, json_parse(text, 130, "test", &value, err));
    expect_ok(json_parse(text + 5, 120, "test", &value, err));
}

static void test_members(void)
{
    auto_json struct json_object *value =
        parsed("{\"s\":\"text\",\"n\":-7,\"big\":18446744073709551615,\"b\":true,\"list\":[{\"x\":"
               "\"first\"},2],\"nul\":null,"
               "\"cut\":\"a\\u0000b\",\"f\":1.5}");
    const char *text = NULL;
    int64_t number = 0;
    uint64_t large = 0;
    struct json_object *array = NULL;
    expect_ok(json_get_string(value, "s", &text, err));
    expect_text(text, "text");
    expect_ok(json_get_string(value, "list.0.x", &text, err));
    expect_text(text, "first");
    expect_ok(json_get_int(value, "n", &number, err));
    CU_ASSERT_EQUAL(number, -7);
    expect_ok(json_get_uint(value, "big", &large, err));
    CU_ASSERT_EQUAL(large, UINT64_MAX);
    expect_ok(json_get_array(value, "list", &array, err));
    CU_ASSERT_EQUAL(json_object_array_length(array), 2);
    expect_error(FIRN_INVALID, json_get_string(value, "cut", &text, err));
    expect_error(FIRN_INVALID, json_get_string(value, "n", &text, err));
    expect_error(FIRN_INVALID, json_get_string(value, "nul", &text, err));
    expect_error(FIRN_INVALID, json_get_string(value, "s.x", &text, err));
    expect_error(FIRN_INVALID, json_get_int(value, "big", &number, err));
    expect_error(FIRN_INVALID, json_get_int(value, "f", &number, err));
    expect_error(FIRN_INVALID, json_get_uint(value, "n", &large, err));
    expect_error(FIRN_INVALID, json_get_array(value, "s", &array, err));
    CU_ASSERT_PTR_NULL(json_at(value, "list.2"));
    CU_ASSERT_PTR_NULL(json_at(value, "list.-1"));
    CU_ASSERT_PTR_NULL(json_at(value, "list.0x0"));
    expect_text(json_string_or(value, "cut", "fallback"), "fallback");
    expect_text(json_string_or(NULL, "s", "fallback"), "fallback");
    CU_ASSERT_EQUAL(json_int_or(value, "big", 3), 3);
    CU_ASSERT_TRUE(json_bool_or(value, "b", false));
    CU_ASSERT_TRUE(json_bool_or(value, "n", true));
}

static void test_setters(void)
{
    auto_json struct json_object *value = json_object_new_object();
    json_set_string(value, "text", "a\"b");
    json_set_string(value, "absent", NULL);
    json_set_int(value, "negative", INT64_MIN);
    json_set_uint(value, "large", UINT64_MAX);
    json_set_bool(value, "flag", true);
    json_set_take(value, "list", json_object_new_array());
    auto_buf struct buf buf = buf_new(1000);
    json_write(&buf, value);
    expect_text(buf_text(&buf), "{\"text\":\"a\\\"b\",\"negative\":-9223372036854775808,"
                                "\"large\":18446744073709551615,\"flag\":true,\"list\":[]}");
}

/* YAML is another spelling of JSON: what is read from the one writes as the other. */
static void expect_yaml(const char *yaml, const char *json)
{
    auto_json struct json_object *value = NULL;
    auto_buf struct buf buf = buf_new(100000);
    expect_ok(yaml_parse(yaml, strlen(yaml), "test", &value, err));
    json_write(&buf, value);
    expect_text(buf_text(&buf), json);
}

static void test_yaml_read(void)
{
    expect_yaml("", "null");
    expect_yaml("# only a comment\n", "null");
    expect_yaml("a: 1\nb:\n  - x\n  - {c: true}\n", "{\"a\":1,\"b\":[\"x\",{\"c\":true}]}");
    expect_yaml("[null, ~, NULL, 'null', no, yes, 0x1F, 0o17, 017, +5, -0]",
                "[null,null,null,\"null\",\"no\",\"yes\",31,15,17,5,0]");
    expect_yaml("[1.5, 1e3, .5, 1., 1.2.3, 0x, 2026-11-22, '1', \"2\", -]",
                "[1.5,1000.0,0.5,1.0,\"1.2.3\",\"0x\",\"2026-11-22\",\"1\",\"2\",\"-\"]");
    expect_yaml("[18446744073709551615, -9223372036854775808]",
                "[18446744073709551615,-9223372036854775808]");
    expect_yaml("a: |\n  one\n  two\nb: >\n  three\n  four\n",
                "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\\n\"}");
    expect_yaml("a: &x {k: v}\nb: *x\n", "{\"a\":{\"k\":\"v\"},\"b\":{\"k\":\"v\"}}");
    expect_yaml("a: first\n---\nb: second\n", "{\"a\":\"first\"}");
}

static void test_yaml_refused(void)
{
    static const char *const wrong[] = {
        "a: [1",      "a: b: c",     "a: 1\na: 2", "[1]: x",  "a: !!str 1",
        "a: !foo {}", "a: *nothing", "a: &x [*x]", "a: .nan", "\"a\\0b\": 1",
        "\xff",       "a: \x01",     "\t- x",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        auto_json struct json_object *value = NULL;
        struct firn_error *error = NULL;
        int result = yaml_parse(wrong[i], strlen(wrong[i]), "test", &value, &error);
        if (result != -1)
            printf("\n    taken: %s", wrong[i]);
        unit_expect(result, &error, FIRN_INVALID, "yaml_parse", __FILE__, __LINE__);
    }
}

static void test_yaml_bombs(void)
{
    auto_json struct json_object *value = NULL;
    auto_buf struct buf bomb = buf_new(100000);
    buf_puts(&bomb, "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            buf_printf(&bomb, "%s*a%d", j == 0 ? "" : ",", i - 1);
        buf_puts(&bomb, "]\n");
    }
    expect_error(FIRN_INVALID, yaml_parse(bomb.data, bomb.length, "test", &value, err));
    buf_reset(&bomb);
    for (int i = 0; i < 200; i++)
        buf_putc(&bomb, '[');
    expect_error(FIRN_INVALID, yaml_parse(bomb.data, bomb.length, "test", &value, err));
    /* An alias deep below a deep alias. */
    buf_reset(&bomb);
    buf_puts(
        &bomb,
        "a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
    buf_puts(&bomb, "b: "
                    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                    "]]]]]]]]]]]]\n");
    expect_error(FIRN_INVALID, yaml_parse(bomb.data, bomb.length, "test", &value, err));
}

static void test_yaml_written(void)
{
    static const char *const values[] = {
        "null",
        "[]",
        "{}",
        "\"text\"",
        "{\"a\":1,\"b\":[true,false,null,1.5],\"c\":{\"d\":[]}}",
        "[\"true\",\"no\",\"null\",\"\",\"~\",\"12\",\"1e3\",\"0x10\",\"1:20\",\"-\",\"- x\"]",
        "[\"a: b\",\"#c\",\" x \",\"<<\",\".5\",\"+1\",\"on\",\"=\",\"!t\",\"&a\",\"*a\",\"%\"]",
        "[\"@\",\"`\",\"2026-11-22\",\".inf\",\"NaN\",\"tab\\t\",\"\\u0007\",\"é\",\"a\\u0000b\"]",
        "[\"one\\ntwo\\n\",\"one\\n two\",\"\\n\",\"trailing \\nblank\"]",
        "{\"true\":1,\"12\":2,\"\":3,\"multi\\nline\":4}",
    };
    for (size_t i = 0; i < array_length(values); i++) {
        auto_json struct json_object *value = parsed(values[i]);
        auto_buf struct buf yaml = buf_new(10000);
        expect_ok(yaml_write(&yaml, value, err));
        expect_yaml(buf_text(&yaml), values[i]);
    }
    auto_json struct json_object *value =
        parsed("{\"name\":\"web\",\"on\":\"no\",\"list\":[{\"a\":1}]}");
    auto_buf struct buf yaml = buf_new(10000);
    expect_ok(yaml_write(&yaml, value, err));
    expect_text(buf_text(&yaml), "name: web\n\"on\": \"no\"\nlist:\n- a: 1\n");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"JSON comes back as it was", test_round_trip},
        {"wrong JSON is refused", test_refused},
        {"JSON is bounded in depth", test_depth},
        {"members are found and checked", test_members},
        {"members are set", test_setters},
        {"YAML is read by the core schema", test_yaml_read},
        {"wrong YAML is refused", test_yaml_refused},
        {"YAML cannot grow without bound", test_yaml_bombs},
        {"written YAML reads the same", test_yaml_written},
    };
    return unit_run("core/json", tests, array_length(tests));
}
