/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams and documents. An uncompressed archive is cut by content, so that what moved is still
 * found; everything else, above all compressed layers, which are found by their digest, goes in
 * buffer by buffer.
 */
#include "capture_object.h"
#include "core/error.h"
#include "core/mem.h"
#include "map_digest.h"
#include "repo.h"

#include <string.h>

#define DOCUMENT_MAX (16u * 1024u * 1024u)

static int place(struct pipeline_owner *owner, const struct map_extent *extent,
                 struct firn_error **err)
{
    struct capture_object *object = (struct capture_object *)owner;
    return map_builder_add(object->builder, extent, err);
}

int stream_begin(struct capture_object *object, struct firn_error **err)
{
    object->owner.place = place;
    if (object->result.digest == NULL)
        return 0;
    return digester_new_for(object->result.digest, &object->stream.digester, err);
}

void stream_free(struct capture_object *object)
{
    cutter_free(object->stream.cutter);
    digester_free(object->stream.digester);
}

/* Looks at the beginning of the stream, once. */
static int sniff(struct capture_object *object, struct firn_error **err)
{
    struct stream *stream = &object->stream;
    if (stream->sniffed)
        return 0;
    stream->sniffed = true;
    if (!cut_is_tar(object->stage, object->staged))
        return 0;
    return cutter_new(object->capture->cut_key, &stream->cutter, err);
}

/* Cuts the stage into chunks; what is left over (*rest bytes at its end) needs more data to decide. */
static size_t cut_stage(struct capture_object *object, bool last, uint32_t lengths[PIPELINE_CHUNKS],
                        size_t *rest)
{
    struct stream *stream = &object->stream;
    *rest = 0;
    if (stream->cutter == NULL) {
        lengths[0] = (uint32_t)object->staged;
        return 1;
    }
    size_t count = 0, done = 0;
    while (done < object->staged && count < PIPELINE_CHUNKS) {
        size_t next =
            cutter_next(stream->cutter, object->stage + done, object->staged - done, last);
        if (next == 0)
            break;
        lengths[count++] = (uint32_t)next;
        done += next;
    }
    *rest = object->staged - done;
    return count;
}

static int stage_get(struct capture_object *object, struct firn_error **err)
{
    void *buffer = NULL;
    if (pipeline_buffer_get(object->capture->pipeline, &buffer, err) < 0)
        return -1;
    object->stage = buffer;
    object->staged = 0;
    return 0;
}

/* Hands the stage to the pipeline; what cannot be cut yet begins the next one. */
static int stage_submit(struct capture_object *object, bool last, struct firn_error **err)
{
    uint32_t lengths[PIPELINE_CHUNKS];
    size_t rest = 0;
    if (sniff(object, err) < 0)
        return -1;
    size_t count = cut_stage(object, last, lengths, &rest);
    uint8_t *full = steal(object->stage);
    const uint8_t *left = full + object->staged - rest;
    if (rest > 0) {
        if (stage_get(object, err) < 0) {
            pipeline_buffer_put(object->capture->pipeline, full);
            return -1;
        }
        memcpy(object->stage, left, rest);
        object->staged = rest;
    }
    uint64_t unit = object->stream.units;
    object->stream.units += count;
    return pipeline_submit_take(object->capture->pipeline, &object->owner, FORMAT_CHUNK_STREAM,
                                unit, full, lengths, count, err);
}

int capture_stream(struct capture_object *object, const void *data, uint64_t length,
                   struct firn_error **err)
{
    struct stream *stream = &object->stream;
    if (object->result.kind == FIRN_OBJECT_VOLUME)
        return fail(err, FIRN_INVALID, "%s is a volume, not a stream", object->result.name);
    if (object->result.kind == FIRN_OBJECT_DOCUMENT && stream->length + length > DOCUMENT_MAX)
        return fail(err, FIRN_INVALID, "%s: a document has at most %u bytes", object->result.name,
                    DOCUMENT_MAX);
    if (object->result.length > 0 && length > object->result.length - stream->length)
        return fail(err, FIRN_CORRUPT, "%s: more than the %llu bytes that were announced",
                    object->result.name, (unsigned long long)object->result.length);
    if (stream->digester != NULL && digester_update(stream->digester, data, length, err) < 0)
        return -1;
    stream->length += length;
    const uint8_t *from = data;
    while (length > 0) {
        if (object->stage == NULL && stage_get(object, err) < 0)
            return -1;
        size_t part = PIPELINE_BUFFER - object->staged;
        if (part > length)
            part = length;
        memcpy(object->stage + object->staged, from, part);
        object->staged += part;
        from += part;
        length -= part;
        if (object->staged == PIPELINE_BUFFER && stage_submit(object, false, err) < 0)
            return -1;
    }
    return 0;
}

static int verify(struct capture_object *object, struct firn_error **err)
{
    struct stream *stream = &object->stream;
    if (object->result.length > 0 && stream->length != object->result.length)
        return fail(err, FIRN_CORRUPT, "%s: %llu bytes came, %llu were announced",
                    object->result.name, (unsigned long long)stream->length,
                    (unsigned long long)object->result.length);
    object->result.length = stream->length;
    if (stream->digester == NULL)
        return 0;
    auto_free char *digest = NULL;
    if (digester_finish(stream->digester, &digest, err) < 0)
        return -1;
    if (strcmp(digest, object->result.digest) != 0)
        return fail(err, FIRN_CORRUPT, "%s: its contents have the digest %s, not %s",
                    object->result.name, digest, object->result.digest);
    return 0;
}

int stream_end(struct capture_object *object, struct firn_error **err)
{
    struct capture *capture = object->capture;
    if (verify(object, err) < 0)
        return -1;
    while (object->stage != NULL)
        if (stage_submit(object, true, err) < 0)
            return -1;
    pthread_mutex_lock(&capture->lock);
    capture->bytes_changed += object->result.length;
    pthread_mutex_unlock(&capture->lock);
    struct map_run run = {0};
    if (pipeline_wait(capture->pipeline, &object->owner, err) < 0 ||
        map_builder_finish(steal(object->builder), &run, err) < 0)
        return -1;
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    if (object->result.digest != NULL &&
        (capture_digest_fingerprint(capture, object->result.digest, fingerprint, err) < 0 ||
         map_digest_write(capture->repo, capture->meta, fingerprint, object->result.length, &run,
                          err) < 0)) {
        map_run_free(&run);
        return -1;
    }
    return map_push_take(capture->repo, capture->meta, &object->result.map, &run, err);
}
