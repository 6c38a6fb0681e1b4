/* SPDX-License-Identifier: Apache-2.0 */
#include "imagestream/manifest.h"
#include "unit/unit.h"

#define OCI_IMAGE    "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_IMAGE "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST  "application/vnd.docker.distribution.manifest.list.v2+json"
#define SCHEMA1      "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define HEX          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST       "\"digest\":\"sha256:" HEX "\""
#define BLOB         "{\"mediaType\":\"application/x\"," DIGEST ",\"size\":7}"

static int parse(const char *text, const char *type, struct manifest *out, struct firn_error **err)
{
    return manifest_parse(text, strlen(text), type, out, err);
}

static void test_image(void)
{
    auto_manifest struct manifest manifest = {0};
    expect_ok(parse("{\"schemaVersion\":2,\"config\":" BLOB ",\"layers\":[" BLOB
                    ",{\"mediaType\":\"application/y\"," DIGEST
                    ",\"size\":0,\"urls\":[\"https://x/\"]}],\"subject\":" BLOB "}",
                    OCI_IMAGE, &manifest, err));
    CU_ASSERT_FALSE(manifest.index);
    expect_text(manifest.media_type, OCI_IMAGE);
    CU_ASSERT_EQUAL_FATAL(manifest.blob_count, 3);
    CU_ASSERT_EQUAL(manifest.blobs[0].size, 7);
    CU_ASSERT_FALSE(manifest.blobs[1].foreign);
    CU_ASSERT(manifest.blobs[2].foreign);
    expect_text(manifest.subject, "sha256:" HEX);
}

static void test_index(void)
{
    auto_manifest struct manifest manifest = {0};
    expect_ok(
        parse("{\"manifests\":[{\"mediaType\":\"" DOCKER_IMAGE "\"," DIGEST
              ",\"size\":9,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":"
              "\"v8\"}}," BLOB "]}",
              DOCKER_LIST, &manifest, err));
    CU_ASSERT(manifest.index);
    CU_ASSERT_EQUAL_FATAL(manifest.child_count, 1);
    expect_text(manifest.children[0].platform, "linux/arm64/v8");
    /* What is no manifest in an index, as in a build cache, is a blob. */
    CU_ASSERT_EQUAL(manifest.blob_count, 1);
}

static void test_untold_type(void)
{
    auto_manifest struct manifest image = {0};
    auto_manifest struct manifest index = {0};
    expect_ok(parse("{\"config\":" BLOB ",\"layers\":[]}", "text/plain", &image, err));
    expect_text(image.media_type, OCI_IMAGE);
    expect_ok(parse("{\"manifests\":[]}", NULL, &index, err));
    expect_text(index.media_type, OCI_INDEX);
}

static void test_schema1(void)
{
    static const char *const old[] = {"{\"schemaVersion\":1}",
                                      "{\"schemaVersion\":2,\"mediaType\":\"" SCHEMA1 "\"}"};
    for (size_t i = 0; i < array_length(old); i++) {
        struct manifest manifest;
        struct firn_error *err = NULL;
        CU_ASSERT_EQUAL(parse(old[i], NULL, &manifest, &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(error_message(err), "schema-1"));
        error_clear(&err);
    }
    struct manifest manifest;
    expect_error(FIRN_INVALID, parse("{}", SCHEMA1, &manifest, err));
}

static void test_refused(void)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"mediaType\":\"application/unknown\"}",
        "{\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[]}", /* served as an image */
        "{\"config\":" BLOB ",\"layers\":[],\"manifests\":[]}",
        "{\"config\":" BLOB "}",
        "{\"layers\":[]}",
        "{\"config\":" BLOB ",\"layers\":{}}",
        "{\"config\":" BLOB ",\"layers\":[7]}",
        "{\"config\":" BLOB ",\"layers\":[{" DIGEST ",\"size\":1}]}",
        "{\"config\":" BLOB ",\"layers\":[{\"mediaType\":\"a/b\"," DIGEST ",\"size\":-1}]}",
        "{\"config\":" BLOB ",\"layers\":[{\"mediaType\":\"a/b\"," DIGEST
        ",\"size\":9223372036854775808}]}",
        "{\"config\":" BLOB ",\"layers\":[{\"mediaType\":\"a b\\n\"," DIGEST ",\"size\":1}]}",
        "{\"config\":" BLOB
        ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"sha256:../..\",\"size\":1}]}",
        "{\"config\":" BLOB ",\"layers\":[],\"subject\":{\"digest\":\"x\"}}",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct manifest manifest;
        expect_error(FIRN_INVALID, parse(wrong[i], OCI_IMAGE, &manifest, err));
        CU_ASSERT_PTR_NULL(manifest.blobs);
    }
}

static void test_too_long(void)
{
    struct manifest manifest;
    char *text = mem_alloc(MANIFEST_LIMIT + 1);
    memset(text, ' ', MANIFEST_LIMIT + 1);
    expect_error(FIRN_INVALID, manifest_parse(text, MANIFEST_LIMIT + 1, OCI_IMAGE, &manifest, err));
    free(text);
}

static const struct unit_test tests[] = {
    {"image", test_image},      {"index", test_index},     {"untold type", test_untold_type},
    {"schema 1", test_schema1}, {"refused", test_refused}, {"too long", test_too_long},
};

int main(void)
{
    return unit_run("imagestream manifest", tests, array_length(tests));
}
