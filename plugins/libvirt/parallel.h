/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work for each of several things, a few at a time. The first failure is kept and stops the others.
 */
#ifndef PLUGIN_LIBVIRT_PARALLEL_H
#define PLUGIN_LIBVIRT_PARALLEL_H

#include <stdatomic.h>
#include <stddef.h>

struct firn_error;

/* Does number `index`, in any thread. `stop` is set once another one failed. -1 with or without an error in *err. */
typedef int parallel_work(void *context, size_t index, const atomic_bool *stop,
                          struct firn_error **err);

/* -1 with the error of the first that failed, or without one if it gave none. */
int parallel_run(size_t count, size_t threads, parallel_work *work, void *context,
                 struct firn_error **err);

#endif
