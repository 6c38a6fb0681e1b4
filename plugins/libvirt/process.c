/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define MESSAGE_LIMIT 4096

struct pipes {
    int out[2];
    int err[2];
};

static int start(const char *const *arguments, const struct pipes *pipes, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipes->out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes->err[1], STDERR_FILENO);
    char **words = NULL;
    memcpy(&words, &arguments, sizeof(words)); /* execvp() changes nothing in it */
    int failed = posix_spawnp(pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* Whether the pipe is still open; what does not fit into the buffer is dropped. */
static bool take(int fd, struct buf *buf)
{
    char piece[4096];
    ssize_t got = read(fd, piece, sizeof(piece));
    if (got > 0 && buf != NULL)
        buf_append(buf, piece, (size_t)got);
    return got > 0 || (got < 0 && errno == EINTR);
}

static void collect(const struct pipes *pipes, struct buf *output, struct buf *message)
{
    struct pollfd fds[2] = {{.fd = pipes->out[0], .events = POLLIN},
                            {.fd = pipes->err[0], .events = POLLIN}};
    struct buf *buffers[2] = {output, message};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        for (size_t i = 0; i < 2; i++) {
            if (fds[i].fd >= 0 && fds[i].revents != 0 && !take(fds[i].fd, buffers[i]))
                fds[i].fd = -1;
        }
    }
}

static int verdict(const char *program, pid_t pid, const struct buf *message,
                   struct firn_error **err)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return fail_errno(err, "wait for %s", program);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    const char *text = buf_text(message);
    return fail(err, FIRN_INTERNAL, "%s failed: %.*s", program, (int)strcspn(text, "\n"), text);
}

static int run(const char *const *arguments, struct pipes *pipes, struct buf *output,
               struct firn_error **err)
{
    pid_t pid = 0;
    errno = start(arguments, pipes, &pid);
    if (errno != 0)
        return fail_errno(err, "start %s", arguments[0]);
    file_close_pointer(&pipes->out[1]);
    file_close_pointer(&pipes->err[1]);
    auto_buf struct buf message = buf_new(MESSAGE_LIMIT);
    collect(pipes, output, &message);
    return verdict(arguments[0], pid, &message, err);
}

int process_run(const char *const *arguments, struct buf *output, struct firn_error **err)
{
    struct pipes pipes = {{-1, -1}, {-1, -1}};
    int result = -1;
    if (pipe2(pipes.out, O_CLOEXEC) < 0 || pipe2(pipes.err, O_CLOEXEC) < 0)
        error_set_errno(err, "make a pipe");
    else
        result = run(arguments, &pipes, output, err);
    file_close_pointer(&pipes.out[0]);
    file_close_pointer(&pipes.out[1]);
    file_close_pointer(&pipes.err[0]);
    file_close_pointer(&pipes.err[1]);
    return result;
}
