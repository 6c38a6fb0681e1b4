/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer against the signatures that Amazon publishes: the Signature Version 4 test suite, and the examples of "Authenticating
 * Requests: Using the Authorization Header" of the S3 API reference. A signature is right or wrong as a whole.
 */
#include "store/sigv4.h"

#include "core/buf.h"
#include "unit/unit.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct vector {
    const char *name;
    const char *method;
    const char *path;
    struct sigv4_parameter parameters[4];
    struct firn_header headers[8];
    const char *body;
    const char *names; /* that are signed */
    const char *signature;
};

static size_t count_parameters(const struct vector *vector)
{
    size_t count = 0;
    while (vector->parameters[count].name != NULL)
        count++;
    return count;
}

static size_t count_headers(const struct vector *vector)
{
    size_t count = 0;
    while (vector->headers[count].name != NULL)
        count++;
    return count;
}

static void check(const struct vector *vector, const struct sigv4_scope *scope, const char *time)
{
    auto_buf struct buf query = buf_new(1000);
    auto_buf struct buf out = buf_new(1000);
    char payload[SIGV4_HASH_LENGTH];
    const char *body = vector->body == NULL ? "" : vector->body;
    sigv4_query(&query, vector->parameters, count_parameters(vector));
    expect_ok(sigv4_hash(body, strlen(body), payload, err));
    struct sigv4_request request = {
        .method = vector->method,
        .path = vector->path,
        .query = buf_text(&query),
        .headers = vector->headers,
        .header_count = count_headers(vector),
        .payload = payload,
    };
    expect_ok(sigv4_authorization(scope, &request, time, &out, err));
    auto_free char *wanted = mem_printf("AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, "
                                        "SignedHeaders=%s, Signature=%s",
                                        scope->access_key, time, scope->region, scope->service,
                                        vector->names, vector->signature);
    if (strcmp(buf_text(&out), wanted) != 0)
        printf("\n    %s:\n    got    %s\n    wanted %s", vector->name, buf_text(&out), wanted);
    CU_ASSERT_STRING_EQUAL(buf_text(&out), wanted);
}

#define SUITE_HEADERS                                                                              \
    {"Host", "example.amazonaws.com"},                                                             \
    {                                                                                              \
        "X-Amz-Date", "20150830T123600Z"                                                           \
    }

static void test_suite(void)
{
    static const struct sigv4_scope scope = {
        "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"};
    static const struct vector vectors[] = {
        {"get-vanilla",
         "GET",
         "/",
         {{NULL, NULL}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"get-vanilla-empty-query-key",
         "GET",
         "/",
         {{"Param1", "value1"}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        {"get-vanilla-query-order-key-case",
         "GET",
         "/",
         {{"Param2", "value2"}, {"Param1", "value1"}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"get-vanilla-query-order-value",
         "GET",
         "/",
         {{"Param1", "value2"}, {"Param1", "value1"}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
        {"get-utf8",
         "GET",
         "/%E1%88%B4",
         {{NULL, NULL}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        {"get-vanilla-utf8-query",
         "GET",
         "/",
         {{"\xe1\x88\xb4", "bar"}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
        {"get-header-value-trim",
         "GET",
         "/",
         {{NULL, NULL}},
         {SUITE_HEADERS, {"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
         NULL,
         "host;my-header1;my-header2;x-amz-date",
         "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        {"post-vanilla",
         "POST",
         "/",
         {{NULL, NULL}},
         {SUITE_HEADERS},
         NULL,
         "host;x-amz-date",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"post-header-key-sort",
         "POST",
         "/",
         {{NULL, NULL}},
         {SUITE_HEADERS, {"My-Header1", "value1"}},
         NULL,
         "host;my-header1;x-amz-date",
         "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
        {"post-x-www-form-urlencoded",
         "POST",
         "/",
         {{NULL, NULL}},
         {SUITE_HEADERS, {"Content-Type", "application/x-www-form-urlencoded"}},
         "Param1=value1",
         "content-type;host;x-amz-date",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    };
    for (size_t i = 0; i < array_length(vectors); i++)
        check(&vectors[i], &scope, "20150830T123600Z");
}

#define S3_HEADERS                                                                                 \
    {"Host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY},                   \
    {                                                                                              \
        "x-amz-date", "20130524T000000Z"                                                           \
    }

static void s3_examples(void)
{
    static const struct sigv4_scope scope = {
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"};
    static const struct vector vectors[] = {
        {"GET object",
         "GET",
         "/test.txt",
         {{NULL, NULL}},
         {S3_HEADERS, {"Range", "bytes=0-9"}},
         NULL,
         "host;range;x-amz-content-sha256;x-amz-date",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT object",
         "PUT",
         "/test%24file.text",
         {{NULL, NULL}},
         {{"Host", "examplebucket.s3.amazonaws.com"},
          {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
          {"x-amz-content-sha256",
           "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
          {"x-amz-date", "20130524T000000Z"},
          {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
         "Welcome to Amazon S3.",
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET bucket lifecycle",
         "GET",
         "/",
         {{"lifecycle", ""}},
         {S3_HEADERS},
         NULL,
         "host;x-amz-content-sha256;x-amz-date",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"GET bucket",
         "GET",
         "/",
         {{"prefix", "J"}, {"max-keys", "2"}},
         {S3_HEADERS},
         NULL,
         "host;x-amz-content-sha256;x-amz-date",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };
    for (size_t i = 0; i < array_length(vectors); i++)
        check(&vectors[i], &scope, "20130524T000000Z");
}

/* Names that begin alike, in which '-', '.' and '%' would sort wrongly with '=' between name and value. */
static void query_order(void)
{
    static const struct sigv4_parameter parameters[] = {{"a", "2"},  {"a-b", "1"},     {"a", "10"},
                                                        {"a.b", ""}, {"a b", "c d/e"}, {"A", "z"}};
    auto_buf struct buf query = buf_new(200);
    sigv4_query(&query, parameters, array_length(parameters));
    CU_ASSERT_STRING_EQUAL(buf_text(&query), "A=z&a=10&a=2&a%20b=c%20d%2Fe&a-b=1&a.b=");
}

static void header_order(void)
{
    static const struct sigv4_scope scope = {"k", "s", "r", "s3"};
    struct firn_header headers[] = {{"x-amz-date-b", "1"}, {"X-Amz-Date", "2"}, {"host", "h"}};
    struct sigv4_request request = {"GET", "/", "", headers, 3, EMPTY};
    auto_buf struct buf out = buf_new(1000);
    expect_ok(sigv4_authorization(&scope, &request, "20130524T000000Z", &out, err));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&out), "SignedHeaders=host;x-amz-date;x-amz-date-b, "));
}

static void times(void)
{
    char text[SIGV4_TIME_LENGTH];
    sigv4_time(INT64_C(1440938160999), text);
    CU_ASSERT_STRING_EQUAL(text, "20150830T123600Z");
    sigv4_time(0, text);
    CU_ASSERT_STRING_EQUAL(text, "19700101T000000Z");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"vectors of the test suite", test_suite},
        {"examples of S3", s3_examples},
        {"order of parameters", query_order},
        {"order of headers", header_order},
        {"times", times},
    };
    return unit_run("store/sigv4", tests, array_length(tests));
}
