/* SPDX-License-Identifier: Apache-2.0 */
#include "imagestream/challenge.h"
#include "unit/unit.h"

static void test_bearer(void)
{
    auto_challenge struct challenge challenge = {0};
    challenge_read(
        "Bearer realm=\"https://h/token\",service=\"reg\",scope=\"repository:a/b:pull,push\"",
        &challenge);
    CU_ASSERT_EQUAL_FATAL(challenge.scheme, CHALLENGE_BEARER);
    expect_text(challenge.realm, "https://h/token");
    expect_text(challenge.service, "reg");
    expect_text(challenge.scope, "repository:a/b:pull,push");
    CU_ASSERT_PTR_NULL(challenge.error);
}

static void test_openshift(void)
{
    auto_challenge struct challenge challenge = {0};
    challenge_read("Basic realm=openshift,error=\"access denied\"", &challenge);
    CU_ASSERT_EQUAL_FATAL(challenge.scheme, CHALLENGE_BASIC);
    expect_text(challenge.realm, "openshift");
    expect_text(challenge.error, "access denied");
}

static void test_several(void)
{
    auto_challenge struct challenge challenge = {0};
    challenge_read("Negotiate, Basic realm=\"x\", bearer Realm = \"https://h/t\" , service=s",
                   &challenge);
    CU_ASSERT_EQUAL_FATAL(challenge.scheme, CHALLENGE_BEARER);
    expect_text(challenge.realm, "https://h/t");
    expect_text(challenge.service, "s");
    challenge_read("Basic realm=\"y\"", &challenge); /* another header: weaker */
    CU_ASSERT_EQUAL(challenge.scheme, CHALLENGE_BEARER);
}

static void test_quoting(void)
{
    auto_challenge struct challenge challenge = {0};
    challenge_read("Bearer realm=\"https://h/\\\"a\\\\,b\",realm=\"second\"", &challenge);
    CU_ASSERT_EQUAL_FATAL(challenge.scheme, CHALLENGE_BEARER);
    expect_text(challenge.realm, "https://h/\"a\\,b");
}

static void test_garbage(void)
{
    static const char *const garbage[] = {"",
                                          " , ,",
                                          "=",
                                          "\"\"\"",
                                          "Bearer",
                                          "Bearer service=\"without realm\"",
                                          "Digest realm=\"x\"",
                                          "Bearer realm"};
    for (size_t i = 0; i < array_length(garbage); i++) {
        auto_challenge struct challenge challenge = {0};
        challenge_read(garbage[i], &challenge);
        CU_ASSERT_EQUAL(challenge.scheme, CHALLENGE_NONE);
    }
    auto_challenge struct challenge open = {0};
    challenge_read("Bearer realm=\"never closed", &open);
    CU_ASSERT_EQUAL(open.scheme, CHALLENGE_BEARER);
}

static const struct unit_test tests[] = {
    {"bearer", test_bearer},   {"openshift", test_openshift}, {"several", test_several},
    {"quoting", test_quoting}, {"garbage", test_garbage},
};

int main(void)
{
    return unit_run("imagestream challenge", tests, array_length(tests));
}
