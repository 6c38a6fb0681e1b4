/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One capture of a domain at a time. The lock is an abstract Unix socket named after the domain: the kernel
 * lets it go when its holder dies, however it dies, and nothing stays behind. Whoever holds it knows that what Firn left in
 * the domain belongs to nobody any more: nobody in the lock's scope, that is, which is a network namespace of this machine.
 */
#ifndef PLUGIN_LIBVIRT_LOCK_H
#define PLUGIN_LIBVIRT_LOCK_H

struct firn_error;

/* 1: taken, *fd is the lock, released by close(); 0: another Firn holds it; -1: error. */
int lock_try(const char *uuid, int *fd, struct firn_error **err);

/* Names the scope of this process's locks: processes with the same one see each other's. "" if it cannot be told. The
 * caller's. */
char *lock_scope(void);

#endif
