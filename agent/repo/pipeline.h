/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline: threads and fixed memory between the capture and the store.
 *
 *     capture ──buffers──▶ block ──▶ dedup ──frames──▶ compress ──▶ encrypt, pack ──packs──▶ store
 *     (plugin's thread)   workers   1 thread          workers       1 thread            1 or 2 threads
 *
 * Buffers keep their order: deduplication sees chunks in the order in which they were submitted and
 * gives each new one its place at once (packs are filled in that order), although hashing and
 * compressing run side by side. Whoever submits waits while all buffers are in use.
 */
#ifndef REPO_PIPELINE_H
#define REPO_PIPELINE_H

#include "format.h"
#include "map.h"

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct index;
struct pipeline;
struct repo;

#define PIPELINE_BUFFER (1024u * 1024u) /* bytes of a buffer */
#define PIPELINE_CHUNKS 64u             /* most chunks in one buffer */
/* So many buffers may be in the hands of a plugin, and so many being filled by the capture, before
 * the pipeline itself could run out of them and stand still. The capture sees to it. */
#define PIPELINE_LENT_MAX   FIRN_BUFFERS_MAX
#define PIPELINE_STAGES_MAX FIRN_OBJECTS_MAX

/* Whose chunks they are. The callbacks run on the dedup thread, in the order of submission. */
struct pipeline_owner {
    /* Data of `count` units from `unit` on comes next: a chance to prepare the index. May be NULL. */
    void (*expect)(struct pipeline_owner *owner, uint64_t unit, uint64_t count);
    /* Where units lie (PACK_NONE: zeros). -1 fails the whole pipeline. */
    int (*place)(struct pipeline_owner *owner, const struct map_extent *extent,
                 struct firn_error **err);
    uint64_t pending; /* the pipeline's own: submissions not yet placed */
};

int pipeline_new(struct repo *repo, struct index *index, int level, unsigned workers,
                 struct pipeline **out, struct firn_error **err);
/* Stops and throws away what was not finished. NULL is fine. */
void pipeline_free(struct pipeline *pipeline);

/* A free buffer of PIPELINE_BUFFER bytes, aligned to 4096. Waits. CANCELLED, or what the pipeline failed with. */
int pipeline_buffer_get(struct pipeline *pipeline, void **data, struct firn_error **err);
/* INVALID if data is no buffer that was got and not given back. */
int pipeline_buffer_check(struct pipeline *pipeline, const void *data, struct firn_error **err);
void pipeline_buffer_put(struct pipeline *pipeline, void *data);

/* `count` chunks that stand one behind the other in the buffer (which is taken, also on error), units from `unit` on. */
int pipeline_submit_take(struct pipeline *pipeline, struct pipeline_owner *owner,
                         enum format_chunk kind, uint64_t unit, void *data, const uint32_t *lengths,
                         size_t count, struct firn_error **err);
/* Units that are zero, in order with the rest. */
int pipeline_submit_zero(struct pipeline *pipeline, struct pipeline_owner *owner, uint64_t unit,
                         uint64_t count, struct firn_error **err);
/* Waits until everything that this owner submitted has been placed. */
int pipeline_wait(struct pipeline *pipeline, struct pipeline_owner *owner, struct firn_error **err);
/* Everything submitted becomes durable. Nothing may be submitted after it. */
int pipeline_finish(struct pipeline *pipeline, struct firn_error **err);

struct pipeline_statistics {
    uint64_t bytes_read; /* in chunks submitted */
    uint64_t bytes_zero; /* of those, in chunks that were zero */
    uint64_t bytes_new;  /* stored, before compression */
    uint64_t bytes_stored;
    uint32_t packs;
};
void pipeline_statistics(struct pipeline *pipeline, struct pipeline_statistics *out);

#endif
