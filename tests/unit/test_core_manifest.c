/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: what goes, what stays, what is skipped, and what differs. */
#include "unit/unit.h"

#include "core/buf.h"
#include "core/json.h"
#include "core/manifest.h"

static struct json_object *parse(const char *text)
{
    struct json_object *value = NULL;
    expect_ok(json_parse(text, strlen(text), "test", &value, err));
    return value;
}

static void expect_cleaned(const char *given, const char *wanted)
{
    auto_json struct json_object *object = parse(given);
    manifest_clean(object);
    auto_buf struct buf out = buf_new(65536);
    json_write(&out, object);
    expect_text(out.data, wanted);
}

static void test_metadata(void)
{
    expect_cleaned(
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\","
        "\"uid\":\"1\","
        "\"resourceVersion\":\"7\",\"generation\":3,\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
        "\"managedFields\":[{}],"
        "\"labels\":{\"app\":\"web\"},\"annotations\":{\"deployment.kubernetes.io/"
        "revision\":\"4\",\"team\":\"blue\","
        "\"kubectl.kubernetes.io/"
        "last-applied-configuration\":\"{}\"}},\"spec\":{\"replicas\":2,\"template\":{\"metadata\":"
        "{\"creationTimestamp\":null,\"labels\":{\"app\":\"web\"}},\"x-unknown\":9007199254740993}}"
        ",\"status\":{\"replicas\":2}}",
        "{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\","
        "\"labels\":{\"app\":\"web\"},\"annotations\":{\"team\":\"blue\"}},\"spec\":{\"replicas\":"
        "2,\"template\":{\"metadata\":"
        "{\"labels\":{\"app\":\"web\"}},\"x-unknown\":9007199254740993}}}");
    expect_cleaned("{\"kind\":\"Pod\",\"metadata\":{\"annotations\":{\"openshift.io/"
                   "sa.scc.mcs\":\"s0\"},\"labels\":{}}}",
                   "{\"kind\":\"Pod\",\"metadata\":{}}");
}

static void test_assigned(void)
{
    expect_cleaned("{\"kind\":\"Service\",\"metadata\":{},\"spec\":{\"clusterIP\":\"10.0.0.7\","
                   "\"clusterIPs\":[\"10.0.0.7\"],"
                   "\"ports\":[{\"port\":80,\"nodePort\":30080}]}}",
                   "{\"kind\":\"Service\",\"metadata\":{},\"spec\":{\"ports\":[{\"port\":80,"
                   "\"nodePort\":30080}]}}");
    expect_cleaned("{\"kind\":\"Service\",\"spec\":{\"clusterIP\":\"None\"}}",
                   "{\"kind\":\"Service\",\"spec\":{\"clusterIP\":\"None\"}}");
    expect_cleaned("{\"kind\":\"PersistentVolumeClaim\",\"spec\":{\"volumeName\":\"pvc-1\","
                   "\"volumeMode\":\"Block\"}}",
                   "{\"kind\":\"PersistentVolumeClaim\",\"spec\":{\"volumeMode\":\"Block\"}}");
    expect_cleaned(
        "{\"kind\":\"Job\",\"spec\":{\"selector\":{},\"template\":{\"metadata\":{\"labels\":{"
        "\"controller-uid\":\"1\","
        "\"a\":\"b\"}}}}}",
        "{\"kind\":\"Job\",\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}}}}");
    expect_cleaned(
        "{\"kind\":\"Job\",\"spec\":{\"manualSelector\":true,\"selector\":{\"a\":\"b\"}}}",
        "{\"kind\":\"Job\",\"spec\":{\"manualSelector\":true,\"selector\":{\"a\":\"b\"}}}");
    expect_cleaned("{\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"ci\"},\"secrets\":[{"
                   "\"name\":\"ci-token-x7k2p\"},"
                   "{\"name\":\"mine\"}],\"imagePullSecrets\":[{\"name\":\"ci-dockercfg-9f4zq\"}]}",
                   "{\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"ci\"},\"secrets\":[{"
                   "\"name\":\"mine\"}]}");
    /* What is not as expected stays. */
    expect_cleaned("{\"kind\":\"Service\",\"metadata\":3,\"spec\":[]}",
                   "{\"kind\":\"Service\",\"metadata\":3,\"spec\":[]}");
}

static void expect_skipped(const char *text, const char *why)
{
    auto_json struct json_object *object = parse(text);
    auto_buf struct buf scratch = buf_new(1024);
    const char *got = manifest_skipped(object, &scratch);
    expect_text(got != NULL ? got : "captured", why != NULL ? why : "captured");
}

static void test_skipped(void)
{
    expect_skipped("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"ownerReferences\":[{\"kind\":"
                   "\"X\",\"name\":\"x\"},"
                   "{\"kind\":\"ReplicaSet\",\"name\":\"web-5d8f\",\"controller\":true}]}}",
                   "controlled by ReplicaSet web-5d8f");
    expect_skipped(
        "{\"kind\":\"Pod\",\"metadata\":{\"ownerReferences\":[{\"kind\":\"X\",\"name\":\"x\"}]}}",
        NULL);
    expect_skipped("{\"kind\":\"Event\",\"metadata\":{\"name\":\"a\"}}",
                   "the cluster makes it anew");
    expect_skipped("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"kube-root-ca.crt\"}}",
                   "each namespace has it");
    expect_skipped("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"settings\"}}", NULL);
    expect_skipped("{\"kind\":\"Secret\",\"metadata\":{\"annotations\":{\"kubernetes.io/"
                   "service-account.name\":\"ci\"}}}",
                   "a token of this cluster");
    expect_skipped("{\"kind\":\"Secret\",\"metadata\":{\"name\":\"tls\"}}", NULL);
}

static void expect_diff(const char *first, const char *second, unsigned lines, const char *wanted)
{
    auto_json struct json_object *a = first != NULL ? parse(first) : NULL;
    auto_json struct json_object *b = second != NULL ? parse(second) : NULL;
    auto_buf struct buf out = buf_new(65536);
    CU_ASSERT_EQUAL(manifest_diff(a, b, &out), lines);
    expect_text(out.data != NULL ? out.data : "", wanted);
}

static void test_diff(void)
{
    expect_diff("{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", 0, "");
    expect_diff("{\"spec\":{\"replicas\":2,\"image\":\"a\"}}",
                "{\"spec\":{\"paused\":true,\"image\":\"b\"}}", 3,
                "~ spec.image: \"a\" → \"b\"\n+ spec.paused: true\n- spec.replicas: 2\n");
    expect_diff("{\"c\":[{\"name\":\"x\",\"v\":1},{\"name\":\"y\"}]}",
                "{\"c\":[{\"name\":\"z\"},{\"name\":\"x\",\"v\":2}]}", 3,
                "~ c[x].v: 1 → 2\n- c[y]: {\"name\":\"y\"}\n+ c[z]: {\"name\":\"z\"}\n");
    expect_diff("{\"c\":[1,2]}", "{\"c\":[1,3,4]}", 2, "~ c[1]: 2 → 3\n+ c[2]: 4\n");
    expect_diff("{\"kind\":\"Secret\",\"data\":{\"p\":\"QQ==\"}}",
                "{\"kind\":\"Secret\",\"data\":{\"p\":\"Qg==\"}}", 1,
                "~ data.p: (hidden) → (hidden)\n");
    expect_diff(NULL, "{\"a\":1}", 1, "+ (all): {\"a\":1}\n");
    expect_diff("{\"a\":{\"b\":1}}", "{\"a\":[1]}", 1, "~ a: {\"b\":1} → [1]\n");
}

static const struct unit_test tests[] = {
    {"metadata", test_metadata},
    {"what is assigned", test_assigned},
    {"what is skipped", test_skipped},
    {"differences", test_diff},
};

int main(void)
{
    return unit_run("manifest", tests, array_length(tests));
}
