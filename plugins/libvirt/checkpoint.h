/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: points in time since which QEMU notes what changed, in a bitmap in each qcow2 image. Firn's are named
 * "firn-RUN" and say in their description to which lineage they belong, which is the repository that the snapshots of
 * the domain are in. A lineage needs its newest committed checkpoint only.
 */
#ifndef PLUGIN_LIBVIRT_CHECKPOINT_H
#define PLUGIN_LIBVIRT_CHECKPOINT_H

#include "connection.h"
#include "disk.h"

#include <libxml/tree.h>

/* "firn-RUN". The caller's. */
char *checkpoint_name(const char *run);
/* The XML that makes one: a bitmap for each disk that is captured and tracks changes. NULL: no disk does. The caller's. */
char *checkpoint_xml(const char *name, const char *lineage, const struct disks *disks);

/* The checkpoint's XML without the domain in it, with the size of each bitmap that is there and valid; the caller's. -1
 * with NOTFOUND if there is no such checkpoint. */
int checkpoint_describe(virDomainPtr domain, const char *name, char **out, struct firn_error **err);
/* Makes libvirt know a checkpoint again whose bitmaps are there but which it has forgotten. */
int checkpoint_redefine(virDomainPtr domain, const char *xml, struct firn_error **err);
/* Whether a description by checkpoint_describe() has a valid bitmap for the disk. */
bool checkpoint_covers(xmlDocPtr description, const char *target);

/* Deletes a checkpoint and its bitmaps; if a bitmap is broken, libvirt's note of it alone. No such checkpoint is fine. */
int checkpoint_delete(virDomainPtr domain, const char *name, struct firn_error **err);
/* Deletes those of the lineage but `keep` (may be NULL), and the oldest of other lineages beyond keep-checkpoints. Goes on
 * after errors, which are logged. */
void checkpoint_sweep(struct connection *connection, virDomainPtr domain, const char *lineage,
                      const char *keep);

#endif
