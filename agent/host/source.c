/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "repo/restore.h"
#include "services.h"

#include <pthread.h>
#include <string.h>

#define DOCUMENT_LONGEST (16u * 1024u * 1024u)

/* What a plugin holds as struct firn_reader: like the objects of a sink, it stays until the source goes. */
struct firn_reader {
    struct source *source;
    struct restore_reader *reader; /* NULL: closed */
    enum firn_object_kind kind;
    const char *name; /* the snapshot's */
    struct firn_reader *next;
};

struct source {
    struct firn_source interface;
    struct repo *repo;
    const struct snapshot *snapshot;
    const struct restore_salvage *salvage;
    struct services *services;
    pthread_mutex_t lock; /* what follows */
    struct firn_reader *readers;
};

static struct source *of(struct firn_source *source)
{
    return source->context;
}

#define refused(source, code, ...)                                                                 \
    ({                                                                                             \
        struct firn_error *refusal = NULL;                                                         \
        error_set(&refusal, code, __VA_ARGS__);                                                    \
        services_refused_take((source)->services, refusal);                                        \
    })

static int object(struct firn_source *interface, size_t number, struct firn_object_info *out)
{
    struct source *source = of(interface);
    if (out == NULL || number >= source->snapshot->object_count)
        return refused(source, FIRN_NOTFOUND, "the snapshot has no object number %zu", number);
    const struct snapshot_object *found = &source->snapshot->objects[number];
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = found->kind,
                                          .name = found->name,
                                          .media_type = found->media_type,
                                          .length = found->length,
                                          .digest = found->digest};
    size_t size = out->size;
    memcpy(out, &info, size < sizeof(info) ? size : sizeof(info));
    out->size = size;
    return 0;
}

static const struct snapshot_object *find(struct source *source, const char *name)
{
    const struct snapshot_object *found =
        name != NULL ? snapshot_object(source->snapshot, name) : NULL;
    if (found == NULL)
        refused(source, FIRN_NOTFOUND, "snapshot %.12s has no object %s", source->snapshot->id_text,
                name != NULL ? name : "without a name");
    return found;
}

/* What to do about damage. */
static struct firn_error *with_advice(struct firn_error *err)
{
    if (error_code(err) != FIRN_CORRUPT)
        return err;
    struct firn_error *advised = NULL;
    error_set(&advised, FIRN_CORRUPT,
              "%s: `firn repair` says what is lost, --skip-damaged restores the rest",
              error_message(err));
    error_clear(&err);
    return advised;
}

static int open_object(struct firn_source *interface, const char *name, uint64_t start,
                       struct firn_reader **out)
{
    struct source *source = of(interface);
    struct firn_error *err = NULL;
    struct restore_reader *reader;
    *out = NULL;
    const struct snapshot_object *found = find(source, name);
    if (found == NULL)
        return -1;
    if (start > found->length ||
        (found->kind == FIRN_OBJECT_VOLUME && start % FIRN_BLOCK_SIZE != 0))
        return refused(source, FIRN_INVALID, "object %s cannot be read from offset %llu on", name,
                       (unsigned long long)start);
    int opened =
        source->salvage != NULL
            ? restore_open_salvage(source->repo, found, start, source->salvage, &reader, &err)
            : restore_open(source->repo, found, start, 0, &reader, &err);
    if (opened < 0)
        return services_refused_take(source->services, with_advice(err));
    struct firn_reader *added = mem_zalloc(sizeof(*added));
    *added = (struct firn_reader){
        .source = source, .reader = reader, .kind = found->kind, .name = found->name};
    pthread_mutex_lock(&source->lock);
    added->next = source->readers;
    source->readers = added;
    pthread_mutex_unlock(&source->lock);
    *out = added;
    return 0;
}

static int check_open(struct firn_reader *reader)
{
    if (reader->reader == NULL)
        return refused(reader->source, FIRN_INVALID, "object %s: read after it was closed",
                       reader->name);
    return 0;
}

/* The plugin's structure may be shorter than ours; the cookie that release() needs must be in it. */
static int next_extent(struct firn_reader *reader, struct firn_extent *out)
{
    struct firn_error *err = NULL;
    struct firn_extent extent = {.size = sizeof(extent)};
    if (check_open(reader) < 0)
        return -1;
    if (out == NULL || out->size < sizeof(extent) || reader->kind != FIRN_OBJECT_VOLUME)
        return refused(reader->source, FIRN_INVALID, "object %s: wrong use of next_extent()",
                       reader->name);
    int more = restore_next(reader->reader, &extent, &err);
    if (more < 0)
        return services_broken_take(reader->source->services, with_advice(err));
    size_t size = out->size;
    if (more == 1) {
        memcpy(out, &extent, sizeof(extent));
        out->size = size;
    }
    return more;
}

static void release(struct firn_reader *reader, struct firn_extent *extent)
{
    if (reader->reader != NULL && extent != NULL)
        restore_release(reader->reader, extent);
}

static int64_t read_stream(struct firn_reader *reader, void *data, size_t capacity)
{
    struct firn_error *err = NULL;
    if (check_open(reader) < 0)
        return -1;
    if (reader->kind == FIRN_OBJECT_VOLUME || data == NULL)
        return refused(reader->source, FIRN_INVALID, "object %s: wrong use of read()",
                       reader->name);
    int64_t got = restore_read(reader->reader, data, capacity, &err);
    if (got < 0)
        return services_broken_take(reader->source->services, with_advice(err));
    return got;
}

static void close_reader(struct firn_reader *reader)
{
    if (reader != NULL && reader->reader != NULL)
        restore_close(steal(reader->reader));
}

static int document(struct firn_source *interface, const char *name, char **data, size_t *length)
{
    struct source *source = of(interface);
    struct firn_error *err = NULL;
    auto_buf struct buf text = buf_new(DOCUMENT_LONGEST);
    *data = NULL;
    const struct snapshot_object *found = find(source, name);
    if (found == NULL)
        return -1;
    if (found->kind == FIRN_OBJECT_VOLUME)
        return refused(source, FIRN_INVALID, "object %s is a volume, not a document", name);
    if (restore_document(source->repo, found, &text, &err) < 0 || buf_check(&text, name, &err) < 0)
        return services_refused_take(source->services, err);
    *length = text.length;
    *data = buf_take(&text);
    return 0;
}

static void document_free(struct firn_source *interface, char *data)
{
    (void)interface;
    free(data);
}

struct source *source_new(struct repo *repo, const struct snapshot *snapshot,
                          const struct restore_salvage *salvage, struct services *services)
{
    struct source *source = mem_zalloc(sizeof(*source));
    source->interface = (struct firn_source){.size = sizeof(struct firn_source),
                                             .context = source,
                                             .snapshot_id = snapshot->id_text,
                                             .item = snapshot->item,
                                             .object_count = snapshot->object_count,
                                             .object = object,
                                             .open = open_object,
                                             .next_extent = next_extent,
                                             .release = release,
                                             .read = read_stream,
                                             .close = close_reader,
                                             .document = document,
                                             .document_free = document_free};
    source->repo = repo;
    source->snapshot = snapshot;
    source->salvage = salvage;
    source->services = services;
    pthread_mutex_init(&source->lock, NULL);
    return source;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    while (source->readers != NULL) {
        struct firn_reader *reader = source->readers;
        source->readers = reader->next;
        close_reader(reader);
        free(reader);
    }
    pthread_mutex_destroy(&source->lock);
    free(source);
}

struct firn_source *source_interface(struct source *source)
{
    return &source->interface;
}
