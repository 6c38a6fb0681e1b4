/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The constants of the repository format, version 1. docs/repository-format.md is the
 * specification.
 *
 *     config                    who this repository is, in the clear
 *     keys/SLOT                 one wrapped copy of the keyring each
 *     packs/XX/PACK             frames of data (class data) or of maps (class meta), with a trailer
 *     snapshots/SNAPSHOT        one small object each, written last: the commit point
 */
#ifndef REPO_FORMAT_H
#define REPO_FORMAT_H

#include <firn/plugin.h>

#include <stdint.h>

#define FORMAT_VERSION 1u

#define FORMAT_ID_LENGTH          16u /* repository, pack and snapshot ids: random bytes, hex in names */
#define FORMAT_ID_TEXT            33u /* hex and a NUL */
#define FORMAT_KEY_LENGTH         32u
#define FORMAT_SALT_LENGTH        32u
#define FORMAT_FINGERPRINT_LENGTH 32u /* HMAC-SHA-256 */

#define FORMAT_BLOCK_SIZE FIRN_BLOCK_SIZE /* the unit of volumes */
#define FORMAT_CHUNK_MAX                                                                           \
    (1024u * 1024u) /* the largest chunk, and the largest frame, uncompressed */
#define FORMAT_FRAME_RAW       (1024u * 1024u) /* chunks are gathered into frames of about this size */
#define FORMAT_PACK_STORED     (32u * 1024u * 1024u) /* a pack is closed once it holds this much … */
#define FORMAT_PACK_CHUNKS     4096u                 /* … or this many chunks */
#define FORMAT_LENGTH_MAX      (UINT64_C(1) << 60) /* of an object */
#define FORMAT_PACK_CHUNKS_MAX 65536u              /* a reader refuses more */

/* What a sealed message is; part of its associated data, so that none passes for another. */
enum format_type {
    FORMAT_FRAME = 1,
    FORMAT_TRAILER = 2,
    FORMAT_SNAPSHOT = 3,
    FORMAT_SLOT = 4,
};

enum format_class {
    FORMAT_DATA = 1, /* contents: readable with the data key only */
    FORMAT_META = 2, /* maps: readable with the index key, so by a write-only writer, too */
};

/* What a chunk is; the fingerprint of each kind is made under another label, so that kinds never deduplicate together. */
enum format_chunk {
    FORMAT_CHUNK_BLOCK =
        1, /* of a volume: FORMAT_BLOCK_SIZE bytes, the last one of a volume may be shorter */
    FORMAT_CHUNK_STREAM = 2, /* of a stream or document */
    FORMAT_CHUNK_MAP = 3,    /* of a map run */
    FORMAT_CHUNK_DIGEST =
        4, /* a map run of a stream, found by the stream's digest: the fingerprint is of the digest's text */
};

#endif
