/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All snapshots of a repository, and finding one by what a user types.
 */
#include "core/buf.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "repo.h"
#include "snapshot_cache.h"
#include "snapshot_listing.h"

#include <string.h>

#define PREFIX_DIGITS_MIN 4u

static int by_time(const void *a, const void *b)
{
    const struct snapshot *left = *(struct snapshot *const *)a,
                          *right = *(struct snapshot *const *)b;
    if (left->committed != right->committed)
        return left->committed < right->committed ? -1 : 1;
    return memcmp(left->id, right->id, FORMAT_ID_LENGTH);
}

/* One that was removed since it was listed is passed over. */
static int take_all(struct snapshot_listing *listing, snapshot_damaged *damaged, void *context,
                    struct snapshot **list, size_t *count, struct firn_error **err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct firn_error *why = listing->why[i];
        char text[sizeof("snapshots/") + FORMAT_ID_TEXT] = "snapshots/";
        if (listing->snapshots[i] != NULL)
            list[(*count)++] = steal(listing->snapshots[i]);
        if (error_code(why) != FIRN_CORRUPT)
            continue;
        if (damaged == NULL)
            return fail(err, FIRN_CORRUPT, "%s", error_message(why));
        hex_encode(listing->entries[i].id, FORMAT_ID_LENGTH, text + strlen(text));
        damaged(context, text, why);
    }
    return 0;
}

int snapshot_list(struct repo *repo, snapshot_damaged *damaged, void *context,
                  struct snapshot ***out, size_t *count, struct firn_error **err)
{
    auto_listing struct snapshot_listing listing = {0};
    *count = 0;
    if (snapshot_listing_open(repo, "", &listing, err) < 0 ||
        snapshot_listing_read(repo, &listing, err) < 0)
        return -1;
    struct snapshot **list = mem_array(listing.count + 1, sizeof(*list));
    if (take_all(&listing, damaged, context, list, count, err) < 0) {
        snapshot_list_free(list, *count);
        return -1;
    }
    qsort(list, *count, sizeof(*list), by_time);
    *out = list;
    return 0;
}

int snapshot_sift(struct repo *repo, struct snapshot **list, size_t *count, snapshot_damaged *late,
                  void *context, struct firn_error **err)
{
    bool looked = false;
    size_t kept = 0;
    int result = 0;
    for (size_t i = 0; i < *count; i++) {
        auto_error struct firn_error *why = NULL;
        int stands = result < 0 ? 1 : snapshot_stands(repo, list[i], &looked, &why);
        if (stands < 0)
            result = fail(err, error_code(why), "%s", error_message(why));
        if (stands != 0) {
            list[kept++] = list[i];
            continue;
        }
        auto_free char *name = mem_printf("snapshots/%s", list[i]->id_text);
        late(context, name, why);
        snapshot_free(list[i]);
    }
    *count = kept;
    return result;
}

void snapshot_list_free(struct snapshot **snapshots, size_t count)
{
    if (snapshots == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        snapshot_free(snapshots[i]);
    free(snapshots);
}

void snapshot_skip_damaged(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    (void)name;
    (void)why;
}

/* Moves the newest of the item, or of all, that can be relied on to *out; NULL: there is none. */
static int take_newest(struct repo *repo, struct snapshot **list, size_t count, const char *item,
                       struct snapshot **out, struct firn_error **err)
{
    bool looked = false;
    for (size_t i = count; i-- > 0;) {
        auto_error struct firn_error *why = NULL;
        if (item != NULL && strcmp(list[i]->item, item) != 0)
            continue;
        int stands = snapshot_stands(repo, list[i], &looked, &why);
        if (stands < 0)
            return fail(err, error_code(why), "%s", error_message(why));
        if (stands > 0) {
            *out = steal(list[i]);
            return 0;
        }
        log_warning("passed over, since it landed too late: %s", error_message(why));
    }
    return 0;
}

int snapshot_latest(struct repo *repo, const char *item, snapshot_damaged *damaged, void *context,
                    struct snapshot **out, struct firn_error **err)
{
    struct snapshot **list = NULL;
    size_t count = 0;
    *out = NULL;
    if (snapshot_list(repo, damaged, context, &list, &count, err) < 0)
        return -1;
    int result = take_newest(repo, list, count, item, out, err);
    snapshot_list_free(list, count);
    return result;
}

static int resolve_latest(struct repo *repo, const char *item, struct snapshot **out,
                          struct firn_error **err)
{
    if (snapshot_latest(repo, item, snapshot_skip_damaged, NULL, out, err) < 0)
        return -1;
    if (*out != NULL)
        return 0;
    return item == NULL ? fail(err, FIRN_NOTFOUND, "the repository holds no snapshot")
                        : fail(err, FIRN_NOTFOUND, "the repository holds no snapshot of %s", item);
}

static int fail_ambiguous(const char *text, const struct snapshot_listing *listing,
                          struct firn_error **err)
{
    auto_buf struct buf names = buf_new(1024);
    for (size_t i = 0; i < listing->count && i < 8; i++) {
        buf_puts(&names, i == 0 ? "" : ", ");
        buf_hex(&names, listing->entries[i].id, 6);
    }
    return fail(err, FIRN_CONFLICT, "%s stands for %zu snapshots: %s", text, listing->count,
                buf_text(&names));
}

static int resolve_prefix(struct repo *repo, const char *text, struct snapshot **out,
                          struct firn_error **err)
{
    auto_listing struct snapshot_listing listing = {0};
    if (strspn(text, "0123456789abcdef") != strlen(text) || strlen(text) < PREFIX_DIGITS_MIN)
        return fail(err, FIRN_INVALID,
                    "%s is no snapshot: give an id (at least %u digits), latest, or latest:SOURCE",
                    text, PREFIX_DIGITS_MIN);
    if (snapshot_listing_open(repo, text, &listing, err) < 0)
        return -1;
    if (listing.count == 0)
        return fail(err, FIRN_NOTFOUND, "there is no snapshot %s", text);
    if (listing.count > 1)
        return fail_ambiguous(text, &listing, err);
    if (snapshot_listing_read(repo, &listing, err) < 0)
        return -1;
    const struct firn_error *why = listing.why[0];
    if (why != NULL)
        return fail(err, error_code(why), "%s", error_message(why));
    *out = steal(listing.snapshots[0]);
    return 0;
}

int snapshot_resolve(struct repo *repo, const char *text, struct snapshot **out,
                     struct firn_error **err)
{
    *out = NULL;
    if (strcmp(text, "latest") == 0)
        return resolve_latest(repo, NULL, out, err);
    if (strncmp(text, "latest:", 7) == 0)
        return resolve_latest(repo, text + 7, out, err);
    return resolve_prefix(repo, text, out, err);
}
