/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup job in pull mode: QEMU shows the disks as they were at one moment, by NBD, one export for each disk named after its target, while the guest goes on writing. Old contents that the guest overwrites are kept in scratch
 * files until the job ends.
 *
 * There is one job for a domain at a time; the names of its files begin with the domain's UUID, by which the next Firn
 * finds what this one left.
 */
#ifndef PLUGIN_LIBVIRT_BACKUP_JOB_H
#define PLUGIN_LIBVIRT_BACKUP_JOB_H

#include "address.h"
#include "connection.h"
#include "disk.h"

/* The name under which QEMU exports what changed since the parent; the meta context is "qemu:dirty-bitmap:" and it. */
#define BACKUP_BITMAP "firn-changed"

struct backup_job {
    const struct address *address; /* where QEMU shows the disks */
    const char *run;               /* names the scratch files */
    const struct disks *disks;
    const char
        *parent; /* checkpoint since which disks that are marked incremental show what changed */
    const char *checkpoint_xml; /* the checkpoint that begins with the job; NULL: none */
};

int backup_job_begin(struct connection *connection, virDomainPtr domain,
                     const struct backup_job *job, struct firn_error **err);
/* Ends the job and waits until its socket and scratch files are gone. */
int backup_job_end(struct connection *connection, virDomainPtr domain, struct firn_error **err);
/* Ends a job that a dead Firn left, and removes its files. -1 with CONFLICT if a job of somebody else runs. */
int backup_job_sweep(struct connection *connection, virDomainPtr domain, struct firn_error **err);

#endif
