/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object being captured: what capture.c, capture_volume.c and capture_stream.c share. Private to
 * them.
 */
#ifndef REPO_CAPTURE_OBJECT_H
#define REPO_CAPTURE_OBJECT_H

#include "capture.h"
#include "crypt.h"
#include "cut.h"
#include "map_builder.h"
#include "map_cursor.h"
#include "pipeline.h"
#include "snapshot.h"

#include <pthread.h>

/* A block of a volume that was given in pieces. */
struct partial {
    uint64_t unit;
    uint32_t covered; /* bytes that were given */
    uint8_t *data;
};
#define PARTIALS_MAX 64u

/* Extents that wait to be compared with the parent: a plugin reads with several buffers at once, and
 * what it gives comes a little out of order. A buffer makes at most one extent a block. */
#define LATE_MAX (2u * PIPELINE_LENT_MAX * (PIPELINE_BUFFER / FORMAT_BLOCK_SIZE))

struct volume {
    const struct snapshot_object *parent; /* NULL: what is not mentioned is zero */
    struct map_cursor *cursor;            /* over the parent's map, for comparing */
    struct map_extent ahead;              /* the cursor's extent; count 0: it ended */
    uint64_t position;                    /* first unit that the cursor can still compare */
    struct map_extent late[LATE_MAX];     /* placed, not yet compared */
    size_t late_count;
    struct map_cursor *hint_cursor; /* runs ahead of it, to prepare the index */
    struct map_extent hint;
    uint32_t hinted;  /* pack that the index was told of last */
    uint64_t credit;  /* units given since, by which hints are earned */
    uint64_t changed; /* units that differ from the parent, or that are data without one */
    struct partial partials[PARTIALS_MAX];
    size_t partial_count;
};

struct stream {
    struct cutter *cutter; /* NULL: whole buffers are chunks */
    struct digester *digester;
    bool sniffed;
    uint64_t length;
    uint64_t units;
};

struct capture_object {
    struct pipeline_owner owner; /* first: the pipeline's callbacks get it */
    struct capture *capture;
    struct snapshot_object result; /* becomes part of the snapshot */
    struct map_builder *builder;
    uint8_t *stage;      /* a pipeline buffer being filled, or NULL */
    uint64_t stage_unit; /* of its first block */
    size_t staged;       /* bytes in it */
    struct volume volume;
    struct stream stream;
};

struct capture {
    struct repo *repo;
    struct index *index;
    const struct snapshot *parent;
    struct pipeline *pipeline;
    struct meta_writer *meta;
    struct fingerprinter *fingerprinter; /* of digests; under the lock */
    uint8_t cut_key[FORMAT_KEY_LENGTH];
    pthread_mutex_t lock;
    unsigned lent;  /* buffers in the plugin's hands */
    unsigned begun; /* objects begun and not ended */
    struct snapshot_object *objects;
    size_t object_count;
    uint64_t bytes_changed;
};

int volume_begin(struct capture_object *object, struct firn_error **err);
int volume_end(struct capture_object *object,
               struct firn_error **err); /* leaves the map in result.map */
void volume_free(struct capture_object *object);
int stream_begin(struct capture_object *object, struct firn_error **err);
int stream_end(struct capture_object *object, struct firn_error **err);
void stream_free(struct capture_object *object);
/* The fingerprint under which a stream of this digest is found. */
int capture_digest_fingerprint(struct capture *capture, const char *digest,
                               uint8_t out[FORMAT_FINGERPRINT_LENGTH], struct firn_error **err);

#endif
