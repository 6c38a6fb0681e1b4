/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What restore.c (the reader's life), restore_window.c (resolving), restore_volume.c (threads) and
 * restore_stream.c share. Private to them.
 */
#ifndef REPO_RESTORE_READER_H
#define REPO_RESTORE_READER_H

#include "core/error.h"
#include "crypt.h"
#include "map_cursor.h"
#include "map_delta.h"
#include "pack.h"
#include "restore.h"

#include <pthread.h>
#include <stdbool.h>

/* Blocks of one frame that lie next to one another, in the frame and in the volume. */
struct piece {
    const struct pack_trailer *trailer; /* held by the window */
    uint32_t pack;
    uint32_t frame;
    uint32_t first_chunk;
    uint32_t count;
    uint64_t unit;
};

/* A stretch of the volume, resolved: its pieces in the order of packs and frames. */
struct window {
    struct window *next;
    uint64_t start; /* offset */
    struct piece *pieces;
    size_t piece_count;
    size_t taken;       /* pieces that workers took */
    size_t done;        /* pieces whose extents are all in the ready list */
    size_t undelivered; /* extents in the ready list */
    bool last;          /* it reaches the end of the volume */
    const struct pack_trailer **trailers;
    size_t trailer_count;
};

/* A decoded frame; extents point into it. */
struct decoded {
    struct decoded *next_free;
    uint8_t *data; /* FORMAT_CHUNK_MAX bytes of decoded_memory */
    unsigned holders;
};

struct ready {
    struct ready *next;
    struct window *window;
    struct decoded *decoded; /* NULL: zeros */
    uint64_t offset;
    uint64_t length;
    const uint8_t *data;
};

struct volume_reader {
    pthread_mutex_t lock;
    pthread_cond_t work;       /* for workers: something to decode or to resolve */
    pthread_cond_t returned;   /* for workers that decode: a frame buffer became free */
    pthread_cond_t ready;      /* for readers */
    struct map_cursor *cursor; /* of a whole volume … */
    struct map_delta *delta;   /* … or what differs from another */
    struct map_extent ahead;   /* not yet resolved; count 0: none */
    uint64_t position;         /* everything below is resolved; offset */
    bool resolving;
    bool resolved;
    struct window *first_window, *last_window;
    size_t window_count;
    struct ready *first_ready, *last_ready;
    struct decoded *decoded;
    size_t decoded_count;
    uint8_t *decoded_memory;
    struct decoded *free_decoded;
    pthread_t *threads;
    unsigned thread_count;
    bool stopping;
    struct firn_error *error;
};

struct stream_reader {
    struct map_cursor *cursor;
    struct map_extent extent; /* what is left of the current one */
    const struct pack_trailer *trailer;
    struct pack_reader *pack_reader;
    uint8_t *frame; /* FORMAT_CHUNK_MAX */
    uint32_t frame_pack, frame_number;
    bool frame_valid;
    const uint8_t *chunk; /* what is left of the current chunk */
    size_t chunk_left;
    uint64_t unit;
    uint64_t position;
    uint64_t skip; /* bytes still to skip */
    uint64_t
        lost; /* bytes up to the end that come as zeros, since nobody knows the chunks any more */
    bool damaged; /* some of it came as zeros */
    struct digester *digester;
    bool ended;
};

struct restore_reader {
    const struct restore_salvage *salvage; /* NULL: damage is an error */
    pthread_mutex_t salvage_lock;
    struct repo *repo;
    const struct snapshot_object *object;
    struct volume_reader volume;
    struct stream_reader stream;
};

/* restore_window.c: resolves the next stretch. Zeros come in *zeros as ready extents. Called by one
 * thread at a time, without the lock. */
int window_resolve(struct restore_reader *reader, struct window **window, struct ready **zeros,
                   struct firn_error **err);
void window_free(struct repo *repo, struct window *window);

/* Whether to go on without what could not be read: true if it is damage and is salvaged; then it is told, and *why cleared. */
bool restore_lose(struct restore_reader *reader, uint64_t offset, uint64_t length,
                  struct firn_error **why);

int volume_open(struct restore_reader *reader, uint64_t start, unsigned workers,
                struct firn_error **err);
int volume_open_changes(struct restore_reader *reader, const struct snapshot_object *base,
                        unsigned workers, struct firn_error **err);
void volume_close(struct restore_reader *reader);
int stream_open(struct restore_reader *reader, uint64_t start, struct firn_error **err);
void stream_close(struct restore_reader *reader);

#endif
