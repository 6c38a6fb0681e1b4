/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof of protection (protection.h), from what the server says of each object: every snapshot that states until when it
 * is protected relies only on objects that are locked until then. And what the server shows to others than Firn: objects that
 * were overwritten or hidden.
 */
#ifndef REPO_CHECK_LOCKS_H
#define REPO_CHECK_LOCKS_H

#include "check.h"
#include "check_reach.h"

struct firn_error;
struct repo;

/* Asks the server once for each object that a protected snapshot relies on, several at once. Findings name the object; -1 only
 * if the server could not be asked. Does nothing in a repository without locks. */
int check_locks(struct repo *repo, struct reach *reach, check_finding *finding, void *context,
                struct check_result *result, struct firn_error **err);
/* Each object that others do not see as it was first written is a finding, which affects no snapshot: Firn reads the first
 * version. */
int check_overlaid(struct repo *repo, check_finding *finding, void *context,
                   struct check_result *result, struct firn_error **err);

#endif
