/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a stream: chunk after chunk, frame after frame, in the caller's thread.
 */
#include "core/buf.h"
#include "core/cancel.h"
#include "core/mem.h"
#include "repo.h"
#include "restore_reader.h"
#include "trailer_cache.h"

#include <string.h>

#define DOCUMENT_MAX (16u * 1024u * 1024u)

/* Nobody knows any more which chunks come, nor how long they are: the rest is zeros, if damage is salvaged. */
static int lose_rest(struct restore_reader *reader, struct firn_error **why,
                     struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    uint64_t left = reader->object->length - stream->position;
    if (!restore_lose(reader, stream->position, left, why))
        return fail(err, error_code(*why), "%s", error_message(*why));
    memset(stream->frame, 0, FORMAT_CHUNK_MAX);
    stream->frame_valid = false;
    stream->damaged = true;
    stream->lost = left;
    return 0;
}

int stream_open(struct restore_reader *reader, uint64_t start, struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    stream->skip = start;
    stream->frame = mem_aligned(FORMAT_CHUNK_MAX);
    if (start == 0 && reader->object->digest != NULL && /* of a part there is no digest */
        digester_new_for(reader->object->digest, &stream->digester, err) < 0)
        return -1;
    if (pack_reader_new(reader->repo, &stream->pack_reader, err) < 0)
        return -1;
    auto_error struct firn_error *why = NULL;
    if (map_cursor_open(reader->repo, &reader->object->map, 0, &stream->cursor, &why) == 0)
        return 0;
    return lose_rest(reader, &why, err);
}

void stream_close(struct restore_reader *reader)
{
    struct stream_reader *stream = &reader->stream;
    trailer_release(reader->repo, stream->trailer);
    pack_reader_free(stream->pack_reader);
    map_cursor_free(stream->cursor);
    digester_free(stream->digester);
    free(stream->frame);
}

/* The next extent, with its trailer: 1; 0: the end. */
static int next_extent(struct restore_reader *reader, struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    int more = map_cursor_next(stream->cursor, &stream->extent, err);
    if (more <= 0) {
        stream->extent.count = 0;
        return more;
    }
    const struct map_extent *extent = &stream->extent;
    if (extent->start != stream->unit || extent->pack == PACK_NONE)
        return fail(err, FIRN_CORRUPT, "the map of %s has a hole at chunk %llu",
                    reader->object->name, (unsigned long long)stream->unit);
    const struct pack_trailer *trailer = NULL;
    if (trailer_hold(reader->repo, extent->pack, &trailer, err) < 0)
        return -1;
    trailer_release(reader->repo, stream->trailer);
    stream->trailer = trailer;
    if (extent->ordinal >= trailer->chunk_count ||
        extent->count > trailer->chunk_count - extent->ordinal)
        return fail(err, FIRN_CORRUPT, "the map of %s names chunks that a pack does not have",
                    reader->object->name);
    return 1;
}

/* Reads the frame of a chunk; if it is damaged and that is salvaged, zeros stand for the chunk. */
static int read_frame(struct restore_reader *reader, const struct pack_chunk *chunk,
                      uint32_t through, struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    auto_error struct firn_error *why = NULL;
    stream->frame_valid = pack_reader_frame(stream->pack_reader, stream->trailer, chunk->frame,
                                            through, stream->frame, &why) == 0;
    if (stream->frame_valid)
        return 0;
    if (!restore_lose(reader, stream->position, chunk->length, &why))
        return fail(err, error_code(why), "%s", error_message(why));
    memset(stream->frame, 0, FORMAT_CHUNK_MAX);
    stream->damaged = true;
    return 0;
}

/* Makes the next chunk the current one: 1; 0: the end. */
static int next_whole_chunk(struct restore_reader *reader, struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    if (stream->extent.count == 0) {
        int more = next_extent(reader, err);
        if (more <= 0)
            return more;
    }
    const struct pack_trailer *trailer = stream->trailer;
    const struct pack_chunk *chunk = &trailer->chunks[stream->extent.ordinal];
    uint32_t through = trailer->chunks[stream->extent.ordinal + stream->extent.count - 1].frame;
    if (chunk->length > reader->object->length - stream->position)
        return fail(err, FIRN_CORRUPT, "%s goes on after its %llu bytes", reader->object->name,
                    (unsigned long long)reader->object->length);
    bool wanted = chunk->length > stream->skip;
    bool here = stream->frame_valid && stream->frame_pack == stream->extent.pack &&
                stream->frame_number == chunk->frame;
    if (wanted && !here) {
        stream->frame_valid = false;
        if (read_frame(reader, chunk, through, err) < 0)
            return -1;
        stream->frame_pack = stream->extent.pack;
        stream->frame_number = chunk->frame;
    }
    size_t skipped = wanted ? stream->skip : chunk->length;
    stream->skip -= skipped;
    stream->position += skipped;
    stream->chunk = stream->frame + chunk->offset + skipped;
    stream->chunk_left = chunk->length - skipped;
    stream->unit++;
    stream->extent.start++;
    stream->extent.ordinal++;
    stream->extent.count--;
    return 1;
}

/* The next of the zeros that stand for the rest. */
static int next_lost(struct restore_reader *reader)
{
    struct stream_reader *stream = &reader->stream;
    uint64_t part = stream->lost < FORMAT_CHUNK_MAX ? stream->lost : FORMAT_CHUNK_MAX;
    uint64_t skipped = part < stream->skip ? part : stream->skip;
    stream->lost -= part;
    stream->skip -= skipped;
    stream->position += skipped;
    stream->chunk = stream->frame;
    stream->chunk_left = part - skipped;
    return part > 0;
}

static int next_chunk(struct restore_reader *reader, struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    auto_error struct firn_error *why = NULL;
    bool rest_is_lost = stream->lost > 0 || stream->cursor == NULL;
    int more = rest_is_lost ? next_lost(reader) : next_whole_chunk(reader, &why);
    if (more >= 0)
        return more;
    if (lose_rest(reader, &why, err) < 0)
        return -1;
    map_cursor_free(steal(stream->cursor));
    return next_lost(reader);
}

static int prove_end(struct restore_reader *reader, struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    const struct snapshot_object *object = reader->object;
    stream->ended = true;
    if (stream->damaged) /* whoever salvages was told */
        return 0;
    if (stream->position != object->length)
        return fail(err, FIRN_CORRUPT, "%s has %llu bytes, and should have %llu", object->name,
                    (unsigned long long)stream->position, (unsigned long long)object->length);
    if (stream->digester == NULL)
        return 0;
    auto_free char *digest = NULL;
    if (digester_finish(stream->digester, &digest, err) < 0)
        return -1;
    if (strcmp(digest, object->digest) != 0)
        return fail(err, FIRN_CORRUPT, "%s has the digest %s, and should have %s", object->name,
                    digest, object->digest);
    return 0;
}

int64_t restore_read(struct restore_reader *reader, void *data, size_t capacity,
                     struct firn_error **err)
{
    struct stream_reader *stream = &reader->stream;
    if (reader->object->kind == FIRN_OBJECT_VOLUME)
        return fail(err, FIRN_INVALID, "%s is a volume, not a stream", reader->object->name);
    if (cancel_check(err) < 0)
        return -1;
    while (stream->chunk_left == 0) {
        int more = stream->ended ? 0 : next_chunk(reader, err);
        if (more < 0)
            return -1;
        if (more == 0)
            return stream->ended ? 0 : prove_end(reader, err);
    }
    size_t part = capacity < stream->chunk_left ? capacity : stream->chunk_left;
    memcpy(data, stream->chunk, part);
    if (stream->digester != NULL && digester_update(stream->digester, data, part, err) < 0)
        return -1;
    stream->chunk += part;
    stream->chunk_left -= part;
    stream->position += part;
    return (int64_t)part;
}

int restore_document(struct repo *repo, const struct snapshot_object *object, struct buf *out,
                     struct firn_error **err)
{
    if (object->kind == FIRN_OBJECT_VOLUME || object->length > DOCUMENT_MAX)
        return fail(err, FIRN_INVALID, "%s is no document", object->name);
    struct restore_reader *reader = NULL;
    if (restore_open(repo, object, 0, 1, &reader, err) < 0)
        return -1;
    char part[65536];
    int64_t length = 0;
    while ((length = restore_read(reader, part, sizeof(part), err)) > 0)
        buf_append(out, part, (size_t)length);
    restore_close(reader);
    return length < 0 ? -1 : buf_check(out, object->name, err);
}
