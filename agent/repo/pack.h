/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs: the files in which chunks lie. Written once, never changed.
 *
 *     header (256, clear) | frame | frame | … | references (clear) | trailer (sealed) | tail (64, clear)
 *
 * A frame is the sealed, usually compressed, concatenation of a few chunks. The trailer names every
 * frame's place and every chunk's length and fingerprint. A chunk is addressed by its ordinal in
 * the pack. References, in packs of class meta only, are the ids of the packs that the maps in it
 * rely on, so that a collector needs no key.
 */
#ifndef REPO_PACK_H
#define REPO_PACK_H

#include "format.h"
#include "keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct repo;
struct unsealer;

struct pack_chunk {
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    uint32_t length; /* bytes, 1 … FORMAT_CHUNK_MAX */
    uint32_t frame;  /* the frame that it lies in */
    uint32_t offset; /* where it begins in the uncompressed frame */
    uint8_t kind;    /* enum format_chunk */
};

struct pack_frame {
    uint64_t offset; /* of the sealed frame in the pack */
    uint32_t stored; /* sealed length */
    uint32_t raw;    /* uncompressed length */
    uint32_t first_chunk;
    uint32_t chunk_count;
    bool compressed;
};

struct pack_trailer {
    uint8_t id[FORMAT_ID_LENGTH];
    enum format_class class;
    uint8_t keying[FORMAT_KEYING_LENGTH];
    uint64_t length; /* of the whole pack */
    struct pack_frame *frames;
    uint32_t frame_count;
    struct pack_chunk *chunks;
    uint32_t chunk_count;
    uint8_t (*references)[FORMAT_ID_LENGTH];
    uint32_t reference_count;
};

/* Reads and checks header, references, trailer and tail of a pack. CORRUPT says what is damaged; NOTFOUND: no such pack. */
int pack_trailer_read(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH],
                      struct pack_trailer **out, struct firn_error **err);
void pack_trailer_free(struct pack_trailer *trailer); /* NULL is fine */
/* The packs that a pack of so many bytes says to rely on, in the clear: none if it is of class data. Proven by CRCs only, needs
 * no key. *out: count ids in a row, free() it. Errors as above. */
int pack_references_read(struct repo *repo, const uint8_t id[FORMAT_ID_LENGTH], uint64_t length,
                         uint8_t (**out)[FORMAT_ID_LENGTH], size_t *count, struct firn_error **err);

/* ---- writing: one thread at a time */
struct pack_writer;
int pack_writer_open(struct repo *repo, enum format_class class, struct pack_writer **out,
                     struct firn_error **err);
const uint8_t *pack_writer_id(const struct pack_writer *writer);
/* Seals and appends one frame. payload: what is stored before sealing (compressed or not); raw: its
 * uncompressed length. chunks: fingerprint, length and kind of each chunk in it, in order; frame
 * and offset are filled in here. */
int pack_writer_append(struct pack_writer *writer, const void *payload, size_t length, uint32_t raw,
                       bool compressed, const struct pack_chunk *chunks, size_t chunk_count,
                       struct firn_error **err);
uint64_t pack_writer_stored(const struct pack_writer *writer); /* bytes so far */
/* Durable; frees the writer, also on error. */
int pack_writer_finish(struct pack_writer *writer, const uint8_t (*references)[FORMAT_ID_LENGTH],
                       size_t reference_count, struct firn_error **err);
void pack_writer_abort(struct pack_writer *writer); /* NULL is fine */

/* Bytes of the pack from the beginning of frame `first` to the end of `last`. */
uint64_t pack_span(const struct pack_trailer *trailer, uint32_t first, uint32_t last);

/* ---- reading frames: one reader per thread */
struct pack_reader;
int pack_reader_new(struct repo *repo, struct pack_reader **out, struct firn_error **err);
void pack_reader_free(struct pack_reader *reader); /* NULL is fine */
/* Reads frame `number`, opens and uncompresses it into out (frame.raw bytes). `through` is the last
 * frame that will be asked for right after it, so that they are read from the store in one piece;
 * number if none. CORRUPT names pack and frame. */
int pack_reader_frame(struct pack_reader *reader, const struct pack_trailer *trailer,
                      uint32_t number, uint32_t through, void *out, struct firn_error **err);

#endif
