/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_listing.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/mem.h"
#include "repo.h"
#include "snapshot_cache.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define PREFIX       "snapshots/"
#define READERS_MOST 16u
#define READER_LEAST 4u /* entries for which another reader is worth it */

void snapshot_listing_free(struct snapshot_listing *listing)
{
    for (size_t i = 0; listing->snapshots != NULL && i < listing->count; i++)
        snapshot_free(listing->snapshots[i]);
    for (size_t i = 0; listing->why != NULL && i < listing->count; i++)
        error_clear(&listing->why[i]);
    free(listing->snapshots);
    free(listing->why);
    free(listing->entries);
    *listing = (struct snapshot_listing){0};
}

/* ------------------------------------------------------------------------------------------------ which there are */

static int take_entry(void *context, const struct store_entry *listed, struct firn_error **err)
{
    (void)err;
    struct snapshot_listing *listing = context;
    struct snapshot_entry entry = {.length = listed->length, .modified = listed->modified};
    const char *text = listed->name + strlen(PREFIX);
    if (strlen(text) != 2 * FORMAT_ID_LENGTH || !hex_decode(text, entry.id, FORMAT_ID_LENGTH))
        return 0;
    if (listing->count % 64 == 0)
        listing->entries = mem_resize(listing->entries, listing->count + 64, sizeof(entry));
    listing->entries[listing->count++] = entry;
    return 0;
}

/* The cache must see all; the caller wants some. */
static void narrow(struct snapshot_listing *listing, const char *prefix, int64_t as_of)
{
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; i++) {
        char text[FORMAT_ID_TEXT];
        bool then = as_of == 0 || listing->entries[i].modified <= as_of;
        hex_encode(listing->entries[i].id, FORMAT_ID_LENGTH, text);
        if (then && strncmp(text, prefix, strlen(prefix)) == 0)
            listing->entries[kept++] = listing->entries[i];
    }
    listing->count = kept;
}

int snapshot_listing_open(struct repo *repo, const char *prefix, struct snapshot_listing *out,
                          struct firn_error **err)
{
    *out = (struct snapshot_listing){0};
    if (store_list(repo->store, PREFIX, take_entry, out, err) < 0) {
        snapshot_listing_free(out);
        return -1;
    }
    snapshot_cache_settle(repo->snapshots, out->entries, out->count);
    narrow(out, prefix, repo->as_of);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

/* What the readers share. */
struct reading {
    struct repo *repo;
    struct snapshot_listing *listing;
    atomic_size_t next;
    pthread_mutex_t lock;
    struct firn_error *error; /* that ends it */
};

static bool from_cache(struct repo *repo, const struct snapshot_entry *entry, struct snapshot **out)
{
    auto_buf struct buf bytes = buf_new(SNAPSHOT_MAX);
    if (!snapshot_cache_get(repo->snapshots, entry, &bytes))
        return false;
    auto_error struct firn_error *why = NULL;
    if (snapshot_decode(repo, entry->id, &bytes, out, &why) == 0)
        return true;
    snapshot_cache_drop(repo->snapshots, entry->id);
    return false;
}

static int from_store(struct repo *repo, const struct snapshot_entry *entry, struct snapshot **out,
                      struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(SNAPSHOT_MAX);
    if (snapshot_fetch(repo, entry->id, entry->length, &bytes, err) < 0 ||
        snapshot_decode(repo, entry->id, &bytes, out, err) < 0) {
        char text[FORMAT_ID_TEXT];
        hex_encode(entry->id, FORMAT_ID_LENGTH, text);
        return wrap(err, PREFIX "%s", text);
    }
    if (entry->cached)
        snapshot_cache_put(repo->snapshots, entry->id, bytes.data, bytes.length);
    return 0;
}

static int read_entry(struct reading *reading, size_t place, struct firn_error **err)
{
    struct snapshot_listing *listing = reading->listing;
    const struct snapshot_entry *entry = &listing->entries[place];
    struct snapshot **out = &listing->snapshots[place];
    struct firn_error *why = NULL;
    if (cancel_check(err) < 0)
        return -1;
    if (from_cache(reading->repo, entry, out) || from_store(reading->repo, entry, out, &why) == 0) {
        (*out)->modified = entry->modified;
        return 0;
    }
    if (error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND) {
        listing->why[place] = why;
        return 0;
    }
    *err = why;
    return -1;
}

static void *read_entries(void *argument)
{
    struct reading *reading = argument;
    struct firn_error *error = NULL;
    size_t place = 0;
    while (error == NULL && (place = atomic_fetch_add(&reading->next, 1)) < reading->listing->count)
        read_entry(reading, place, &error);
    if (error == NULL)
        return NULL;
    atomic_store(&reading->next, reading->listing->count); /* the others stop, too */
    pthread_mutex_lock(&reading->lock);
    if (reading->error == NULL)
        reading->error = steal(error);
    pthread_mutex_unlock(&reading->lock);
    error_clear(&error);
    return NULL;
}

int snapshot_listing_read(struct repo *repo, struct snapshot_listing *listing,
                          struct firn_error **err)
{
    struct reading reading = {.repo = repo, .listing = listing};
    pthread_t threads[READERS_MOST];
    size_t started = 0, wanted = listing->count / READER_LEAST;
    listing->snapshots = mem_array(listing->count + 1, sizeof(*listing->snapshots));
    listing->why = mem_array(listing->count + 1, sizeof(*listing->why));
    pthread_mutex_init(&reading.lock, NULL);
    while (started < wanted && started < READERS_MOST &&
           pthread_create(&threads[started], NULL, read_entries, &reading) == 0)
        started++;
    read_entries(&reading);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&reading.lock);
    if (reading.error == NULL)
        return 0;
    error_set(err, error_code(reading.error), "%s", error_message(reading.error));
    error_clear(&reading.error);
    return -1;
}
