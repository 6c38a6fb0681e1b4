/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "libvirt-watchdog"

extern char **environ;

/* The program beside the shared object that this code was loaded from. The caller's. */
static char *program_path(void)
{
    static const char here = 0;
    Dl_info info;
    const char *slash = NULL;
    if (dladdr(&here, &info) != 0 && info.dli_fname != NULL)
        slash = strrchr(info.dli_fname, '/');
    if (slash == NULL)
        return mem_strdup("./" PROGRAM);
    return mem_printf("%.*s/" PROGRAM, (int)(slash - info.dli_fname), info.dli_fname);
}

/* Returns an errno. The child gets no descriptor but its three, whatever firn's own parent left open in it. */
static int spawn(char *const *arguments, int pipe, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_adddup2(&actions, pipe, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    int failed = posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

int watchdog_start(const char *uri, const char *uuid, struct watchdog *out, struct firn_error **err)
{
    int ends[2];
    auto_free char *program = program_path();
    auto_free char *first = mem_strdup(uri), *second = mem_strdup(uuid);
    char *arguments[] = {program, first, second, NULL};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_errno(err, "make a pipe");
    pid_t pid = 0;
    errno = spawn(arguments, ends[0], &pid);
    int spawn_errno = errno;
    close(ends[0]);
    if (spawn_errno != 0) {
        close(ends[1]);
        errno = spawn_errno;
        return fail_errno(err, "start %s, which thaws the guest should firn die", program);
    }
    *out = (struct watchdog){.pid = pid, .pipe = ends[1]};
    return 0;
}

void watchdog_end(struct watchdog *watchdog)
{
    if (watchdog->pid == 0)
        return;
    kill(watchdog->pid, SIGKILL);
    while (waitpid(watchdog->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(watchdog->pipe);
    *watchdog = (struct watchdog){.pid = 0};
}

/* The pipe stays open on purpose: it ends with this process. */
void watchdog_leave(struct watchdog *watchdog)
{
    *watchdog = (struct watchdog){.pid = 0};
}
