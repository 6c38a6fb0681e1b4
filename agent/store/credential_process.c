/* SPDX-License-Identifier: Apache-2.0 */
#include "credential_process.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define OUTPUT_LIMIT 65536u
#define PATIENCE     60000
#define SLICE        200

/* In a process group of its own, so that what it starts ends with it. Its messages go where Firn's go. */
static int start(const char *command, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    auto_free char *words = mem_strdup(command);
    char shell[] = "sh", option[] = "-c";
    char *const arguments[] = {shell, option, words, NULL};
    int failed = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* Until it closes its output. */
static int collect(int fd, struct buf *output, struct firn_error **err)
{
    int64_t until = clock_monotonic() + PATIENCE;
    char piece[4096];
    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (cancel_check(err) < 0)
            return -1;
        if (clock_monotonic() > until)
            return fail(err, FIRN_DENIED, "it did not end within %d s", PATIENCE / 1000);
        if (poll(&waiting, 1, SLICE) <= 0)
            continue;
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0 && errno != EINTR)
            return fail_errno(err, "read what it prints");
        if (got == 0)
            return buf_check(output, "output", err);
        if (got > 0)
            buf_append(output, piece, (size_t)got);
        OPENSSL_cleanse(piece, sizeof(piece));
    }
}

static int run(const char *command, struct buf *output, struct firn_error **err)
{
    int pipes[2], status = 0;
    pid_t pid = 0;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return fail_errno(err, "make a pipe");
    int failed = start(command, pipes[1], &pid);
    close(pipes[1]);
    auto_close int fd = pipes[0];
    if (failed != 0)
        return fail(err, FIRN_DENIED, "it cannot be started: %s", strerrordesc_np(failed));
    int result = collect(fd, output, err);
    if (result < 0)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        return fail(err, FIRN_DENIED, "it ended with %s %d",
                    WIFEXITED(status) ? "exit code" : "signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return result;
}

int credential_process(const char *command, struct credentials *out, struct firn_error **err)
{
    auto_buf struct buf output = buf_new(OUTPUT_LIMIT);
    int result = run(command, &output, err);
    if (result == 0)
        result = credentials_parse(buf_text(&output), output.length, out, err);
    if (output.data != NULL)
        OPENSSL_cleanse(output.data, output.capacity);
    return result < 0 ? wrap(err, "credential_process") : 0;
}
