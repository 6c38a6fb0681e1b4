/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include "core/error.h"
#include "core/file.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
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
