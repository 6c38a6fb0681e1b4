/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* poll() is never restarted after a signal, so that Ctrl-C is seen here and the echo comes back. */
static int read_line(int terminal, struct buf *line, struct firn_error **err)
{
    for (;;) {
        struct pollfd ready = {.fd = terminal, .events = POLLIN};
        char byte;
        if (cancel_check(err) < 0)
            return -1;
        if (poll(&ready, 1, 1000) <= 0)
            continue;
        ssize_t got = read(terminal, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, "reading the passphrase");
        if (got == 0 || byte == '\n')
            return 0;
        buf_putc(line, byte);
    }
}

int terminal_ask(const char *prompt, struct buf *passphrase, struct firn_error **err)
{
    struct termios before, silent;
    auto_close int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0 || tcgetattr(terminal, &before) < 0)
        return fail(err, FIRN_INVALID, "no terminal to ask for the passphrase on");
    size_t length_before = passphrase->length;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(terminal, TCSAFLUSH, &silent);
    dprintf(terminal, "%s: ", prompt);
    int result = read_line(terminal, passphrase, err);
    tcsetattr(terminal, TCSAFLUSH, &before);
    dprintf(terminal, "\n");
    if (result == 0 && buf_check(passphrase, "passphrase", err) < 0)
        return -1;
    if (result == 0 && passphrase->length == length_before)
        return fail(err, FIRN_INVALID, "an empty passphrase");
    return result;
}
