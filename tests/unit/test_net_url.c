/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "net/url.h"
#include "unit/unit.h"

static void test_parts(void)
{
    auto_url struct url url = {0};
    expect_ok(
        url_parse("HTTPS://us%65r:p%40ss@Example.org:8443/a%20b/../c?x=1%262#frag", &url, err));
    expect_text(url.scheme, "https");
    expect_text(url.host, "Example.org");
    expect_text(url.port, "8443");
    expect_text(url.query, "x=1%262");
    expect_text(url.user, "user");
    expect_text(url.password, "p@ss");
}

static void test_absent_parts(void)
{
    auto_url struct url url = {0};
    expect_ok(url_parse("http://[::1]:80", &url, err));
    expect_text(url.host, "[::1]");
    CU_ASSERT_PTR_NULL(url.port);
    expect_text(url.path, "/");
    CU_ASSERT_PTR_NULL(url.query);
    CU_ASSERT_PTR_NULL(url.user);
    url_free(&url);
    expect_ok(url_parse("s3://store.example:9000/bucket/some/prefix", &url, err));
    expect_text(url.scheme, "s3");
    expect_text(url.port, "9000");
    expect_text(url.path, "/bucket/some/prefix");
}

static void test_refused(void)
{
    static const char *const wrong[] = {"",
                                        "example.org/x",
                                        "http://",
                                        "http://a b/",
                                        "http://h:0x50/",
                                        "http://h:99999/",
                                        "http://[::1/",
                                        "http://h/\n",
                                        "://h/"};
    for (size_t i = 0; i < array_length(wrong); i++) {
        auto_url struct url url = {0};
        expect_error(FIRN_INVALID, url_parse(wrong[i], &url, err));
    }
    struct url url = {0};
    struct firn_error *error = NULL;
    CU_ASSERT_EQUAL(url_parse("http://user:secret@h:99999/p?signature=secret", &url, &error), -1);
    CU_ASSERT_PTR_NULL(strstr(error_message(error), "secret"));
    error_clear(&error);
}

static void test_resolve(void)
{
    static const struct {
        const char *reference;
        const char *result;
    } cases[] = {
        {"/v2/x", "https://h:5000/v2/x"},
        {"up?state=a%2Fb", "https://h:5000/v2/app/blobs/up?state=a%2Fb"},
        {"//other/y", "https://other/y"},
        {"http://elsewhere:81/z?q=1", "http://elsewhere:81/z?q=1"},
        {"?digest=sha256:1", "https://h:5000/v2/app/blobs/uploads?digest=sha256:1"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_free char *result = NULL;
        expect_ok(url_resolve("https://h:5000/v2/app/blobs/uploads?old=1", cases[i].reference,
                              &result, err));
        CU_ASSERT_PTR_NOT_NULL_FATAL(result);
        expect_text(result, cases[i].result);
    }
    auto_free char *result = NULL;
    expect_error(FIRN_INVALID, url_resolve("https://h/", "file:///etc/passwd", &result, err));
    expect_error(FIRN_INVALID, url_resolve("https://h/", "http://h:99999/", &result, err));
    expect_error(FIRN_INVALID, url_resolve("no base", "/x", &result, err));
    CU_ASSERT_PTR_NULL(result);
}

static void test_origin(void)
{
    CU_ASSERT_EQUAL(url_same_origin("https://h/a", "https://H:443/b?c"), 1);
    CU_ASSERT_EQUAL(url_same_origin("http://h:80", "HTTP://h/"), 1);
    CU_ASSERT_EQUAL(url_same_origin("https://user@h/", "https://h/"), 1);
    CU_ASSERT_EQUAL(url_same_origin("https://h/", "http://h/"), 0);
    CU_ASSERT_EQUAL(url_same_origin("https://h/", "https://h:444/"), 0);
    CU_ASSERT_EQUAL(url_same_origin("https://h/", "https://h.evil/"), 0);
    CU_ASSERT_EQUAL(url_same_origin("https://h@evil/", "https://h/"), 0);
    CU_ASSERT_EQUAL(url_same_origin("rubbish", "rubbish"), 0);
}

static void test_escape(void)
{
    auto_buf struct buf buf = buf_new(100);
    url_escape(&buf, "aZ9-._~ /?&=%+é");
    expect_text(buf_text(&buf), "aZ9-._~%20%2F%3F%26%3D%25%2B%C3%A9");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a URL is taken apart", test_parts},     {"parts that are not there", test_absent_parts},
        {"wrong URLs are refused", test_refused}, {"references are resolved", test_resolve},
        {"origins are told apart", test_origin},  {"text is escaped", test_escape},
    };
    return unit_run("net/url", tests, array_length(tests));
}
