/* SPDX-License-Identifier: Apache-2.0 */
#include "imagestream/reference.h"
#include "unit/unit.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void expect_reference(const char *text, enum reference_kind kind, const char *host,
                             const char *path, const char *tag)
{
    auto_reference struct reference reference = {0};
    expect_ok(reference_parse(text, &reference, err));
    CU_ASSERT_EQUAL(reference.kind, kind);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reference.host);
    expect_text(reference.host, host);
    expect_text(reference.path, path);
    CU_ASSERT((tag == NULL) == (reference.tag == NULL));
    if (tag != NULL && reference.tag != NULL)
        expect_text(reference.tag, tag);
}

static void test_kinds(void)
{
    expect_reference("reg.example", REFERENCE_REGISTRY, "reg.example", "", NULL);
    expect_reference("reg.example:5000/", REFERENCE_REGISTRY, "reg.example:5000", "", NULL);
    expect_reference("reg.example:5000/ns", REFERENCE_NAMESPACE, "reg.example:5000", "ns", NULL);
    expect_reference("reg.example/a/b/", REFERENCE_NAMESPACE, "reg.example", "a/b", NULL);
    expect_reference("reg.example/ns/app", REFERENCE_REPOSITORY, "reg.example", "ns/app", NULL);
    expect_reference("[::1]:5000/ns/app:v1", REFERENCE_TAG, "[::1]:5000", "ns/app", "v1");
    expect_reference("reg.example/app:1.2_3-x", REFERENCE_TAG, "reg.example", "app", "1.2_3-x");
}

static void test_digest(void)
{
    auto_reference struct reference reference = {0};
    expect_ok(reference_parse("h/ns/app@sha256:" HEX, &reference, err));
    CU_ASSERT_EQUAL(reference.kind, REFERENCE_DIGEST);
    expect_text(reference.digest, "sha256:" HEX);
    reference_free(&reference);
    expect_ok(reference_parse("h/ns/app@sha512:" HEX HEX, &reference, err));
    expect_text(reference.path, "ns/app");
}

static void test_refused(void)
{
    static const char *const wrong[] = {
        "",
        "/ns/app",
        "-reg/ns/app",
        "reg:0/ns/app",
        "reg:65536/ns/app",
        "reg:5000x/ns/app",
        "reg/NS/app",
        "reg/ns//app",
        "reg/ns/../app",
        "reg/ns/app:",
        "reg/ns/app:.hidden",
        "reg/ns/app:a b",
        "reg/ns/app@sha256:12",
        "reg/ns/app@md5:" HEX,
        "reg/ns/app@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "reg/ns/app:v1@sha256:" HEX,
        "reg/:v1",
        "reg/@sha256:" HEX,
        "[::1/ns/app",
        "re g/ns/app",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        auto_reference struct reference reference = {0};
        expect_error(FIRN_INVALID, reference_parse(wrong[i], &reference, err));
        CU_ASSERT_PTR_NULL(reference.host);
    }
}

static void test_names(void)
{
    CU_ASSERT(reference_valid_name("a/b-c/d__e.f/0"));
    CU_ASSERT(reference_valid_name("a--b"));
    CU_ASSERT_FALSE(reference_valid_name("a___b"));
    CU_ASSERT_FALSE(reference_valid_name("a..b"));
    CU_ASSERT_FALSE(reference_valid_name("-a"));
    CU_ASSERT_FALSE(reference_valid_name("a/"));
    char longest[257];
    memset(longest, 'a', sizeof(longest));
    longest[256] = '\0';
    CU_ASSERT_FALSE(reference_valid_name(longest));
    longest[255] = '\0';
    CU_ASSERT(reference_valid_name(longest));
    longest[129] = '\0';
    CU_ASSERT_FALSE(reference_valid_tag(longest));
    longest[128] = '\0';
    CU_ASSERT(reference_valid_tag(longest));
}

static void test_loopback(void)
{
    CU_ASSERT(reference_is_loopback("localhost"));
    CU_ASSERT(reference_is_loopback("LOCALHOST:5000"));
    CU_ASSERT(reference_is_loopback("127.0.0.1:5000"));
    CU_ASSERT(reference_is_loopback("[::1]:5000"));
    CU_ASSERT_FALSE(reference_is_loopback("127.example.org"));
    CU_ASSERT_FALSE(reference_is_loopback("localhost.example.org"));
    CU_ASSERT_FALSE(reference_is_loopback("[::2]:5000"));
    CU_ASSERT_FALSE(reference_is_loopback("10.0.0.1"));
}

static const struct unit_test tests[] = {
    {"kinds", test_kinds}, {"digest", test_digest},     {"refused", test_refused},
    {"names", test_names}, {"loopback", test_loopback},
};

int main(void)
{
    return unit_run("imagestream reference", tests, array_length(tests));
}
