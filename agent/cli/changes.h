/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes: what the user says has changed since the parent (--changed): a JSON list of {"offset": …, "length": …}.
 */
#ifndef CLI_CHANGES_H
#define CLI_CHANGES_H

#include <firn/plugin.h>

#include <stddef.h>

struct firn_error;

/* From the file, or standard input ("-"). Sorted; ranges that touch are joined; empty ones dropped. *out is never NULL on
 * success: the caller's. INVALID. */
int changes_read(const char *path, struct firn_range **out, size_t *count, struct firn_error **err);

#endif
