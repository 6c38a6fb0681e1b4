/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots are read whole, to prove their CRC; of meta packs only the end. All by several threads, which share one lock: what they
 * do under it is small against what they wait for.
 */
#include "mark.h"

#include "pack.h"
#include "repo.h"
#include "snapshot.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "store/store.h"

#include <pthread.h>
#include <string.h>

struct mark {
    struct repo *repo;
    unsigned threads;
    pthread_mutex_t lock; /* guards what follows while threads run */
    uint16_t *bits;       /* these three by pack number */
    uint64_t *lengths;
    int64_t *times;
    uint32_t count, capacity;
    uint8_t (*roots)[FORMAT_ID_LENGTH]; /* that were followed, sorted by mark_again() */
    size_t root_count;
    uint32_t *queue; /* packs to follow */
    size_t queued;
    uint16_t *gains; /* by place in the queue: the bits that it passes on */
    bool forgiving;  /* a damaged end makes a pack opaque, and is no error */
};

static void make_room(struct mark *mark, uint32_t pack)
{
    if (pack < mark->count)
        return;
    if (pack >= mark->capacity) {
        uint32_t capacity = pack + pack / 4 + 1024;
        mark->bits = mem_resize(mark->bits, capacity, sizeof(*mark->bits));
        mark->lengths = mem_resize(mark->lengths, capacity, sizeof(*mark->lengths));
        mark->times = mem_resize(mark->times, capacity, sizeof(*mark->times));
        mark->capacity = capacity;
    }
    for (; mark->count <= pack; mark->count++) {
        mark->bits[mark->count] = 0;
        mark->lengths[mark->count] = 0;
        mark->times[mark->count] = 0;
    }
}

/* The number of a pack that something names, with room for it. */
static int number_of(struct mark *mark, const uint8_t *id, uint32_t *pack, struct firn_error **err)
{
    if (pack_table_number(mark->repo->packs, id, pack, err) < 0)
        return -1;
    make_room(mark, *pack);
    return 0;
}

static void enqueue(struct mark *mark, uint32_t pack, uint16_t gain)
{
    if (mark->queued % 1024 == 0) {
        mark->queue = mem_resize(mark->queue, mark->queued + 1024, sizeof(*mark->queue));
        mark->gains = mem_resize(mark->gains, mark->queued + 1024, sizeof(*mark->gains));
    }
    mark->queue[mark->queued] = pack;
    mark->gains[mark->queued++] = gain;
}

/* ------------------------------------------------------------------------------------------------ packs */

static int take_pack(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct mark *mark = context;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t pack = 0;
    if (!pack_name_parse(entry->name, id))
        return 0;
    if (number_of(mark, id, &pack, err) < 0)
        return -1;
    mark->bits[pack] |= MARK_THERE;
    mark->lengths[pack] = entry->length;
    mark->times[pack] = entry->modified;
    return 0;
}

/* The length of a pack, also of one that came after packs were listed. */
static int length_of(struct mark *mark, uint32_t pack, const uint8_t *id, uint64_t *length,
                     struct firn_error **err)
{
    char name[PACK_NAME_LENGTH];
    pthread_mutex_lock(&mark->lock);
    bool there = (mark->bits[pack] & MARK_THERE) != 0;
    *length = mark->lengths[pack];
    pthread_mutex_unlock(&mark->lock);
    pack_name(id, name);
    return there ? 0 : store_stat(mark->repo->store, name, length, NULL, err);
}

/* Reads what the pack says to rely on. 1; 0: it is damaged, and that is forgiven; -1. */
static int read_end(struct mark *mark, uint32_t pack, uint8_t (**references)[FORMAT_ID_LENGTH],
                    size_t *count, struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH];
    uint64_t length = 0;
    auto_error struct firn_error *why = NULL;
    pack_table_id(mark->repo->packs, pack, id);
    if (length_of(mark, pack, id, &length, &why) == 0 &&
        pack_references_read(mark->repo, id, length, references, count, &why) == 0)
        return 1;
    bool gone = error_code(why) == FIRN_NOTFOUND;
    if (gone && mark->forgiving) /* by another collector */
        return 1;
    if (error_code(why) == FIRN_CORRUPT && mark->forgiving)
        return 0;
    return fail(err, gone ? FIRN_CORRUPT : error_code(why), "%s", error_message(why));
}

static int follow_pack(void *context, size_t place, struct firn_error **err)
{
    struct mark *mark = context;
    uint32_t pack = mark->queue[place];
    uint8_t(*references)[FORMAT_ID_LENGTH] = NULL;
    size_t count = 0;
    int result = read_end(mark, pack, &references, &count, err);
    if (result < 0)
        return -1;
    pthread_mutex_lock(&mark->lock);
    uint16_t gain = mark->gains[place];
    if (result == 0)
        mark->bits[pack] |= MARK_OPAQUE;
    else if (mark->forgiving && count == 0)
        mark->bits[pack] |= MARK_DATA;
    else
        mark->bits[pack] |= gain;
    for (size_t i = 0; i < count && result > 0; i++) {
        uint32_t named = 0;
        result = number_of(mark, references[i], &named, err) < 0 ? -1 : 1;
        if (result > 0)
            mark->bits[named] |= gain;
    }
    pthread_mutex_unlock(&mark->lock);
    free(references);
    return result < 0 ? -1 : 0;
}

static int follow_queue(struct mark *mark, struct firn_error **err)
{
    int result = parallel_run(mark->queued, mark->threads, follow_pack, mark, err);
    free(steal(mark->queue));
    free(steal(mark->gains));
    mark->queued = 0;
    return result;
}

/* ------------------------------------------------------------------------------------------------ roots */

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, FORMAT_ID_LENGTH);
}

/* Roots that were listed, and not followed before. */
struct fresh_roots {
    struct mark *mark;
    uint8_t (*ids)[FORMAT_ID_LENGTH];
    size_t count;
};

static int take_root(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)err;
    struct fresh_roots *fresh = context;
    const struct mark *mark = fresh->mark;
    uint8_t id[FORMAT_ID_LENGTH];
    const char *text = entry->name + strlen("snapshots/");
    if (strlen(text) != 2 * FORMAT_ID_LENGTH || !hex_decode(text, id, FORMAT_ID_LENGTH))
        return 0;
    if (mark->root_count > 0 &&
        bsearch(id, mark->roots, mark->root_count, FORMAT_ID_LENGTH, by_id) != NULL)
        return 0;
    if (fresh->count % 64 == 0)
        fresh->ids = mem_resize(fresh->ids, fresh->count + 64, FORMAT_ID_LENGTH);
    memcpy(fresh->ids[fresh->count++], id, FORMAT_ID_LENGTH);
    return 0;
}

static int mark_root(struct mark *mark, const uint8_t (*references)[FORMAT_ID_LENGTH], size_t count,
                     struct firn_error **err)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t pack = 0;
        if (number_of(mark, references[i], &pack, err) < 0)
            return -1;
        if ((mark->bits[pack] & MARK_META) != 0)
            continue;
        mark->bits[pack] |= MARK_ALIVE | MARK_META;
        enqueue(mark, pack, MARK_ALIVE);
    }
    return 0;
}

static int read_root(void *context, size_t place, struct firn_error **err)
{
    struct fresh_roots *fresh = context;
    struct mark *mark = fresh->mark;
    uint8_t(*references)[FORMAT_ID_LENGTH] = NULL;
    size_t count = 0;
    auto_error struct firn_error *why = NULL;
    if (snapshot_references(mark->repo, fresh->ids[place], &references, &count, &why) < 0)
        return error_code(why) == FIRN_NOTFOUND /* forgotten since it was listed */
                   ? 0
                   : fail(err, error_code(why), "%s", error_message(why));
    pthread_mutex_lock(&mark->lock);
    int result = mark_root(mark, (const uint8_t(*)[FORMAT_ID_LENGTH])references, count, err);
    pthread_mutex_unlock(&mark->lock);
    free(references);
    return result;
}

static void keep_roots(struct mark *mark, const struct fresh_roots *fresh)
{
    mark->roots = mem_resize(mark->roots, mark->root_count + fresh->count + 1, FORMAT_ID_LENGTH);
    if (fresh->count > 0)
        memcpy(mark->roots + mark->root_count, fresh->ids, fresh->count * FORMAT_ID_LENGTH);
    mark->root_count += fresh->count;
    qsort(mark->roots, mark->root_count, FORMAT_ID_LENGTH, by_id);
}

int mark_again(struct mark *mark, struct firn_error **err)
{
    struct fresh_roots fresh = {.mark = mark};
    int result = store_list(mark->repo->store, "snapshots/", take_root, &fresh, err);
    if (result == 0)
        result = parallel_run(fresh.count, mark->threads, read_root, &fresh, err);
    if (result == 0) {
        keep_roots(mark, &fresh);
        mark->forgiving = false;
        result = follow_queue(mark, err);
    }
    free(fresh.ids);
    return result;
}

/* ------------------------------------------------------------------------------------------------ the whole */

int mark_open(struct repo *repo, unsigned threads, struct mark **out, struct firn_error **err)
{
    struct mark *mark = mem_zalloc(sizeof(*mark));
    mark->repo = repo;
    mark->threads = threads;
    pthread_mutex_init(&mark->lock, NULL);
    /* Packs first: what comes meanwhile is not in the list, and what a root needs that comes meanwhile is seen to be alive. */
    if (store_list(repo->store, "packs/", take_pack, mark, err) < 0 || mark_again(mark, err) < 0) {
        mark_free(mark);
        return -1;
    }
    *out = mark;
    return 0;
}

void mark_free(struct mark *mark)
{
    if (mark == NULL)
        return;
    pthread_mutex_destroy(&mark->lock);
    free(mark->bits);
    free(mark->lengths);
    free(mark->times);
    free(mark->roots);
    free(mark->queue);
    free(mark->gains);
    free(mark);
}

uint32_t mark_count(const struct mark *mark)
{
    return mark->count;
}

bool mark_has(const struct mark *mark, uint32_t pack, uint16_t bits)
{
    return pack < mark->count && (mark->bits[pack] & bits) != 0;
}

void mark_set(struct mark *mark, uint32_t pack, uint16_t bits)
{
    make_room(mark, pack);
    mark->bits[pack] |= bits;
}

void mark_unset(struct mark *mark, uint32_t pack, uint16_t bits)
{
    make_room(mark, pack);
    mark->bits[pack] &= (uint16_t)~bits;
}

void mark_clear(struct mark *mark, uint16_t bits)
{
    for (uint32_t pack = 0; pack < mark->count; pack++)
        mark->bits[pack] &= (uint16_t)~bits;
}

uint64_t mark_length(const struct mark *mark, uint32_t pack)
{
    return mark->lengths[pack];
}

int64_t mark_modified(const struct mark *mark, uint32_t pack)
{
    return mark->times[pack];
}

size_t mark_roots(const struct mark *mark)
{
    return mark->root_count;
}

uint32_t mark_missing(const struct mark *mark)
{
    uint32_t missing = 0;
    for (uint32_t pack = 0; pack < mark->count; pack++)
        missing += (mark->bits[pack] & (MARK_THERE | MARK_ALIVE)) == MARK_ALIVE;
    return missing;
}

int mark_follow(struct mark *mark, mark_choice *choice, void *context, struct firn_error **err)
{
    for (uint32_t pack = 0; pack < mark->count; pack++) {
        bool dead = (mark->bits[pack] & (MARK_THERE | MARK_ALIVE | MARK_DATA)) == MARK_THERE;
        uint16_t gain = dead ? choice(context, pack) : 0;
        if (gain != 0)
            enqueue(mark, pack, gain);
    }
    mark->forgiving = true;
    return follow_queue(mark, err);
}
