/* SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

#include "config.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LIMIT  (1u << 20)
#define WORDS_LIMIT   256u
#define PATIENCE      60000 /* ms, of a plugin that asks nobody */
#define POLL_INTERVAL 100
#define GROUP         "client.authentication.k8s.io/"

extern char **environ;

/* ---- the answer */

static void wipe(char **text)
{
    if (*text != NULL)
        OPENSSL_cleanse(*text, strlen(*text));
    free(steal(*text));
}

void exec_credential_free(struct exec_credential *credential)
{
    wipe(&credential->token);
    wipe(&credential->key);
    free(steal(credential->certificate));
}

static char *take(struct json_object *answer, const char *path)
{
    const char *text = json_string_or(answer, path, "");
    return *text == '\0' ? NULL : mem_strdup(text);
}

int exec_credential_parse(const char *text, size_t length, const char *version,
                          struct exec_credential *out, struct firn_error **err)
{
    auto_json struct json_object *answer = NULL;
    *out = (struct exec_credential){0};
    if (json_parse(text, length, "its answer", &answer, err) < 0)
        return -1;
    const char *kind = json_string_or(answer, "kind", "");
    const char *given = json_string_or(answer, "apiVersion", "");
    if (strcmp(kind, "ExecCredential") != 0 || strcmp(given, version) != 0)
        return fail(err, FIRN_INVALID, "it answered with %.60s %.60s, asked for ExecCredential %s",
                    *kind == '\0' ? "no kind" : kind, *given == '\0' ? "of no version" : given,
                    version);
    const char *expires = json_string_or(answer, "status.expirationTimestamp", "");
    if (*expires != '\0' && clock_parse(expires, &out->expires, err) < 0)
        return wrap(err, "its expirationTimestamp");
    out->token = take(answer, "status.token");
    out->certificate = take(answer, "status.clientCertificateData");
    out->key = take(answer, "status.clientKeyData");
    bool whole = (out->certificate == NULL) == (out->key == NULL);
    if (whole && (out->token != NULL || out->certificate != NULL))
        return 0;
    exec_credential_free(out);
    return fail(err, FIRN_INVALID,
                whole ? "its answer has neither a token nor a client certificate"
                      : "its answer has only one of clientCertificateData and clientKeyData");
}

/* ---- the question */

static void put_cluster(const struct kube_config *config, struct json_object *spec)
{
    struct json_object *cluster = json_object_new_object();
    json_set_string(cluster, "server", config->server);
    json_set_string(cluster, "tls-server-name", config->server_name);
    json_set_string(cluster, "proxy-url", config->proxy);
    if (config->unverified)
        json_set_bool(cluster, "insecure-skip-tls-verify", true);
    auto_buf struct buf ca = buf_new(2u << 20);
    if (config->ca != NULL)
        buf_puts(&ca, config->ca);
    else if (config->ca_file != NULL)
        file_read(config->ca_file, 1u << 20, &ca, NULL); /* the connection will tell if it lacks */
    if (ca.length > 0 && ca.length <= 1u << 20) {
        auto_buf struct buf text = buf_new(2u << 20);
        base64_encode(&text, ca.data, ca.length);
        json_set_string(cluster, "certificate-authority-data", buf_text(&text));
    }
    if (config->exec_config != NULL)
        json_set_take(cluster, "config", json_object_get(config->exec_config));
    json_set_take(spec, "cluster", cluster);
}

/* The text of KUBERNETES_EXEC_INFO. */
static char *question(const struct kube_config *config, const char *version, bool interactive)
{
    auto_json struct json_object *info = json_object_new_object();
    struct json_object *spec = json_object_new_object();
    json_set_string(info, "kind", "ExecCredential");
    json_set_string(info, "apiVersion", version);
    if (json_bool_or(config->exec, "provideClusterInfo", false))
        put_cluster(config, spec);
    json_set_bool(spec, "interactive", interactive);
    json_set_take(info, "spec", spec);
    auto_buf struct buf text = buf_new(4u << 20);
    buf_puts(&text, "KUBERNETES_EXEC_INFO=");
    json_write(&text, info);
    return buf_take(&text);
}

/* ---- the program */

struct words {
    char *word[WORDS_LIMIT + 1]; /* ends with NULL */
    size_t count;
};

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->word[i]);
}
#define auto_words __attribute__((cleanup(free_words)))

static int add_word(struct words *words, char *word, struct firn_error **err)
{
    if (words->count == WORDS_LIMIT) {
        free(word);
        return fail(err, FIRN_INVALID, "more than %u arguments or variables", WORDS_LIMIT);
    }
    words->word[words->count++] = word;
    return 0;
}

/* Only a command with a slash is a path, relative to the kubeconfig's folder; others are looked for in $PATH. */
static int collect_arguments(const struct kube_config *config, const char *command,
                             struct words *words, struct firn_error **err)
{
    bool relative = *command != '/' && strchr(command, '/') != NULL;
    struct json_object *list = json_at(config->exec, "args");
    if (add_word(words, relative ? file_join(config->exec_folder, command) : mem_strdup(command),
                 err) < 0)
        return -1;
    for (size_t i = 0;
         json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        if (!json_object_is_type(one, json_type_string))
            return fail(err, FIRN_INVALID, "args[%zu] is no string", i);
        if (add_word(words, mem_strdup(json_object_get_string(one)), err) < 0)
            return -1;
    }
    return 0;
}

static bool names_variable(const char *assignment, const char *name)
{
    size_t length = strlen(name);
    return strncmp(assignment, name, length) == 0 && assignment[length] == '=';
}

static bool is_overridden(const char *assignment, struct json_object *list)
{
    for (size_t i = 0;
         json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        if (names_variable(assignment,
                           json_string_or(json_object_array_get_idx(list, i), "name", "")))
            return true;
    return names_variable(assignment, "KUBERNETES_EXEC_INFO");
}

/* Ours, with what `env` sets put over it, and the question. An environment may be long: it has no limit of words. */
static char **make_environment(const struct kube_config *config, char *info)
{
    struct json_object *list = json_at(config->exec, "env");
    size_t own = 0;
    size_t set = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    while (environ[own] != NULL)
        own++;
    char **result = mem_array(own + set + 2, sizeof(*result));
    size_t count = 0;
    for (size_t i = 0; i < own; i++)
        if (!is_overridden(environ[i], list))
            result[count++] = mem_strdup(environ[i]);
    for (size_t i = 0; i < set; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        result[count++] =
            mem_printf("%s=%s", json_string_or(one, "name", ""), json_string_or(one, "value", ""));
    }
    result[count] = info;
    return result;
}

static void free_environment(char ***list)
{
    for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
        free((*list)[i]);
    free(*list);
}
#define auto_environment __attribute__((cleanup(free_environment)))

/* Standard output is read by us, standard error is the user's to see. */
static int start(const struct words *words, char **environment, bool interactive, pid_t *pid,
                 int *output, struct firn_error **err)
{
    int ends[2];
    sigset_t defaults;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_errno(err, "pipe");
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    if (!interactive)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int number = posix_spawnp(pid, words->word[0], &actions, &attributes, words->word, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (number == 0) {
        *output = ends[0];
        return 0;
    }
    close(ends[0]);
    errno = number;
    return fail_errno(err, "%s", words->word[0]);
}

/* Until the end of the output. */
static int read_output(int fd, int64_t patience, struct buf *out, struct firn_error **err)
{
    int64_t until = clock_monotonic() + patience;
    for (;;) {
        char piece[4096];
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (cancel_check(err) < 0)
            return -1;
        if (patience > 0 && clock_monotonic() > until)
            return fail(err, FIRN_RETRY, "it did not end within %d s", (int)(patience / 1000));
        if (poll(&wait, 1, POLL_INTERVAL) <= 0)
            continue;
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got == 0)
            return buf_check(out, "its output", err);
        if (got < 0 && errno != EINTR)
            return fail_errno(err, "its output");
        if (got > 0)
            buf_append(out, piece, (size_t)got);
        OPENSSL_cleanse(piece, sizeof(piece));
        if (out->overflowed)
            return buf_check(out, "its output", err);
    }
}

static int run(const struct words *words, char **environment, bool interactive, struct buf *out,
               struct firn_error **err)
{
    pid_t pid = 0;
    auto_close int output = -1;
    int status = 0;
    if (start(words, environment, interactive, &pid, &output, err) < 0)
        return -1;
    int result = read_output(output, interactive ? 0 : PATIENCE, out, err);
    if (result < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (result < 0)
        return -1;
    if (WIFSIGNALED(status))
        return fail(err, FIRN_DENIED, "it was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return fail(err, FIRN_DENIED, "it ended with exit code %d (what it said is above)",
                    WEXITSTATUS(status));
    return 0;
}

/* v1beta1 has no interactiveMode: whoever has a terminal is asked. */
static int is_interactive(const struct kube_config *config, const char *version, bool *out,
                          struct firn_error **err)
{
    bool beta = strcmp(version, GROUP "v1beta1") == 0;
    const char *mode = json_string_or(config->exec, "interactiveMode", beta ? "IfAvailable" : "");
    bool terminal = isatty(STDIN_FILENO) == 1;
    *out = terminal && strcmp(mode, "Never") != 0;
    if (strcmp(mode, "Never") == 0 || strcmp(mode, "IfAvailable") == 0)
        return 0;
    if (strcmp(mode, "Always") != 0)
        return fail(err, FIRN_INVALID,
                    "interactiveMode is \"%.40s\": set Never, IfAvailable or "
                    "Always",
                    mode);
    return terminal ? 0
                    : fail(err, FIRN_DENIED,
                           "it has to ask the user (interactiveMode: Always), and there is no "
                           "terminal");
}

static int get(const struct kube_config *config, const char *command, struct exec_credential *out,
               struct firn_error **err)
{
    const char *version = json_string_or(config->exec, "apiVersion", "");
    bool interactive = false;
    if (strcmp(version, GROUP "v1") != 0 && strcmp(version, GROUP "v1beta1") != 0)
        return fail(err, FIRN_INVALID,
                    "apiVersion is \"%.80s\": " GROUP "v1 and " GROUP "v1beta1 are known", version);
    if (is_interactive(config, version, &interactive, err) < 0)
        return -1;
    auto_words struct words words = {0};
    auto_buf struct buf answer = buf_new(OUTPUT_LIMIT);
    if (collect_arguments(config, command, &words, err) < 0)
        return -1;
    auto_environment char **environment =
        make_environment(config, question(config, version, interactive));
    int result = run(&words, environment, interactive, &answer, err);
    if (result == 0)
        result = exec_credential_parse(buf_text(&answer), answer.length, version, out, err);
    if (answer.data != NULL)
        OPENSSL_cleanse(answer.data, answer.length);
    return result;
}

int exec_credential_get(const struct kube_config *config, struct exec_credential *out,
                        struct firn_error **err)
{
    const char *command = json_string_or(config->exec, "command", "");
    if (*command == '\0')
        return fail(err, FIRN_INVALID, "%s: the user's exec has no command", config->source);
    if (get(config, command, out, err) == 0)
        return 0;
    const char *hint = json_string_or(config->exec, "installHint", "");
    if (err != NULL && error_code(*err) == FIRN_NOTFOUND && *hint != '\0')
        return wrap(err, "credential plugin %s (%.1000s)", command, hint);
    return wrap(err, "credential plugin %s", command);
}
