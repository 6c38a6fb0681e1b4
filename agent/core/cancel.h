/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancellation: one flag for the process, set by the signal handler of main (SIGINT, SIGTERM),
 * looked at by whatever takes long. Async-signal-safe and thread-safe.
 */
#ifndef CORE_CANCEL_H
#define CORE_CANCEL_H

#include <stdbool.h>

struct firn_error;

void cancel_request(void);
bool cancel_requested(void);
/* -1 with CANCELLED once cancellation was requested, else 0. */
int cancel_check(struct firn_error **err);

#endif
