/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"
#include "imagestream/location.h"
#include "unit/unit.h"

static void test_same_origin(void)
{
    CU_ASSERT(location_same_origin("https://h/a", "https://H:443/b?c"));
    CU_ASSERT(location_same_origin("http://[::1]:80/", "http://[::1]/x"));
    CU_ASSERT_FALSE(location_same_origin("https://h/", "http://h/"));
    CU_ASSERT_FALSE(location_same_origin("https://h/", "https://h:8443/"));
    CU_ASSERT_FALSE(location_same_origin("https://h/", "https://h.evil.example/"));
    CU_ASSERT_FALSE(location_same_origin("https://h/", "https://h@evil.example/"));
    CU_ASSERT_FALSE(location_same_origin("https://h/", "https://evil.example/?https://h/"));
    CU_ASSERT_FALSE(location_same_origin("nonsense", "nonsense"));
}

static void test_check(void)
{
    expect_ok(location_check("https://registry.example/v2/", false, err));
    expect_ok(location_check("http://localhost:5000/", false, err));
    expect_ok(location_check("http://127.0.0.1/", false, err));
    expect_ok(location_check("http://registry.example/", true, err));
    expect_error(FIRN_DENIED, location_check("http://registry.example/", false, err));
    expect_error(FIRN_DENIED, location_check("http://localhost.example/", false, err));
    expect_error(FIRN_DENIED, location_check("ftp://registry.example/", true, err));
    expect_error(FIRN_INVALID, location_check("https://user@registry.example/", true, err));
    expect_error(FIRN_INVALID, location_check("file:///etc/passwd", true, err));
    expect_error(FIRN_INVALID, location_check("", true, err));
}

static void expect_resolved(const char *base, const char *reference, const char *expected)
{
    auto_free char *url = NULL;
    expect_ok(location_resolve(base, reference, &url, err));
    if (url != NULL)
        expect_text(url, expected);
}

static void test_resolve(void)
{
    expect_resolved("https://h:5000/v2/a/uploads/", "/v2/a/uploads/7?s=1",
                    "https://h:5000/v2/a/uploads/7?s=1");
    expect_resolved("https://h/v2/x?n=1", "https://s.example/y", "https://s.example/y");
    expect_resolved("https://h/v2/x", "?last=b", "https://h/v2/x?last=b");
    char *url = NULL;
    expect_error(FIRN_INVALID, location_resolve("https://h/", "https://", &url, err));
}

static void test_query(void)
{
    auto_buf struct buf url = buf_new(1000);
    buf_puts(&url, "https://h/token");
    location_add_query(&url, "service", "a b&c=d");
    location_add_query(&url, "scope", "repository:a/b:pull,push");
    expect_text(buf_text(&url),
                "https://h/token?service=a%20b%26c%3Dd&scope=repository%3Aa%2Fb%3Apull%2Cpush");
}

static const struct unit_test tests[] = {
    {"same origin", test_same_origin},
    {"check", test_check},
    {"resolve", test_resolve},
    {"query", test_query},
};

int main(void)
{
    return unit_run("imagestream location", tests, array_length(tests));
}
