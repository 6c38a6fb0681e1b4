/* SPDX-License-Identifier: Apache-2.0 */
#include "qcow2.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TENTH    100000000L /* ns */
#define PATIENCE 100        /* tenths of a second */

struct qcow2 {
    struct image *image;
    struct output *output;
    char *directory;
    char *socket;
    pid_t server; /* 0: none */
};

/* strdup is what makes the strings of the caller's table writable, as posix_spawn's type asks. */
static int spawn(struct image *image, const char *const *words, pid_t *pid)
{
    char *copies[16] = {0};
    size_t count = 0;
    for (; words[count] != NULL && count + 1 < sizeof(copies) / sizeof(copies[0]); count++)
        copies[count] = image_printf("%s", words[count]);
    int number = posix_spawnp(pid, copies[0], NULL, NULL, copies, environ);
    for (size_t i = 0; i < count; i++)
        free(copies[i]);
    if (number == 0)
        return 0;
    return image_fail(image, FIRN_NOTFOUND, "%s: %s: qcow2 needs the Debian package qemu-utils",
                      words[0], strerror(number));
}

static int wait_for(struct image *image, pid_t pid, const char *what)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return image_fail_errno(image, "%s", what);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return image_fail(image, FIRN_INTERNAL, "%s failed (status %d)", what, status);
    return 0;
}

static void pause_tenth(void)
{
    const struct timespec tenth = {.tv_nsec = TENTH};
    nanosleep(&tenth, NULL);
}

static int create(struct image *image, const char *path, uint64_t size)
{
    pid_t pid;
    char *bytes = image_printf("%llu", (unsigned long long)size);
    const char *const words[] = {"qemu-img", "create", "-q", "-f", "qcow2", path, bytes, NULL};
    int result = spawn(image, words, &pid);
    if (result == 0)
        result = wait_for(image, pid, "qemu-img create");
    free(bytes);
    return result;
}

/* It serves one client and ends when that one goes. */
static int serve(struct qcow2 *qcow2, const char *path)
{
    const char *const words[] = {"qemu-nbd", "--format=qcow2", "--cache=none", "--discard=unmap",
                                 "--socket", qcow2->socket,    path,           NULL};
    return spawn(qcow2->image, words, &qcow2->server);
}

static int wait_for_socket(struct qcow2 *qcow2)
{
    struct stat socket;
    for (int tenths = 0; tenths < PATIENCE; tenths++) {
        int status;
        if (stat(qcow2->socket, &socket) == 0)
            return 0;
        if (waitpid(qcow2->server, &status, WNOHANG) == qcow2->server) {
            qcow2->server = 0;
            return image_fail(qcow2->image, FIRN_INTERNAL, "qemu-nbd failed (status %d)", status);
        }
        pause_tenth();
    }
    return image_fail(qcow2->image, FIRN_INTERNAL, "qemu-nbd does not serve after %d seconds",
                      PATIENCE / 10);
}

static int stop_server(struct qcow2 *qcow2)
{
    int status = 0;
    for (int tenths = 0; qcow2->server != 0 && tenths < 2 * PATIENCE; tenths++) {
        if (tenths == PATIENCE)
            kill(qcow2->server, SIGTERM);
        if (waitpid(qcow2->server, &status, WNOHANG) == qcow2->server)
            qcow2->server = 0;
        else
            pause_tenth();
    }
    if (qcow2->server != 0) {
        kill(qcow2->server, SIGKILL);
        waitpid(qcow2->server, &status, 0);
        qcow2->server = 0;
    }
    return status == 0
               ? 0
               : image_fail(qcow2->image, FIRN_INTERNAL, "qemu-nbd ended with status %d", status);
}

int qcow2_finish(struct qcow2 *qcow2)
{
    if (qcow2 == NULL)
        return 0;
    output_close(qcow2->output);
    if (qcow2->output == NULL && qcow2->server != 0)
        kill(qcow2->server, SIGTERM);
    int result = qcow2->server != 0 ? stop_server(qcow2) : 0;
    if (qcow2->directory != NULL) {
        unlink(qcow2->socket);
        rmdir(qcow2->directory);
    }
    free(qcow2->directory);
    free(qcow2->socket);
    free(qcow2);
    return result;
}

static int begin(struct qcow2 *qcow2, const char *path, uint64_t size)
{
    const char *base = getenv("TMPDIR");
    char *directory = image_printf("%s/firn-XXXXXX", base != NULL && *base == '/' ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        image_fail_errno(qcow2->image, "%s", directory);
        free(directory);
        return -1;
    }
    qcow2->directory = directory;
    qcow2->socket = image_printf("%s/nbd", directory);
    if (create(qcow2->image, path, size) < 0 || serve(qcow2, path) < 0 ||
        wait_for_socket(qcow2) < 0)
        return -1;
    char *uri = image_printf("nbd+unix:///?socket=%s", qcow2->socket);
    int result = output_open_nbd(qcow2->image, uri, size, &qcow2->output);
    free(uri);
    return result;
}

int qcow2_open(struct image *image, const char *path, uint64_t size, struct qcow2 **out,
               struct output **output)
{
    struct qcow2 *qcow2 = calloc(1, sizeof(*qcow2));
    if (qcow2 == NULL)
        abort();
    qcow2->image = image;
    if (begin(qcow2, path, size) < 0) {
        qcow2_finish(qcow2);
        return -1;
    }
    qcow2->output->clean = true;
    *out = qcow2;
    *output = qcow2->output;
    return 0;
}
