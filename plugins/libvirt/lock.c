/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int lock_try(const char *uuid, int *fd, struct firn_error **err)
{
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0)
        return fail_errno(err, "make a socket");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* The NUL byte in front puts the name into the abstract namespace. */
    int length =
        snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "firn/libvirt/%s", uuid);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (bind(socket_fd, (struct sockaddr *)&address, size) == 0) {
        *fd = socket_fd;
        return 1;
    }
    int bind_errno = errno;
    close(socket_fd);
    errno = bind_errno;
    return errno == EADDRINUSE ? 0 : fail_errno(err, "lock the domain %s", uuid);
}

char *lock_scope(void)
{
    auto_buf struct buf boot = buf_new(64);
    struct stat network;
    if (file_read("/proc/sys/kernel/random/boot_id", 64, &boot, NULL) < 0 ||
        stat("/proc/self/ns/net", &network) < 0)
        return mem_strdup("");
    const char *text = buf_text(&boot);
    return mem_printf("%.*s/%llu", (int)strcspn(text, "\n"), text,
                      (unsigned long long)network.st_ino);
}
