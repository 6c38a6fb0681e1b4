/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/utf8.h"
#include "unit/unit.h"

#include <pthread.h>
#include <unistd.h>

static int saved_stderr;
static FILE *captured;

static void capture_begin(void)
{
    captured = tmpfile();
    saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
}

/* What was written to standard error since capture_begin(). */
static char *capture_end(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(captured);
    auto_buf struct buf text = buf_new(1 << 24);
    char piece[4096];
    for (size_t got = fread(piece, 1, sizeof(piece), captured); got > 0;
         got = fread(piece, 1, sizeof(piece), captured))
        buf_append(&text, piece, got);
    fclose(captured);
    return buf_take(&text);
}

static void test_text(void)
{
    log_init(LOG_TEXT, FIRN_LOG_INFO);
    capture_begin();
    log_debug("not this");
    log_info("one %d", 1);
    log_context("run-7", "vm/web");
    log_error("two");
    log_context(NULL, NULL);
    log_warning("three");
    auto_free char *text = capture_end();
    CU_ASSERT_PTR_NULL(strstr(text, "not this"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Z info    one 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Z error   run-7 vm/web: two\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Z warning three\n"));
}

static void test_foreign_text(void)
{
    log_init(LOG_TEXT, FIRN_LOG_DEBUG);
    capture_begin();
    log_info("%s", "a\nb\x1b[2J\xff\xc2\x9b \xc3\xa9 \xed\xa0\x80");
    auto_free char *text = capture_end();
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a\\x0ab\\x1b[2J\\xff\\xc2\\x9b \xc3\xa9 \\xed\\xa0\\x80\n"));
}

static void test_json(void)
{
    log_init(LOG_JSON, FIRN_LOG_DEBUG);
    capture_begin();
    log_context("r", "i");
    log_debug("say \"%s\"", "hello\n\xff");
    log_context(NULL, NULL);
    auto_free char *text = capture_end();
    auto_json struct json_object *line = NULL;
    expect_ok(json_parse(text, strlen(text), "line", &line, err));
    expect_text(json_string_or(line, "level", ""), "debug");
    expect_text(json_string_or(line, "run", ""), "r");
    expect_text(json_string_or(line, "item", ""), "i");
    expect_text(json_string_or(line, "message", ""), "say \"hello\\x0a\\xff\"");
}

static char order[64];

static void clear_display(void)
{
    strcat(order, "c");
}

static void redraw_display(void)
{
    strcat(order, "r");
}

static void test_display(void)
{
    log_init(LOG_TEXT, FIRN_LOG_WARNING);
    log_display(clear_display, redraw_display);
    capture_begin();
    log_info("quiet");
    log_error("loud");
    free(capture_end());
    log_display(NULL, NULL);
    expect_text(order, "cr");
}

static void *write_lines(void *name)
{
    log_context("run", name);
    for (int i = 0; i < 200; i++)
        log_info("line %d of %s", i, (const char *)name);
    return NULL;
}

static void test_threads(void)
{
    static char names[4][8] = {"first", "second", "third", "fourth"};
    pthread_t threads[4];
    log_init(LOG_JSON, FIRN_LOG_INFO);
    capture_begin();
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, write_lines, names[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    auto_free char *text = capture_end();
    int whole = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        auto_json struct json_object *object = NULL;
        if (json_parse(line, strlen(line), "line", &object, NULL) < 0)
            continue;
        const char *item = json_string_or(object, "item", "?");
        const char *message = json_string_or(object, "message", "");
        whole += strstr(message, item) != NULL;
    }
    CU_ASSERT_EQUAL(whole, 800);
}

static void test_utf8(void)
{
    CU_ASSERT_EQUAL(utf8_character("a", 1), 1);
    CU_ASSERT_EQUAL(utf8_character("\0", 1), 1);
    CU_ASSERT_EQUAL(utf8_character("", 0), 0);
    CU_ASSERT_EQUAL(utf8_character("\xf4\x8f\xbf\xbf", 4), 4);
    static const char *const wrong[] = {
        "\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\xff"};
    for (size_t i = 0; i < array_length(wrong); i++)
        CU_ASSERT_EQUAL(utf8_character(wrong[i], strlen(wrong[i])), 0);
    CU_ASSERT_TRUE(utf8_is_printable("disk é 𝄞"));
    CU_ASSERT_TRUE(utf8_is_printable(""));
    CU_ASSERT_FALSE(utf8_is_printable("a\tb"));
    CU_ASSERT_FALSE(utf8_is_printable("a\xc2\x85"));
    CU_ASSERT_FALSE(utf8_is_printable("a\x7f"));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"lines of text", test_text},
        {"foreign text cannot break a line", test_foreign_text},
        {"lines of JSON", test_json},
        {"the display makes room", test_display},
        {"threads do not mix their lines", test_threads},
        {"UTF-8", test_utf8},
    };
    return unit_run("core/log", tests, array_length(tests));
}
