/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a cluster is and who we are there: kubeconfig files alone and merged, the ServiceAccount of a pod, the answers of exec
 * credential plugins.
 */
#include "kube/config.h"
#include "kube/exec.h"
#include "kube/incluster.h"
#include "kube/kubeconfig.h"

#include "core/buf.h"
#include "core/file.h"
#include "core/json.h"
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

/* "-" stands for NULL. */
static const char *shown(const char *text)
{
    return text == NULL ? "-" : text;
}

/* ---------------------------------------------------------------------------------------------- one file */

#define LAB                                                                                        \
    "clusters: [{name: lab, cluster: {server: 'https://lab:6443/'}}]\n"                            \
    "users: [{name: me, user: {token: t}}]\n"                                                      \
    "contexts: [{name: one, context: {cluster: lab, user: me, namespace: home}},"                  \
    " {name: two, context: {cluster: lab, user: ''}}]\n"

static void contexts(void)
{
    static const struct {
        const char *text;
        struct kube_options options;
        const char *server, *namespace, *token;
    } good[] = {
        {LAB "current-context: one", {0}, "https://lab:6443", "home", "t"},
        {LAB "current-context: two", {0}, "https://lab:6443", "default", "-"},
        {LAB, {.context = "one"}, "https://lab:6443", "home", "t"},
        {LAB "current-context: two", {.context = "one"}, "https://lab:6443", "home", "t"},
        {LAB "current-context: one", {.namespace = "other"}, "https://lab:6443", "other", "t"},
        {LAB "current-context: one\nkind: Config\napiVersion: v1\npreferences: {colors: true}",
         {0},
         "https://lab:6443",
         "home",
         "t"},
        {"{\"clusters\":[{\"name\":\"a\",\"cluster\":{\"server\":\"http://x\"}}],\"users\":null,"
         "\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"a\"}}],"
         "\"current-context\":\"c\"}",
         {0},
         "http://x",
         "default",
         "-"},
    };
    for (size_t i = 0; i < array_length(good); i++) {
        auto_kube_config struct kube_config *config = NULL;
        expect_ok(kube_config_parse(good[i].text, "/f", &good[i].options, &config, err));
        if (config == NULL)
            continue;
        expect_text(config->server, good[i].server);
        expect_text(config->namespace, good[i].namespace);
        expect_text(shown(config->token), good[i].token);
    }
}

#define USER(user)                                                                                 \
    "clusters: [{name: lab, cluster: {server: s}}]\nusers: [{name: me, user: " user "}]\n"         \
    "contexts: [{name: one, context: {cluster: lab, user: me}}]\ncurrent-context: one\n"
#define CLUSTER(cluster)                                                                           \
    "clusters: [{name: lab, cluster: " cluster "}]\n"                                              \
    "contexts: [{name: one, context: {cluster: lab, user: ''}}]\ncurrent-context: one\n"

static void wrong_files(void)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "no current-context"},
        {"- a", "no kubeconfig"},
        {"kind: Pod", "kind is Pod"},
        {"clusters: {a: b}", "clusters is no list"},
        {"clusters: [{cluster: {}}]", "name"},
        {"users: [{name: a, user: 7}]", "user a is no object"},
        {LAB "current-context: three", "there is no context three (there is: one, two)"},
        {"contexts: [{name: c, context: {cluster: x}}]\ncurrent-context: c", "no cluster x"},
        {"contexts: [{name: c}]\ncurrent-context: c", "there is no cluster"},
        {LAB "current-context: four\n---\n", "there is no context four"},
        {CLUSTER("{}"), "has no server"},
        {CLUSTER("{server: s, certificate-authority-data: '!'}"), "is no Base64"},
        {CLUSTER("{server: s, certificate-authority: ca, insecure-skip-tls-verify: true}"),
         "remove one of them"},
        {USER("{client-certificate: c}"), "has a client certificate, but no client-key"},
        {USER("{client-key-data: YQ==}"), "has a client key, but no client-certificate"},
        {USER("{auth-provider: {name: gcp}}"), "use an exec credential plugin"},
        {USER("{token: t, exec: {command: c}}"), "remove one of them"},
        {"a: [", "line"},
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        struct kube_config *config = NULL;
        auto_error struct firn_error *err = NULL;
        CU_ASSERT_EQUAL(kube_config_parse(bad[i].text, "/f", NULL, &config, &err), -1);
        CU_ASSERT_EQUAL(error_code(err), FIRN_INVALID);
        if (strstr(error_message(err), bad[i].part) == NULL) {
            printf("\n    \"%s\" has no \"%s\"", error_message(err), bad[i].part);
            CU_FAIL("message");
        }
    }
}

static void members(void)
{
    auto_kube_config struct kube_config *config = NULL;
    static const char text[] =
        "clusters:\n"
        "- name: lab\n"
        "  cluster:\n"
        "    server: https://lab\n"
        "    certificate-authority: pki/ca.crt\n"
        "    tls-server-name: api\n"
        "    proxy-url: socks5://p:1080\n"
        "    extensions:\n"
        "    - {name: other, extension: {a: 1}}\n"
        "    - {name: client.authentication.k8s.io/exec, extension: {audience: x}}\n"
        "users:\n"
        "- name: me\n"
        "  user: {client-certificate-data: Y2VydA==, client-key: /abs/key, tokenFile: token,\n"
        "         username: u, password: p, as: someone, as-groups: [g, h]}\n"
        "contexts: [{name: one, context: {cluster: lab, user: me}}]\n"
        "current-context: one\n";
    expect_ok(kube_config_parse(text, "/folder", NULL, &config, err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    expect_text(config->source, "context one of kubeconfig");
    expect_text(config->ca_file, "/folder/pki/ca.crt");
    expect_text(config->server_name, "api");
    expect_text(config->proxy, "socks5://p:1080");
    expect_text(config->certificate, "cert");
    expect_text(config->key_file, "/abs/key");
    expect_text(config->token_file, "/folder/token");
    expect_text(config->username, "u");
    expect_text(config->password, "p");
    expect_text(config->impersonate, "someone");
    CU_ASSERT_EQUAL(json_object_array_length(config->impersonate_groups), 2);
    expect_text(json_string_or(config->exec_config, "audience", ""), "x");
    CU_ASSERT_FALSE(config->unverified);
}

/* ---------------------------------------------------------------------------------------------- several */

static void merge(void)
{
    static const char *const files[] = {
        "current-context: ''\nusers: [{name: red, user: {token: first}}]",
        "current-context: c\nusers: [{name: red, user: {token: second, username: u}},"
        " {name: blue, user: {token: blue}}]\n"
        "contexts: [{name: c, context: {cluster: k, user: red}}]",
        "current-context: d\nclusters: [{name: k, cluster: {server: https://k, "
        "certificate-authority: ca}}]\n"
        "contexts: [{name: c, context: {cluster: nowhere}}, {name: d, context: {cluster: k, user: "
        "blue}}]",
    };
    static const struct {
        struct kube_options options;
        const char *token, *username;
    } wanted[] = {
        {{0},
         "first",
         "-"}, /* the first red-user counts, whole: the second's user name is not mixed in */
        {{.context = "d"}, "blue", "-"},
    };
    struct kubeconfig *all = kubeconfig_new();
    static const char *const folders[] = {"/a", "/b", "/c"};
    for (size_t i = 0; i < array_length(files); i++)
        expect_ok(kubeconfig_add(all, files[i], strlen(files[i]), "file", folders[i], err));
    for (size_t i = 0; i < array_length(wanted); i++) {
        auto_kube_config struct kube_config *config = NULL;
        expect_ok(kubeconfig_resolve(all, &wanted[i].options, &config, err));
        CU_ASSERT_PTR_NOT_NULL_FATAL(config);
        expect_text(shown(config->token), wanted[i].token);
        expect_text(shown(config->username), wanted[i].username);
        expect_text(config->server, "https://k");
        expect_text(config->ca_file, "/c/ca"); /* relative to the file that it stands in */
    }
    kubeconfig_free(all);
}

/* ---------------------------------------------------------------------------------------------- the environment */

static char folder[] = "/tmp/firn-kube.XXXXXX";

static char *write_file(const char *name, const char *text)
{
    char *path = file_join(folder, name);
    expect_ok(file_write(path, text, strlen(text), 0600, err));
    return path;
}

static const char *load_source(const struct kube_options *options)
{
    static char text[500];
    auto_kube_config struct kube_config *config = NULL;
    auto_error struct firn_error *err = NULL;
    int result = kube_config_load(options, &config, &err);
    snprintf(text, sizeof(text), "%s",
             result < 0 ? error_code_name(error_code(err)) : config->token);
    return text;
}

#define TOKEN(token)                                                                               \
    "current-context: c\nclusters: [{name: k, cluster: {server: https://k}}]\n"                    \
    "users: [{name: u, user: {token: " token "}}]\n"                                               \
    "contexts: [{name: c, context: {cluster: k, user: u}}]\n"

static void places(void)
{
    auto_free char *home_folder = file_join(folder, ".kube");
    auto_free char *option = write_file("option", TOKEN("option"));
    auto_free char *first = write_file("first", TOKEN("first"));
    auto_free char *second = write_file("second", TOKEN("second"));
    auto_free char *broken = write_file("broken", "clusters: 7");
    auto_free char *list = mem_printf(":%s/absent::%s:%s", folder, first, second);
    auto_free char *missing = mem_printf("%s/absent", folder);
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBECONFIG");
    setenv("HOME", folder, 1);
    expect_text(load_source(NULL), "NOTFOUND");
    mkdir(home_folder, 0700);
    auto_free char *home = write_file(".kube/config", TOKEN("home"));
    expect_text(load_source(NULL), "home");
    setenv("KUBECONFIG", list, 1);
    expect_text(load_source(NULL), "first");
    expect_text(load_source(&(struct kube_options){.kubeconfig = option}), "option");
    expect_text(load_source(&(struct kube_options){.kubeconfig = missing}), "NOTFOUND");
    setenv("KUBECONFIG", broken, 1);
    expect_text(load_source(NULL), "INVALID");
    setenv("KUBECONFIG", missing, 1); /* a list of nothing is not the home's file */
    expect_text(load_source(NULL), "INVALID");
    unsetenv("KUBECONFIG");
    unlink(home);
}

static void pod(void)
{
    auto_kube_config struct kube_config *config = NULL;
    auto_kube_config struct kube_config *bare = NULL;
    auto_free char *token = write_file("token", "secret");
    auto_free char *ca = write_file("ca.crt", "PEM");
    unsetenv("KUBERNETES_SERVICE_HOST");
    CU_ASSERT_FALSE(incluster_present(folder));
    expect_error(FIRN_NOTFOUND, incluster_load(folder, &config, err));
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    CU_ASSERT_TRUE(incluster_present(folder));
    expect_ok(incluster_load(folder, &bare, err));
    expect_text(bare->namespace, "default");
    auto_free char *name_space = write_file("namespace", "backup\n");
    CU_ASSERT_PTR_NOT_NULL(name_space);
    expect_ok(incluster_load(folder, &config, err));
    expect_text(config->server, "https://[fd00::1]:443");
    expect_text(config->namespace, "backup");
    expect_text(config->token_file, token);
    expect_text(config->ca_file, ca);
    unsetenv("KUBERNETES_SERVICE_HOST");
}

/* ---------------------------------------------------------------------------------------------- exec plugins */

#define V1     "client.authentication.k8s.io/v1"
#define ANSWER "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"

static void exec_answers(void)
{
    static const struct {
        const char *text, *token, *certificate;
        int64_t expires;
    } good[] = {
        {ANSWER "{\"token\":\"t\"}}", "t", "-", 0},
        {ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"1970-01-01T00:00:01Z\"}}\n", "t", "-",
         1000},
        {ANSWER "{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"},\"spec\":{}}", "-", "c",
         0},
    };
    static const char *const bad[] = {
        "",
        "token",
        "{}",
        ANSWER "{}}",
        ANSWER "null}",
        ANSWER "{\"token\":\"\"}}",
        ANSWER "{\"clientKeyData\":\"k\"}}",
        ANSWER "{\"token\":\"t\",\"clientCertificateData\":\"c\"}}",
        ANSWER "{\"token\":\"t\",\"expirationTimestamp\":\"soon\"}}",
        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "beta1\",\"status\":{\"token\":\"t\"}}",
        "{\"kind\":\"Other\",\"apiVersion\":\"" V1 "\",\"status\":{\"token\":\"t\"}}",
    };
    for (size_t i = 0; i < array_length(good); i++) {
        struct exec_credential credential = {0};
        expect_ok(exec_credential_parse(good[i].text, strlen(good[i].text), V1, &credential, err));
        expect_text(shown(credential.token), good[i].token);
        expect_text(shown(credential.certificate), good[i].certificate);
        CU_ASSERT_EQUAL(credential.expires, good[i].expires);
        exec_credential_free(&credential);
    }
    for (size_t i = 0; i < array_length(bad); i++) {
        struct exec_credential credential = {0};
        expect_error(FIRN_INVALID,
                     exec_credential_parse(bad[i], strlen(bad[i]), V1, &credential, err));
    }
}

static const char *run_plugin(const char *exec)
{
    static char text[600];
    auto_kube_config struct kube_config *config = NULL;
    auto_error struct firn_error *err = NULL;
    struct exec_credential credential = {0};
    auto_free char *file = mem_printf(
        "clusters: [{name: lab, cluster: {server: https://s, certificate-authority-data: Q0E=}}]\n"
        "users: [{name: me, user: {exec: %s}}]\n"
        "contexts: [{name: one, context: {cluster: lab, user: me}}]\ncurrent-context: one\n",
        exec);
    expect_ok(kube_config_parse(file, folder, NULL, &config, err));
    if (exec_credential_get(config, &credential, &err) < 0)
        snprintf(text, sizeof(text), "%s %s", error_code_name(error_code(err)), error_message(err));
    else
        snprintf(text, sizeof(text), "%s", shown(credential.token));
    exec_credential_free(&credential);
    return text;
}

#define EXEC(rest) "{apiVersion: " V1 ", interactiveMode: Never, " rest "}"

static void exec_plugins(void)
{
    static const char plugin[] =
        "#!/bin/sh\n"
        "[ -z \"$FAIL\" ] || exit \"$FAIL\"\n"
        "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\",\"status\":{\"token\":\"%s\"}}'"
        " \"$1\" \"$2 $SET $(printf %s \"$KUBERNETES_EXEC_INFO\" | tr -d '\"{}' | cut -c "
        "1-200)\"\n";
    auto_free char *path = write_file("plugin", plugin);
    chmod(path, 0700);
    setenv("SET", "of the environment", 1);
    static const struct {
        const char *exec, *part;
    } cases[] = {
        {EXEC("command: ./plugin, args: [" V1 ", arg]"),
         "arg of the environment kind:ExecCredential,apiVersion:" V1 ",spec:interactive:false"},
        {EXEC("command: ./plugin, args: [" V1 ", b], env: [{name: SET, value: over}]"), "b over"},
        {EXEC("command: ./plugin, args: [" V1 ", c], provideClusterInfo: true"),
         "spec:cluster:server:https://s,certificate-authority-data:Q0E=,interactive:false"},
        {"{apiVersion: " V1 "beta1, command: ./plugin, args: [" V1 "beta1, d]}", "d of the"},
        {EXEC("command: ./plugin, args: [" V1 "], env: [{name: FAIL, value: '3'}]"),
         "DENIED credential plugin ./plugin: it ended with exit code 3"},
        {EXEC("command: ./none, installHint: 'get it'"),
         "NOTFOUND credential plugin ./none (get it)"},
        {EXEC("command: ./plugin, args: [other]"),
         "INVALID credential plugin ./plugin: it answered"},
        {EXEC("command: ''"), "has no command"},
        {"{apiVersion: " V1 ", command: ./plugin}", "interactiveMode is \"\""},
        {"{apiVersion: " V1 ", command: ./plugin, interactiveMode: Always}", "no terminal"},
        {"{apiVersion: v2, command: ./plugin}", "apiVersion is \"v2\""},
        {EXEC("command: sh, args: [-c, 'kill -9 $$']"), "ended by signal 9"},
        {EXEC("command: sh, args: [-c, 'yes | head -c 3000000']"), "INVALID"},
    };
    int input = dup(STDIN_FILENO);
    CU_ASSERT_PTR_NOT_NULL(freopen("/dev/null", "r", stdin));
    for (size_t i = 0; i < array_length(cases); i++) {
        const char *got = run_plugin(cases[i].exec);
        if (strstr(got, cases[i].part) == NULL) {
            printf("\n    \"%s\" has no \"%s\"", got, cases[i].part);
            CU_FAIL("plugin");
        }
    }
    dup2(input, STDIN_FILENO);
    close(input);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"contexts", contexts},
        {"what is wrong is said", wrong_files},
        {"every member", members},
        {"several files", merge},
        {"where files are looked for", places},
        {"in a pod", pod},
        {"answers of exec plugins", exec_answers},
        {"exec plugins", exec_plugins},
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    int result = unit_run("kube-config", tests, array_length(tests));
    auto_free char *command = mem_printf("rm -r %s", folder);
    return system(command) == 0 ? result : 1;
}
