/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink: struct firn_sink of the plugin ABI on top of a capture. Trusts nothing that a plugin gives it: names, sizes,
 * ranges and the order of calls are checked here, and a wrong one breaks the operation with a message that names the fault.
 */
#ifndef HOST_SINK_H
#define HOST_SINK_H

#include <firn/plugin.h>

#include <stdbool.h>

struct capture;
struct firn_error;
struct services;
struct sink;
struct snapshot;

/* Everything is borrowed until sink_free(). */
struct sink *sink_new(struct capture *capture, struct services *services);
/* Drops the objects that were not ended: call it before the capture is aborted or committed. NULL is fine. */
void sink_free(struct sink *sink);
struct firn_sink *sink_interface(struct sink *sink);

/* After capture() returned 0: every object was ended and the outcome was given, else INTERNAL. Moves outcome and state to
 * the snapshot. */
int sink_finish(struct sink *sink, struct snapshot *snapshot, struct firn_error **err);

#endif
