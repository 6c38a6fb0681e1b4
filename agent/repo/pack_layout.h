/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a pack, shared by its writer and its readers (docs/repository-format.md, "Packs").
 *
 *     0        header, 256 bytes, clear
 *     256      frames, sealed, back to back
 *     R        references, 16 bytes each, clear
 *     T        trailer, sealed; its associated data is the header and the references
 *     E - 320  a copy of the header, so that one read from the end finds everything
 *     E - 64   tail, clear
 */
#ifndef REPO_PACK_LAYOUT_H
#define REPO_PACK_LAYOUT_H

#include "core/buf.h"
#include "format.h"
#include "keys.h"

#include <string.h>

#define PACK_HEADER_LENGTH 256u
#define PACK_TAIL_LENGTH   64u
#define PACK_END_LENGTH    (PACK_HEADER_LENGTH + PACK_TAIL_LENGTH)
#define PACK_HEADER_MAGIC  "FIRNPACK"
#define PACK_TAIL_MAGIC    "FIRNTAIL"
#define PACK_FRAME_RECORD  12u
#define PACK_CHUNK_RECORD  36u
#define PACK_COMPRESSED    0x80000000u /* in a frame record's chunk count */

/* Header: magic 8 | u32 version | u8 class | 3 zero | repository 16 | pack 16 | keying 160 | zero | u32 crc at 252 */
struct pack_header {
    enum format_class class;
    uint8_t repository[FORMAT_ID_LENGTH];
    uint8_t id[FORMAT_ID_LENGTH];
    uint8_t keying[FORMAT_KEYING_LENGTH];
};

/* Tail: magic 8 | u64 pack length | u64 references offset | u32 references | u32 sealed trailer
 * length | u32 crc of the pack up to here | u32 crc of the references | zero | u32 crc of the tail at 60 */
struct pack_tail {
    uint64_t length;
    uint64_t references;
    uint32_t reference_count;
    uint32_t trailer_length;
    uint32_t pack_crc; /* CRC-32C of all bytes before the tail */
    uint32_t
        references_crc; /* CRC-32C of the references: what a collector proves them by, without a key */
};

/* The associated data of a frame: repository 16 | pack 16 | u32 frame | u8 type | u8 compressed | u32 raw length */
#define PACK_FRAME_AAD 42u
static inline void pack_frame_aad(const uint8_t *repository, const uint8_t *pack, uint32_t frame,
                                  bool compressed, uint32_t raw, uint8_t out[PACK_FRAME_AAD])
{
    memcpy(out, repository, FORMAT_ID_LENGTH);
    memcpy(out + 16, pack, FORMAT_ID_LENGTH);
    for (unsigned i = 0; i < 4; i++) {
        out[32 + i] = (uint8_t)(frame >> (8 * i));
        out[38 + i] = (uint8_t)(raw >> (8 * i));
    }
    out[36] = FORMAT_FRAME;
    out[37] = compressed ? 1 : 0;
}

#endif
