/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvirt-watchdog URI UUID: see watchdog.h. Standard input is the pipe. It ends by itself: at once when there is nothing to
 * thaw, else when the guest is thawed or gone, at the latest after LIMIT; the marker stays for the next firn, then.
 */
#include "thaw.h"

#include "core/clock.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define LIMIT 300000
#define PAUSE 250

/* Whoever ends firn in good order is answered by firn, which ends this process. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        signal(signals[i], SIG_IGN);
}

static void wait_for_end_of_pipe(void)
{
    char byte;
    ssize_t got;
    while ((got = read(STDIN_FILENO, &byte, 1)) > 0 || (got < 0 && errno == EINTR))
        continue;
}

/* 1: done, or nothing to do; 0: try again. */
static int attempt(const char *uri, const char *uuid)
{
    auto_error struct firn_error *error = NULL;
    auto_connect virConnectPtr connection = virConnectOpen(uri);
    if (connection == NULL)
        return 0;
    auto_domain virDomainPtr domain = virDomainLookupByUUIDString(connection, uuid);
    if (domain == NULL)
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
    return thaw_left(uri, domain, &error) >= 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    ignore_signals();
    if (chdir("/") < 0)
        return 1;
    wait_for_end_of_pipe();
    vir_silence();
    int64_t end = clock_monotonic() + LIMIT;
    while (!attempt(argv[1], argv[2])) {
        if (clock_monotonic() >= end)
            return 1;
        clock_sleep(PAUSE);
    }
    return 0;
}
