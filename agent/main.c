/* SPDX-License-Identifier: Apache-2.0 */
/* The program: signals, then the command line. */
#include "cli/cli.h"
#include "core/cancel.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

/* The first signal asks everything to stop in good order; who sends a second one does not want to wait. */
static void on_signal(int number)
{
    (void)number;
    if (cancel_requested())
        _exit(EXIT_INTERRUPTED);
    cancel_request();
}

int main(int argc, char **argv)
{
    /* Left alone, malloc learns from large tables that come and go to keep what is freed. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    return cli_main(argc, argv);
}
