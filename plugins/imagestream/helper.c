/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include "credentials.h"

#include <core/buf.h>
#include <core/clock.h>
#include <core/error.h>
#include <core/file.h>
#include <core/json.h>
#include <core/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MOST    30000 /* ms */
#define ANSWER_LIMIT 65536
/* Says that Secret is an identity token (docker-credential-helpers). */
#define TOKEN_USER "<token>"

extern char **environ;

static bool valid_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               length;
}

static int start(const char *program, int input, int output, pid_t *pid, struct firn_error **err)
{
    char get[] = "get";
    auto_free char *zero = mem_strdup(program);
    char *arguments[] = {zero, get, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int result = posix_spawnp(pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result == 0)
        return 0;
    errno = result;
    return fail_errno(err, "cannot start %s", program);
}

/* Reads until the program closes its output, the time is over, or it says too much. */
static int read_answer(int fd, const char *program, struct buf *answer, struct firn_error **err)
{
    int64_t end = clock_monotonic() + WAIT_MOST;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left = end - clock_monotonic();
        if (left <= 0 || poll(&ready, 1, (int)left) == 0)
            return fail(err, FIRN_RETRY, "%s does not answer", program);
        char chunk[4096];
        ssize_t length = read(fd, chunk, sizeof(chunk));
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return fail_errno(err, "%s", program);
        if (length == 0)
            return buf_check(answer, program, err);
        buf_append(answer, chunk, (size_t)length);
        OPENSSL_cleanse(chunk, sizeof(chunk));
    }
}

/* Its input is a socket, because a write to a pipe that nobody reads any more would be a signal.
 * Its output is a pipe, because a socket would forget what was said when the program ends without
 * having read. */
static int converse(const char *program, const char *registry, struct buf *answer, int *status,
                    struct firn_error **err)
{
    int input[2];
    int output[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) < 0)
        return fail_errno(err, "%s", program);
    auto_close int writer = input[0];
    auto_close int their_input = input[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return fail_errno(err, "%s", program);
    auto_close int reader = output[0];
    int started = start(program, their_input, output[1], &pid, err);
    close(output[1]);
    if (started < 0)
        return -1;
    send(writer, registry, strlen(registry),
         MSG_NOSIGNAL); /* one that does not listen has its reasons */
    shutdown(writer, SHUT_WR);
    int result = read_answer(reader, program, answer, err);
    if (result < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return result;
}

static int understand(const char *program, const struct buf *answer, struct credentials *out,
                      struct firn_error **err)
{
    auto_json struct json_object *json = NULL;
    const char *username;
    const char *secret;
    if (json_parse(buf_text(answer), answer->length, program, &json, err) < 0 ||
        json_get_string(json, "Username", &username, err) < 0 ||
        json_get_string(json, "Secret", &secret, err) < 0)
        return wrap(err, "%s", program);
    if (strcmp(username, TOKEN_USER) == 0) {
        out->identity_token = mem_strdup(secret);
        return 1;
    }
    out->username = mem_strdup(username);
    out->password = mem_strdup(secret);
    return 1;
}

int helper_get(const char *name, const char *registry, struct credentials *out,
               struct firn_error **err)
{
    if (!valid_name(name))
        return fail(err, FIRN_INVALID, "a credential helper cannot be called '%.64s'", name);
    auto_free char *program = mem_printf("docker-credential-%s", name);
    struct buf answer = buf_new(ANSWER_LIMIT);
    int status = 0;
    int result = converse(program, registry, &answer, &status, err);
    if (result == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        result = understand(program, &answer, out, err);
    else if (result == 0 && strstr(buf_text(&answer), "credentials not found") == NULL)
        result = fail(err, FIRN_DENIED, "%s fails: %.200s", program, buf_text(&answer));
    if (answer.data != NULL)
        OPENSSL_cleanse(answer.data, answer.length);
    buf_free(&answer);
    return result;
}
