/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stages of the pipeline share: pipeline.c (buffers, submission, threads), block.c
 * (hashing), dedup.c (placing), frame_stage.c (compressing, sealing, packing), finish_stage.c
 * (storing). Private to them.
 */
#ifndef REPO_PIPELINE_STAGES_H
#define REPO_PIPELINE_STAGES_H

#include "core/error.h"
#include "pack.h"
#include "pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct compressor;
struct fingerprinter;

struct buffer {
    uint8_t *data;
    struct buffer *next_free;
    unsigned holders; /* under the lock; 0: free */
    bool lent;        /* with the capture, not yet submitted */
};

/* One submission. */
struct job {
    struct job *next;
    struct pipeline_owner *owner; /* NULL: the end of everything */
    struct buffer *buffer;        /* NULL: zero_units, or the end */
    uint64_t unit;
    uint64_t zero_units;
    bool hashed;
    uint32_t count;
    enum format_chunk kind;
    uint32_t lengths[PIPELINE_CHUNKS];
    bool zero[PIPELINE_CHUNKS];
    uint8_t fingerprints[PIPELINE_CHUNKS][FORMAT_FINGERPRINT_LENGTH];
};

/* A pack being filled: begun by dedup, which gives out places in it, written by the packing thread, and finished by another
 * while the next one is filled. */
struct open_pack {
    struct open_pack *next; /* in the order of packing, once it is full */
    struct pack_writer *writer;
    uint32_t number;
    uint32_t chunks;      /* places given out */
    atomic_ullong stored; /* bytes sealed so far */
};

struct frame {
    struct frame *next;
    struct open_pack *pack;
    struct buffer *buffer; /* that source points into, held; NULL: source is `gathered` */
    const uint8_t *source; /* `raw` bytes */
    uint8_t *gathered;     /* FORMAT_CHUNK_MAX bytes of its own, in frame_memory */
    uint8_t *packed;       /* the same, for the compressed payload */
    uint32_t raw;
    uint32_t count; /* 0: no frame, but the end of its pack */
    struct pack_chunk chunks[PIPELINE_CHUNKS];
    const void *payload;
    size_t payload_length;
    bool compressed;
    bool ready; /* for packing */
};

struct pipeline {
    struct repo *repo;
    struct index *index;
    int level;
    pthread_mutex_t lock;
    pthread_cond_t work;     /* for workers: a job to hash or a frame to compress */
    pthread_cond_t hashed;   /* for dedup: the first job is hashed */
    pthread_cond_t packable; /* for packing: the first frame is ready */
    pthread_cond_t returned; /* for who wants a buffer */
    pthread_cond_t released; /* for dedup: a frame became free */
    pthread_cond_t space; /* for everybody else: a submission was placed, or everything is done */

    struct buffer *buffers;
    size_t buffer_count;
    uint8_t *buffer_memory;
    struct buffer *free_buffers;

    struct job *jobs;
    struct job *free_jobs;
    struct job *first_job, *last_job; /* in the order of submission */
    struct job *next_to_hash;
    size_t data_jobs; /* submitted, not yet placed, with a buffer */
    size_t data_jobs_most;

    struct frame *frames;
    size_t frame_count;
    uint8_t *frame_memory;
    struct frame *free_frames;
    struct frame *first_frame, *last_frame; /* in the order of packing */
    struct frame *next_to_compress;

    struct open_pack *first_full, *last_full; /* to be finished */
    unsigned finishing;                       /* those, and the ones being finished */
    pthread_cond_t full;                      /* for finishing: there is a full pack */

    struct frame *frame;    /* being filled: dedup's own */
    struct open_pack *pack; /* being filled: dedup's own */

    pthread_t *threads;
    size_t thread_count;
    bool stopping;
    bool finished;            /* the end went through packing, and every pack is durable */
    struct firn_error *error; /* the first; from then on work is thrown away */
    struct pipeline_statistics statistics;
};

void pipeline_fail_take(struct pipeline *pipeline, struct firn_error *error);   /* lock not held */
bool pipeline_failed(struct pipeline *pipeline);                                /* lock not held */
void pipeline_buffer_release(struct pipeline *pipeline, struct buffer *buffer); /* lock held */

/* block.c: fingerprints and zero test of one job. */
int block_hash(struct fingerprinter *fingerprinter, struct job *job, struct firn_error **err);
/* dedup.c: places the chunks of one job; the end closes frame and pack. */
int dedup_place(struct pipeline *pipeline, struct job *job, struct firn_error **err);
/* frame_stage.c */
struct frame *frame_get(struct pipeline *pipeline); /* waits for a free one */
void frame_queue(struct pipeline *pipeline,
                 struct frame *frame); /* hands it to the workers, or to packing */
int frame_compress(struct compressor *compressor, struct frame *frame, struct firn_error **err);
int frame_pack(struct pipeline *pipeline, struct frame *frame, struct firn_error **err);
/* finish_stage.c */
unsigned finish_threads(const struct pipeline *pipeline); /* how many it takes */
void *finish_thread(void *pipeline);
void finish_queue_take(struct pipeline *pipeline,
                       struct open_pack *pack); /* waits while each thread has one */
void finish_all(struct pipeline *pipeline);     /* waits until all are durable, or it failed */
void open_pack_abandon_take(struct pipeline *pipeline, struct open_pack *pack); /* NULL is fine */
void frame_release(struct pipeline *pipeline, struct frame *frame);             /* lock held */

#endif
