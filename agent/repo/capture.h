/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture: one run of the backup writer, from the first extent to the commit of the snapshot.
 *
 *     plugin → capture → block → dedup → compress → encrypt → pack → store
 *
 * The functions of one object must not overlap; different objects may be fed from different
 * threads. Everything waits while the pipeline is full: memory is fixed.
 */
#ifndef REPO_CAPTURE_H
#define REPO_CAPTURE_H

#include <firn/plugin.h>

#include "snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;
struct capture_object;
struct firn_error;
struct index;
struct repo;

struct capture_options {
    int compression;  /* zstd level; 0: the default, 1 */
    unsigned workers; /* threads that hash and compress; 0: one a core */
};

/* parent: the snapshot that object_parent refers to, borrowed until the capture ends; NULL: none. */
int capture_open(struct repo *repo, struct index *index, const struct snapshot *parent,
                 const struct capture_options *options, struct capture **out,
                 struct firn_error **err);

int capture_object_begin(struct capture *capture, const struct firn_object_info *info,
                         struct capture_object **out, struct firn_error **err);
int capture_object_parent(struct capture_object *object, struct firn_error **err);
int capture_extent(struct capture_object *object, uint64_t offset, const void *data,
                   uint64_t length, struct firn_error **err);
int capture_zero(struct capture_object *object, uint64_t offset, uint64_t length,
                 struct firn_error **err);
int capture_same(struct capture_object *object, uint64_t offset, uint64_t length,
                 struct firn_error **err);
int capture_buffer_get(struct capture *capture, void **data, size_t *capacity,
                       struct firn_error **err);
int capture_extent_take(struct capture_object *object, uint64_t offset, void *data, uint64_t length,
                        struct firn_error **err);
void capture_buffer_put(struct capture *capture, void *data);
int capture_stream(struct capture_object *object, const void *data, uint64_t length,
                   struct firn_error **err);
int capture_object_end(struct capture_object *object,
                       struct firn_error **err); /* frees the object, also on error */
void capture_object_abandon(struct capture_object *object);
/* 1: the repository holds it and it is now part of the snapshot; 0; -1. */
int capture_stream_known(struct capture *capture, const struct firn_object_info *info,
                         struct firn_error **err);

struct capture_statistics {
    uint64_t bytes_read;   /* given as data */
    uint64_t bytes_zero;   /* of those, in blocks that were zero, and what zero() named */
    uint64_t bytes_new;    /* stored, before compression */
    uint64_t bytes_stored; /* in packs, all told */
    uint64_t bytes_total;  /* lengths of all objects */
    uint64_t
        bytes_changed; /* in blocks that lie elsewhere than in the parent, and in streams sent */
    uint32_t packs;    /* written */
};
void capture_statistics(struct capture *capture, struct capture_statistics *out);

/* Makes all packs durable, then writes the snapshot: the commit point. `snapshot` carries what the
 * caller knows (item, tags, outcome, state, times); its objects, statistics and id are filled in.
 * Frees the capture, also on error. */
int capture_commit(struct capture *capture, struct snapshot *snapshot, struct firn_error **err);
/* Nothing of it can be seen; packs that were finished are left for collection. NULL is fine. */
void capture_abort(struct capture *capture);

#endif
