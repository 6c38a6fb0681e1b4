/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: a process of its own, there while the guest may be frozen, which thaws it should this one die.
 *
 *     firn ──pipe──▶ libvirt-watchdog URI UUID      reads until the pipe ends, which is when firn does, however it does;
 *      │                                            then thaws what its marker says is frozen, under the domain's lock
 *      └─ SIGKILL, once the thaw is confirmed
 *
 * It leads a session of its own, so that nothing which is sent to firn's process group reaches it, and holds no descriptor
 * but its end of the pipe.
 */
#ifndef PLUGIN_LIBVIRT_WATCHDOG_H
#define PLUGIN_LIBVIRT_WATCHDOG_H

#include <sys/types.h>

struct firn_error;

struct watchdog {
    pid_t pid; /* 0: none */
    int pipe;
};

/* Starts it, for the domain of that UUID at that libvirt. -1: its program, which lies beside the plugin, does not start. */
int watchdog_start(const char *uri, const char *uuid, struct watchdog *out,
                   struct firn_error **err);
/* Ends it: the guest is thawed. None is fine. */
void watchdog_end(struct watchdog *watchdog);
/* Leaves it to thaw the guest once this process has ended: until then this one holds the domain's lock. */
void watchdog_leave(struct watchdog *watchdog);

#endif
