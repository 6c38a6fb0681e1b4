/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that consists of many parts, each of which mostly waits: done by several threads.
 */
#ifndef CORE_PARALLEL_H
#define CORE_PARALLEL_H

#include <stddef.h>

struct firn_error;

/* One part. Called by any of the threads, several at once. */
typedef int parallel_work(void *context, size_t part, struct firn_error **err);

/* Does parts 0 … count - 1 by up to `threads` threads, the caller's included. The first that fails ends the work when the
 * parts that have begun are done, and its error is the error of the whole; so does cancellation. */
int parallel_run(size_t count, unsigned threads, parallel_work *work, void *context,
                 struct firn_error **err);

#endif
