/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capture of one domain:
 *
 *     lock -> sweep -> disks -> plan (what can be incremental) -> online: freeze, backup job with checkpoint, thaw, read, end
 *                                                              -> offline: read the images
 *          -> documents, state, outcome; later settle: drop the checkpoint that is no longer needed
 *
 * This header is shared by the files of that flow.
 */
#ifndef PLUGIN_LIBVIRT_CAPTURE_H
#define PLUGIN_LIBVIRT_CAPTURE_H

#include "address.h"
#include "connection.h"
#include "disk.h"
#include "domain.h"
#include "state.h"

struct capture {
    struct connection *connection;
    const struct firn_capture *request;
    struct firn_sink *sink;
    struct domain domain;
    int lock;
    struct disks disks;
    struct address address; /* of QEMU's NBD server, while the domain runs */
    struct state parent;    /* checkpoint NULL: there is none to build on */
    char *lineage;
    char *checkpoint;     /* that this run made; NULL: none */
    char *checkpoint_xml; /* as libvirt tells it, for the next run */
    /* The outcome. */
    enum firn_consistency consistency;
    char *
        full_reason; /* why nothing could be incremental; NULL: it could, or there is nothing to explain */
    char *consistency_reason; /* why the consistency is not better */
    int64_t point_in_time;
    int64_t frozen; /* ms, -1: never */
};

/* What settle() has to finish. */
struct settlement {
    virDomainPtr domain;
    int lock;
    char *lineage;
    char *made; /* the checkpoint of this run; NULL: none */
    char *
        kept; /* the checkpoint that the new snapshot ended on: made, or an older one; NULL: none */
};

/* Captures, and tells what is to be settled; the settlement holds the domain's lock. */
int capture_run(struct connection *connection, const struct firn_capture *request,
                struct firn_sink *sink, struct settlement **out, struct firn_error **err);
/* committed: the snapshot exists; drops the checkpoints that are not needed any more. Otherwise drops the run's own. Frees. */
int settlement_finish(struct connection *connection, struct settlement *settlement, int committed,
                      struct firn_error **err);
/* Frees without doing anything. */
void settlement_free(struct settlement *settlement);

/* plan.c: decides which disks can be captured incrementally, and says why others cannot. */
int plan_online(struct capture *capture, struct firn_error **err);
/* Makes one sentence for the outcome of why disks are captured in full, if any says so. */
void plan_summarise(struct capture *capture);
/* Marks every disk as full, for that reason (consumed). */
void plan_full_take(struct capture *capture, char *reason);

/* online.c, offline.c: the disks of a domain that runs, or does not. */
int online_capture(struct capture *capture, struct firn_error **err);
int offline_capture(struct capture *capture, struct firn_error **err);

/* documents.c: everything of the domain but its disks. */
int documents_capture(struct capture *capture, struct firn_error **err);

#endif
