/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a commit, on which everything rests:
 *     1. data packs durable   2. meta packs, which name places in them, durable   3. the snapshot, which names meta packs
 * A crash before 3 leaves packs that nobody refers to, and no snapshot.
 */
#include "capture.h"

#include "capture_object.h"
#include "compress.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "map_digest.h"
#include "meta.h"
#include "protection.h"
#include "repo.h"

#include <openssl/crypto.h>
#include <string.h>

#define OBJECTS_MAX 1000000u

/* The cut points of streams depend on a key, so that their lengths tell nothing. */
static int make_keys(struct capture *capture, struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    static const uint8_t salt[FORMAT_SALT_LENGTH];
    int result = keyring_fingerprint_key(&capture->repo->keyring, key, err);
    if (result == 0)
        result = crypt_derive(key, salt, "firn cut v1", capture->cut_key, err);
    if (result == 0)
        result = fingerprinter_new(key, &capture->fingerprinter, err);
    OPENSSL_cleanse(key, sizeof(key));
    return result;
}

int capture_open(struct repo *repo, struct index *index, const struct snapshot *parent,
                 const struct capture_options *options, struct capture **out,
                 struct firn_error **err)
{
    struct capture *capture = mem_zalloc(sizeof(*capture));
    capture->repo = repo;
    capture->index = index;
    capture->parent = parent;
    pthread_mutex_init(&capture->lock, NULL);
    int level = options->compression == 0 ? COMPRESS_LEVEL : options->compression;
    if (protection_begin(repo, parent, err) < 0 || make_keys(capture, err) < 0 ||
        meta_writer_new(repo, &capture->meta, err) < 0 ||
        pipeline_new(repo, index, level, options->workers, &capture->pipeline, err) < 0) {
        capture_abort(capture);
        return -1;
    }
    *out = capture;
    return 0;
}

static void capture_free(struct capture *capture)
{
    pipeline_free(capture->pipeline);
    meta_writer_abort(capture->meta);
    fingerprinter_free(capture->fingerprinter);
    for (size_t i = 0; i < capture->object_count; i++)
        snapshot_object_free(&capture->objects[i]);
    free(capture->objects);
    OPENSSL_cleanse(capture->cut_key, sizeof(capture->cut_key));
    pthread_mutex_destroy(&capture->lock);
    free(capture);
}

void capture_abort(struct capture *capture)
{
    if (capture != NULL)
        capture_free(capture);
}

int capture_digest_fingerprint(struct capture *capture, const char *digest,
                               uint8_t out[FORMAT_FINGERPRINT_LENGTH], struct firn_error **err)
{
    pthread_mutex_lock(&capture->lock);
    int result = fingerprinter_make(capture->fingerprinter, FORMAT_CHUNK_DIGEST, digest,
                                    strlen(digest), out, err);
    pthread_mutex_unlock(&capture->lock);
    return result;
}

/* ------------------------------------------------------------------------------------------------ objects */

static bool name_is_valid(const char *name)
{
    if (name == NULL || name[0] == '\0' || strlen(name) > 1024)
        return false;
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return true;
}

static int check_info(const struct firn_object_info *info, struct firn_error **err)
{
    if (!name_is_valid(info->name))
        return fail(err, FIRN_INVALID, "an object has no name, or one with control characters");
    if (info->kind != FIRN_OBJECT_VOLUME && info->kind != FIRN_OBJECT_STREAM &&
        info->kind != FIRN_OBJECT_DOCUMENT)
        return fail(err, FIRN_INVALID, "%s: unknown kind of object", info->name);
    if (info->media_type == NULL || info->media_type[0] == '\0')
        return fail(err, FIRN_INVALID, "%s: no media type", info->name);
    return 0;
}

static void fill_result(struct snapshot_object *result, const struct firn_object_info *info)
{
    *result = (struct snapshot_object){
        .kind = info->kind,
        .name = mem_strdup(info->name),
        .media_type = mem_strdup(info->media_type),
        .length = info->length,
        .digest = info->kind == FIRN_OBJECT_VOLUME ? NULL : mem_strdup(info->digest),
    };
}

/* Counts an object in; -1 if too many are open, or one of this name is done. */
static int admit(struct capture *capture, const struct firn_object_info *info,
                 struct firn_error **err)
{
    int result = 0;
    pthread_mutex_lock(&capture->lock);
    if (capture->begun >= FIRN_OBJECTS_MAX)
        result = fail(err, FIRN_INVALID, "more than %u objects are being captured at once",
                      FIRN_OBJECTS_MAX);
    for (size_t i = 0; result == 0 && i < capture->object_count; i++)
        if (strcmp(capture->objects[i].name, info->name) == 0)
            result = fail(err, FIRN_INVALID, "there are two objects named %s", info->name);
    if (result == 0)
        capture->begun++;
    pthread_mutex_unlock(&capture->lock);
    return result;
}

static void object_free(struct capture_object *object)
{
    struct capture *capture = object->capture;
    if (object->stage != NULL)
        pipeline_buffer_put(capture->pipeline, object->stage);
    pipeline_wait(capture->pipeline, &object->owner,
                  NULL); /* its callbacks must not run any more */
    map_builder_free(object->builder);
    volume_free(object);
    stream_free(object);
    snapshot_object_free(&object->result);
    pthread_mutex_lock(&capture->lock);
    capture->begun--;
    pthread_mutex_unlock(&capture->lock);
    free(object);
}

int capture_object_begin(struct capture *capture, const struct firn_object_info *info,
                         struct capture_object **out, struct firn_error **err)
{
    if (check_info(info, err) < 0 || admit(capture, info, err) < 0)
        return -1;
    struct capture_object *object = mem_zalloc(sizeof(*object));
    object->capture = capture;
    object->builder = map_builder_new(capture->repo, capture->meta);
    fill_result(&object->result, info);
    int result =
        info->kind == FIRN_OBJECT_VOLUME ? volume_begin(object, err) : stream_begin(object, err);
    if (result < 0) {
        object_free(object);
        return -1;
    }
    *out = object;
    return 0;
}

static int add_result_take(struct capture *capture, struct snapshot_object *result,
                           struct firn_error **err)
{
    pthread_mutex_lock(&capture->lock);
    int status = 0;
    if (capture->object_count >= OBJECTS_MAX) {
        status = fail(err, FIRN_INVALID, "a snapshot has at most %u objects", OBJECTS_MAX);
    } else {
        if (capture->object_count % 64 == 0)
            capture->objects =
                mem_resize(capture->objects, capture->object_count + 64, sizeof(*result));
        capture->objects[capture->object_count++] = *result;
        *result = (struct snapshot_object){0};
    }
    pthread_mutex_unlock(&capture->lock);
    return status;
}

int capture_object_end(struct capture_object *object, struct firn_error **err)
{
    int result = object->result.kind == FIRN_OBJECT_VOLUME ? volume_end(object, err)
                                                           : stream_end(object, err);
    if (result == 0)
        result = add_result_take(object->capture, &object->result, err);
    object_free(object);
    return result;
}

void capture_object_abandon(struct capture_object *object)
{
    object_free(object);
}

/* A stream of this digest that this run already has, under another name. */
static bool known_here(struct capture *capture, const char *digest, struct snapshot_object *result)
{
    pthread_mutex_lock(&capture->lock);
    const struct snapshot_object *found = NULL;
    for (size_t i = 0; found == NULL && i < capture->object_count; i++)
        if (capture->objects[i].digest != NULL && strcmp(capture->objects[i].digest, digest) == 0)
            found = &capture->objects[i];
    if (found != NULL) {
        result->length = found->length;
        map_copy(&result->map, &found->map);
    }
    pthread_mutex_unlock(&capture->lock);
    return found != NULL;
}

/* A stream of this digest that an earlier snapshot left. */
static int known_before(struct capture *capture, struct snapshot_object *result,
                        struct firn_error **err)
{
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    struct map_run run = {0};
    if (capture_digest_fingerprint(capture, result->digest, fingerprint, err) < 0)
        return -1;
    int found =
        map_digest_find(capture->repo, capture->index, fingerprint, &run, &result->length, err);
    if (found <= 0)
        return found;
    return map_push_take(capture->repo, capture->meta, &result->map, &run, err) < 0 ? -1 : 1;
}

int capture_stream_known(struct capture *capture, const struct firn_object_info *info,
                         struct firn_error **err)
{
    if (check_info(info, err) < 0)
        return -1;
    if (info->kind != FIRN_OBJECT_STREAM || info->digest == NULL)
        return fail(err, FIRN_INVALID, "%s: only a stream with a digest can be known", info->name);
    struct snapshot_object result;
    fill_result(&result, info);
    int known =
        known_here(capture, info->digest, &result) ? 1 : known_before(capture, &result, err);
    if (known == 1 && info->length > 0 && info->length != result.length)
        known = fail(err, FIRN_CORRUPT,
                     "%s: the repository holds %s with %llu bytes, the source announces %llu",
                     info->name, info->digest, (unsigned long long)result.length,
                     (unsigned long long)info->length);
    if (known == 1 && add_result_take(capture, &result, err) < 0)
        known = -1;
    snapshot_object_free(&result);
    return known;
}

/* ------------------------------------------------------------------------------------------------ buffers */

int capture_buffer_get(struct capture *capture, void **data, size_t *capacity,
                       struct firn_error **err)
{
    pthread_mutex_lock(&capture->lock);
    bool allowed = capture->lent < PIPELINE_LENT_MAX;
    if (allowed)
        capture->lent++;
    pthread_mutex_unlock(&capture->lock);
    if (!allowed)
        return fail(err, FIRN_INVALID, "more than %u buffers are borrowed at once",
                    PIPELINE_LENT_MAX);
    *capacity = PIPELINE_BUFFER;
    if (pipeline_buffer_get(capture->pipeline, data, err) == 0)
        return 0;
    pthread_mutex_lock(&capture->lock);
    capture->lent--;
    pthread_mutex_unlock(&capture->lock);
    return -1;
}

void capture_buffer_put(struct capture *capture, void *data)
{
    if (pipeline_buffer_check(capture->pipeline, data, NULL) < 0)
        return;
    pthread_mutex_lock(&capture->lock);
    capture->lent--;
    pthread_mutex_unlock(&capture->lock);
    pipeline_buffer_put(capture->pipeline, data);
}

/* ------------------------------------------------------------------------------------------------ commit */

void capture_statistics(struct capture *capture, struct capture_statistics *out)
{
    struct pipeline_statistics figures;
    pipeline_statistics(capture->pipeline, &figures);
    *out = (struct capture_statistics){
        .bytes_read = figures.bytes_read,
        .bytes_zero = figures.bytes_zero,
        .bytes_new = figures.bytes_new,
        .bytes_stored = figures.bytes_stored,
        .packs = figures.packs,
    };
    pthread_mutex_lock(&capture->lock);
    out->bytes_changed = capture->bytes_changed;
    for (size_t i = 0; i < capture->object_count; i++)
        out->bytes_total += capture->objects[i].length;
    pthread_mutex_unlock(&capture->lock);
}

static void fill_figures(struct capture *capture, struct snapshot *snapshot, uint64_t meta_stored,
                         uint32_t meta_packs)
{
    struct capture_statistics figures;
    capture_statistics(capture, &figures);
    snapshot->bytes_total = figures.bytes_total;
    snapshot->bytes_read = figures.bytes_read;
    snapshot->bytes_zero = figures.bytes_zero;
    snapshot->bytes_new = figures.bytes_new;
    snapshot->bytes_changed = figures.bytes_changed;
    snapshot->bytes_stored = figures.bytes_stored + meta_stored;
    snapshot->packs = figures.packs + meta_packs;
}

int capture_commit(struct capture *capture, struct snapshot *snapshot, struct firn_error **err)
{
    uint64_t meta_stored = 0;
    uint32_t meta_packs = 0;
    int result = 0;
    if (capture->begun > 0)
        result = fail(err, FIRN_INVALID, "%u objects were begun and never ended", capture->begun);
    if (result == 0)
        result = pipeline_finish(capture->pipeline, err);
    if (result == 0)
        result = meta_writer_finish(steal(capture->meta), &meta_stored, &meta_packs, err);
    if (result == 0) {
        fill_figures(capture, snapshot, meta_stored, meta_packs);
        if (capture->parent != NULL) {
            memcpy(snapshot->parent, capture->parent->id, FORMAT_ID_LENGTH);
            if (!snapshot_is_copy(snapshot) &&
                snapshot->committed <=
                    capture->parent->committed) /* a clock that went back must not reorder them */
                snapshot->committed = capture->parent->committed + 1;
        }
        snapshot->objects = steal(capture->objects);
        snapshot->object_count = capture->object_count;
        capture->object_count = 0;
        result = snapshot_write(capture->repo, snapshot, err);
    }
    capture_free(capture);
    return result;
}
