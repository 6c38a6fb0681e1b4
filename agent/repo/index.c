/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deduplication index: what is hot is looked at first; then a hook may name a pack, whose
 * trailer then becomes hot.
 *
 *     find ──> hot ──miss──> hooks ──pack──> trailer (read without the lock) ──> hot
 *
 * Of the memory, hooks take at most half; the hot set gets what they leave.
 */
#include "index.h"

#include "gate.h"
#include "index_cache.h"
#include "index_hooks.h"
#include "index_hot.h"
#include "pack.h"
#include "repo.h"

#include "core/cancel.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define READERS_MOST   8u  /* threads that read trailers when opening */
#define PROGRESS_EVERY 64u /* packs */

/* What is known of a pack; bits. */
enum {
    PACK_HOOKED = 1,  /* its hooks are in, and it may be named in the cache */
    PACK_LOADING = 2, /* a thread reads its trailer */
    PACK_UNUSABLE = 4,
};

struct index {
    pthread_mutex_t lock;
    pthread_cond_t loaded; /* a pack is no longer PACK_LOADING */
    struct repo *repo;
    char *cache_path; /* NULL: none */
    size_t memory;
    struct hooks *hooks;
    struct hot *hot;
    uint8_t *flags; /* by pack number */
    uint32_t flag_count;
    uint64_t trailers_read;
};

static uint8_t *flags_of(struct index *index, uint32_t pack)
{
    if (pack >= index->flag_count) {
        uint32_t count = (pack / 1024 + 1) * 1024;
        index->flags = mem_resize(index->flags, count, sizeof(*index->flags));
        memset(index->flags + index->flag_count, 0, count - index->flag_count);
        index->flag_count = count;
    }
    return &index->flags[pack];
}

/* What the hot set may take while others take so much. */
static size_t rest_of(size_t memory, size_t others)
{
    return memory > others ? memory - others : 0;
}

static size_t hot_limit(const struct index *index)
{
    return rest_of(index->memory, hooks_memory(index->hooks) + index->flag_count);
}

/* ------------------------------------------------------------------------------------------------ packs */

/* Digest records are always hooks. So is a pack's first chunk: whoever reads on past the end of another pack then finds the
 * pack that was written next. Nobody looks for the chunks of maps. */
static void add_hook(struct index *index, uint32_t pack, uint32_t ordinal, uint8_t kind,
                     const uint8_t *fingerprint)
{
    size_t ahead = hooks_memory_ahead(index->hooks);
    if (ahead > 0) {
        hot_trim(index->hot, rest_of(hot_limit(index), ahead));
        malloc_trim(
            0); /* what left the hot set does not come back as such: let the system have it */
    }
    if (kind == FORMAT_CHUNK_DIGEST || (ordinal == 0 && kind != FORMAT_CHUNK_MAP))
        hooks_put_always(index->hooks, fingerprint, pack);
    else if (kind != FORMAT_CHUNK_MAP)
        hooks_put(index->hooks, fingerprint, pack);
}

static void add_hooks(struct index *index, uint32_t pack, const struct pack_trailer *trailer)
{
    for (uint32_t i = 0; i < trailer->chunk_count; i++)
        add_hook(index, pack, i, trailer->chunks[i].kind, trailer->chunks[i].fingerprint);
    *flags_of(index, pack) |= PACK_HOOKED;
}

static void make_hot(struct index *index, uint32_t pack, const struct pack_trailer *trailer)
{
    hot_trim(index->hot, rest_of(hot_limit(index), hot_pack_memory(trailer->chunk_count)));
    hot_pack_begin(index->hot, pack);
    for (uint32_t i = 0; i < trailer->chunk_count; i++)
        hot_pack_add(index->hot, pack, (enum format_chunk)trailer->chunks[i].kind,
                     trailer->chunks[i].fingerprint);
    hot_pack_end(index->hot, pack);
    hot_trim(index->hot, hot_limit(index));
}

/* Reads a pack's trailer. 1; 0: the pack is damaged or gone, and unusable from now on; -1. The lock is let go meanwhile. */
static int read_trailer(struct index *index, uint32_t pack, struct pack_trailer **out,
                        struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH];
    auto_error struct firn_error *why = NULL;
    pack_table_id(index->repo->packs, pack, id);
    *flags_of(index, pack) |= PACK_LOADING;
    pthread_mutex_unlock(&index->lock);
    int result = pack_trailer_read(index->repo, id, out, &why);
    pthread_mutex_lock(&index->lock);
    *flags_of(index, pack) &= (uint8_t)~PACK_LOADING;
    pthread_cond_broadcast(&index->loaded);
    index->trailers_read++;
    if (result == 0)
        return 1;
    if (error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND) {
        *flags_of(index, pack) |= PACK_UNUSABLE;
        log_warning("not used for deduplication: %s", error_message(why));
        return 0;
    }
    if (err != NULL)
        *err = steal(why);
    return -1;
}

/* Brings a pack into the hot set, if it is there to be read. */
static int load(struct index *index, uint32_t pack, struct firn_error **err)
{
    while (*flags_of(index, pack) & PACK_LOADING)
        pthread_cond_wait(&index->loaded, &index->lock);
    bool readable = !(*flags_of(index, pack) & PACK_UNUSABLE) && gate_allows(index->repo, pack);
    if (!readable || hot_has(index->hot, pack))
        return 0;
    struct pack_trailer *trailer = NULL;
    int result = read_trailer(index, pack, &trailer, err);
    if (result > 0)
        make_hot(index, pack, trailer);
    pack_trailer_free(trailer);
    return result < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ opening */

/* The packs that the cache did not know, read by a few threads: a store far away answers slowly, but many at once. */
struct scan {
    struct index *index;
    uint32_t next, end; /* pack numbers that nobody took yet */
    uint32_t done, total;
    index_progress *progress;
    void *context;
    struct firn_error *error; /* the first */
};

static bool is_unknown(struct index *index, uint32_t pack)
{
    return (*flags_of(index, pack) & (PACK_HOOKED | PACK_UNUSABLE)) == 0 &&
           gate_allows(index->repo, pack);
}

/* Takes the next pack to read; false: there is none, or the scan has failed. */
static bool scan_take(struct scan *scan, uint32_t *pack)
{
    while (scan->error == NULL && scan->next < scan->end) {
        *pack = scan->next++;
        if (is_unknown(scan->index, *pack))
            return true;
    }
    return false;
}

static int scan_pack(struct scan *scan, uint32_t pack, struct firn_error **err)
{
    struct index *index = scan->index;
    struct pack_trailer *trailer = NULL;
    if (cancel_check(err) < 0)
        return -1;
    int result = read_trailer(index, pack, &trailer, err);
    if (result > 0) {
        add_hooks(index, pack, trailer);
        if (hot_memory(index->hot) + hot_pack_memory(trailer->chunk_count) <= hot_limit(index))
            make_hot(index, pack, trailer);
    }
    pack_trailer_free(trailer);
    if (result >= 0 && (++scan->done % PROGRESS_EVERY == 0 || scan->done == scan->total) &&
        scan->progress != NULL)
        scan->progress(scan->context, scan->done, scan->total);
    return result < 0 ? -1 : 0;
}

static void *scan_packs(void *context)
{
    struct scan *scan = context;
    uint32_t pack = 0;
    pthread_mutex_lock(&scan->index->lock);
    while (scan_take(scan, &pack)) {
        auto_error struct firn_error *err = NULL;
        if (scan_pack(scan, pack, &err) < 0 && scan->error == NULL)
            scan->error = steal(err);
    }
    pthread_mutex_unlock(&scan->index->lock);
    return NULL;
}

static int read_unknown(struct index *index, index_progress *progress, void *context,
                        struct firn_error **err)
{
    struct scan scan = {.index = index, .progress = progress, .context = context};
    scan.end = pack_table_count(index->repo->packs);
    for (uint32_t pack = 0; pack < scan.end; pack++)
        scan.total += is_unknown(index, pack);
    pthread_t threads[READERS_MOST];
    unsigned started = 0;
    while (started < READERS_MOST && started < scan.total / 8 &&
           pthread_create(&threads[started], NULL, scan_packs, &scan) == 0)
        started++;
    scan_packs(&scan);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (scan.error == NULL)
        return 0;
    if (err == NULL)
        error_clear(&scan.error);
    else
        *err = scan.error;
    return wrap(err, "read the index of packs");
}

static void read_cache(struct index *index)
{
    auto_error struct firn_error *why = NULL;
    auto_free uint32_t *packs = NULL;
    struct hooks *hooks = NULL;
    size_t count = 0;
    if (index->cache_path == NULL)
        return;
    if (index_cache_read(index->cache_path, index->repo, index->memory / 2, &hooks, &packs, &count,
                         &why) < 0) {
        log_debug("the index is made anew: %s", error_message(why));
        return;
    }
    hooks_free(index->hooks);
    index->hooks = hooks;
    for (size_t i = 0; i < count; i++)
        *flags_of(index, packs[i]) |= PACK_HOOKED;
}

/* A new string; NULL: no cache is wanted. */
static char *cache_path(const struct repo *repo, const char *directory)
{
    auto_free char *name = mem_printf("index-%s", repo->id_text);
    return directory != NULL ? file_join(directory, name) : NULL;
}

void index_forget(struct repo *repo, const char *cache_directory)
{
    auto_free char *path = cache_path(repo, cache_directory);
    if (path != NULL)
        unlink(path);
}

static struct index *index_new(struct repo *repo, const char *cache_directory, size_t memory)
{
    struct index *index = mem_zalloc(sizeof(*index));
    pthread_mutex_init(&index->lock, NULL);
    pthread_cond_init(&index->loaded, NULL);
    index->repo = repo;
    index->memory = memory;
    index->hooks = hooks_new(memory / 2);
    index->hot = hot_new();
    index->cache_path = cache_path(repo, cache_directory);
    return index;
}

static void index_free(struct index *index)
{
    hooks_free(index->hooks);
    hot_free(index->hot);
    free(index->flags);
    free(index->cache_path);
    pthread_cond_destroy(&index->loaded);
    pthread_mutex_destroy(&index->lock);
    free(index);
}

int index_open(struct repo *repo, const char *cache_directory, size_t memory,
               index_progress *progress, void *context, struct index **out, struct firn_error **err)
{
    struct index *index = index_new(repo, cache_directory, memory);
    int result = gate_open(repo, err);
    if (result == 0) {
        read_cache(index);
        result = read_unknown(index, progress, context, err);
    }
    if (result < 0) {
        index_free(index);
        return -1;
    }
    *out = index;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ closing */

static int write_cache(struct index *index, struct firn_error **err)
{
    auto_free uint32_t *packs = mem_array((size_t)index->flag_count + 1, sizeof(*packs));
    size_t count = 0;
    for (uint32_t pack = 0; pack < index->flag_count; pack++) {
        if ((index->flags[pack] & (PACK_HOOKED | PACK_UNUSABLE)) == PACK_HOOKED)
            packs[count++] = pack;
    }
    auto_free char *directory = mem_strdup(index->cache_path);
    *strrchr(directory, '/') = '\0';
    if (*directory != '\0' && file_make_directories(directory, 0700, err) < 0)
        return -1;
    return index_cache_write(index->cache_path, index->repo, index->hooks, packs, count, err);
}

void index_close(struct index *index)
{
    if (index == NULL)
        return;
    auto_error struct firn_error *why = NULL;
    if (index->cache_path != NULL && write_cache(index, &why) < 0)
        log_debug("the next run makes the index anew: %s", error_message(why));
    index_free(index);
}

/* ------------------------------------------------------------------------------------------------ use */

static int find(struct index *index, enum format_chunk kind, const uint8_t *fingerprint,
                uint32_t *pack, uint32_t *ordinal, struct firn_error **err)
{
    uint32_t hooked = 0;
    if (hot_find(index->hot, kind, fingerprint, pack, ordinal))
        return 1;
    if (!hooks_find(index->hooks, fingerprint, &hooked))
        return 0;
    if (load(index, hooked, err) < 0)
        return -1;
    return hot_find(index->hot, kind, fingerprint, pack, ordinal);
}

int index_find(struct index *index, enum format_chunk kind,
               const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], uint32_t *pack,
               uint32_t *ordinal, struct firn_error **err)
{
    pthread_mutex_lock(&index->lock);
    int result = find(index, kind, fingerprint, pack, ordinal, err);
    pthread_mutex_unlock(&index->lock);
    return result;
}

int index_look_ahead(struct index *index, const uint8_t (*fingerprints)[FORMAT_FINGERPRINT_LENGTH],
                     size_t count, struct firn_error **err)
{
    int result = 0;
    pthread_mutex_lock(&index->lock);
    for (size_t i = 0; i < count && result == 0; i++) {
        uint32_t pack = 0;
        if (hooks_find(index->hooks, fingerprints[i], &pack))
            result = load(index, pack, err);
    }
    pthread_mutex_unlock(&index->lock);
    return result;
}

bool index_hint(struct index *index, uint32_t pack)
{
    pthread_mutex_lock(&index->lock);
    uint64_t before = index->trailers_read;
    (void)load(index, pack, NULL);
    bool was_read = index->trailers_read != before;
    pthread_mutex_unlock(&index->lock);
    return was_read;
}

void index_pack_begin(struct index *index, uint32_t pack)
{
    pthread_mutex_lock(&index->lock);
    hot_pack_begin(index->hot, pack);
    pthread_mutex_unlock(&index->lock);
}

void index_pack_add(struct index *index, uint32_t pack, enum format_chunk kind,
                    const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH])
{
    pthread_mutex_lock(&index->lock);
    hot_pack_add(index->hot, pack, kind, fingerprint);
    pthread_mutex_unlock(&index->lock);
}

void index_pack_end(struct index *index, uint32_t pack)
{
    pthread_mutex_lock(&index->lock);
    uint32_t count = 0;
    const struct hot_chunk *chunks = hot_chunks(index->hot, pack, &count);
    for (uint32_t i = 0; i < count;
         i++) /* before it may leave: making room for hooks lets others go */
        add_hook(index, pack, i, chunks[i].kind, chunks[i].fingerprint);
    hot_pack_end(index->hot, pack);
    *flags_of(index, pack) |= PACK_HOOKED;
    hot_trim(index->hot, hot_limit(index));
    pthread_mutex_unlock(&index->lock);
}

void index_pack_abandon(struct index *index, uint32_t pack)
{
    pthread_mutex_lock(&index->lock);
    hot_pack_abandon(index->hot, pack);
    pthread_mutex_unlock(&index->lock);
}

void index_statistics(struct index *index, struct index_statistics *out)
{
    pthread_mutex_lock(&index->lock);
    *out = (struct index_statistics){
        .hooks = hooks_count(index->hooks),
        .sampling = hooks_sampling(index->hooks),
        .trailers_read = index->trailers_read,
        .memory = hooks_memory(index->hooks) + hot_memory(index->hot) + index->flag_count,
    };
    for (uint32_t pack = 0; pack < index->flag_count; pack++)
        out->packs += (index->flags[pack] & (PACK_HOOKED | PACK_UNUSABLE)) == PACK_HOOKED;
    pthread_mutex_unlock(&index->lock);
}
