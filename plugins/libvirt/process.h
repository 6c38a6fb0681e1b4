/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs QEMU's small programs (qemu-img) and waits for them.
 */
#ifndef PLUGIN_LIBVIRT_PROCESS_H
#define PLUGIN_LIBVIRT_PROCESS_H

struct firn_error;
struct buf;

/* Runs the program (found in PATH; arguments ended by NULL), collects its standard output, if wanted, and fails with the
 * last of its standard error unless it exits with 0. */
int process_run(const char *const *arguments, struct buf *output, struct firn_error **err);

#endif
