/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include "core/mem.h"
#include "repo.h"
#include "restore_reader.h"

#include <assert.h>

static int reader_new(struct repo *repo, const struct snapshot_object *object,
                      struct restore_reader **out, struct firn_error **err)
{
    if (!repo->keyring.can_read)
        return fail(err, FIRN_DENIED, "this key may write and not read: restore %s with a full key",
                    object->name);
    struct restore_reader *reader = mem_zalloc(sizeof(*reader));
    reader->repo = repo;
    reader->object = object;
    pthread_mutex_init(&reader->volume.lock, NULL);
    pthread_mutex_init(&reader->salvage_lock, NULL);
    pthread_cond_init(&reader->volume.work, NULL);
    pthread_cond_init(&reader->volume.returned, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&reader->volume.ready, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = reader;
    return 0;
}

/* Hands the reader over, or, if it could not be opened, gives it up. */
static int opened(int result, struct restore_reader *reader, struct restore_reader **out,
                  struct firn_error **err)
{
    if (result < 0) {
        error_wrap(err, "%s", reader->object->name);
        restore_close(reader);
        return -1;
    }
    *out = reader;
    return 0;
}

static int open_from(struct repo *repo, const struct snapshot_object *object, uint64_t start,
                     unsigned workers, const struct restore_salvage *salvage,
                     struct restore_reader **out, struct firn_error **err)
{
    struct restore_reader *reader = NULL;
    if (start > object->length)
        return fail(err, FIRN_INVALID, "%s ends at %llu", object->name,
                    (unsigned long long)object->length);
    if (reader_new(repo, object, &reader, err) < 0)
        return -1;
    reader->salvage = salvage;
    int result = object->kind == FIRN_OBJECT_VOLUME ? volume_open(reader, start, workers, err)
                                                    : stream_open(reader, start, err);
    return opened(result, reader, out, err);
}

int restore_open(struct repo *repo, const struct snapshot_object *object, uint64_t start,
                 unsigned workers, struct restore_reader **out, struct firn_error **err)
{
    return open_from(repo, object, start, workers, NULL, out, err);
}

int restore_open_salvage(struct repo *repo, const struct snapshot_object *object, uint64_t start,
                         const struct restore_salvage *salvage, struct restore_reader **out,
                         struct firn_error **err)
{
    return open_from(repo, object, start, 0, salvage, out, err);
}

bool restore_lose(struct restore_reader *reader, uint64_t offset, uint64_t length,
                  struct firn_error **why)
{
    bool damage = error_code(*why) == FIRN_CORRUPT || error_code(*why) == FIRN_NOTFOUND;
    const struct restore_salvage *salvage = reader->salvage;
    if (!damage || salvage == NULL)
        return false;
    uint64_t end = reader->object->length;
    if (offset < end && length > end - offset)
        length = end - offset;
    if (offset < end && length > 0) {
        pthread_mutex_lock(&reader->salvage_lock);
        salvage->lost(salvage->context, reader->object->name, offset, length, error_message(*why));
        pthread_mutex_unlock(&reader->salvage_lock);
    }
    error_clear(why);
    return true;
}

int restore_open_changes(struct repo *repo, const struct snapshot_object *object,
                         const struct snapshot_object *base, unsigned workers,
                         struct restore_reader **out, struct firn_error **err)
{
    struct restore_reader *reader = NULL;
    assert(object->kind == FIRN_OBJECT_VOLUME && base->kind == FIRN_OBJECT_VOLUME);
    if (reader_new(repo, object, &reader, err) < 0)
        return -1;
    return opened(volume_open_changes(reader, base, workers, err), reader, out, err);
}

void restore_close(struct restore_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->object->kind == FIRN_OBJECT_VOLUME)
        volume_close(reader);
    else
        stream_close(reader);
    pthread_cond_destroy(&reader->volume.work);
    pthread_cond_destroy(&reader->volume.returned);
    pthread_cond_destroy(&reader->volume.ready);
    pthread_mutex_destroy(&reader->volume.lock);
    pthread_mutex_destroy(&reader->salvage_lock);
    free(reader);
}
