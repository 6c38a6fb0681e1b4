/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All snapshots of a repository, and finding one by what a user types.
 */
#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "repo.h"
#include "snapshot.h"
#include "store/store.h"

#include <string.h>

#define PREFIX            "snapshots/"
#define PREFIX_DIGITS_MIN 4u

struct ids {
    uint8_t (*id)[FORMAT_ID_LENGTH];
    size_t count;
    const char *prefix; /* hex digits that the id begins with */
};

static int collect_id(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)err;
    struct ids *ids = context;
    uint8_t id[FORMAT_ID_LENGTH];
    const char *text = entry->name + strlen(PREFIX);
    if (strlen(text) != 2 * FORMAT_ID_LENGTH || !hex_decode(text, id, FORMAT_ID_LENGTH) ||
        strncmp(text, ids->prefix, strlen(ids->prefix)) != 0)
        return 0;
    if (ids->count % 64 == 0)
        ids->id = mem_resize(ids->id, ids->count + 64, FORMAT_ID_LENGTH);
    memcpy(ids->id[ids->count++], id, FORMAT_ID_LENGTH);
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct snapshot *left = *(struct snapshot *const *)a,
                          *right = *(struct snapshot *const *)b;
    if (left->committed != right->committed)
        return left->committed < right->committed ? -1 : 1;
    return memcmp(left->id, right->id, FORMAT_ID_LENGTH);
}

static int read_all(struct repo *repo, const struct ids *ids, snapshot_damaged *damaged,
                    void *context, struct snapshot **list, size_t *count, struct firn_error **err)
{
    for (size_t i = 0; i < ids->count; i++) {
        struct firn_error *why = NULL;
        if (snapshot_read(repo, ids->id[i], &list[*count], &why) == 0) {
            (*count)++;
            continue;
        }
        bool gone = error_code(why) == FIRN_NOTFOUND; /* removed since it was listed */
        bool told = error_code(why) == FIRN_CORRUPT && damaged != NULL;
        if (told) {
            auto_free char *text = mem_zalloc(strlen(PREFIX) + FORMAT_ID_TEXT);
            memcpy(text, PREFIX, strlen(PREFIX));
            hex_encode(ids->id[i], FORMAT_ID_LENGTH, text + strlen(PREFIX));
            damaged(context, text, why);
        }
        if (!gone && !told) {
            error_set(err, error_code(why), "%s", error_message(why));
            error_clear(&why);
            return -1;
        }
        error_clear(&why);
    }
    return 0;
}

int snapshot_list(struct repo *repo, snapshot_damaged *damaged, void *context,
                  struct snapshot ***out, size_t *count, struct firn_error **err)
{
    struct ids ids = {.prefix = ""};
    int result = store_list(repo->store, PREFIX, collect_id, &ids, err);
    struct snapshot **list = mem_array(ids.count + 1, sizeof(*list));
    *count = 0;
    if (result == 0)
        result = read_all(repo, &ids, damaged, context, list, count, err);
    free(ids.id);
    if (result < 0) {
        snapshot_list_free(list, *count);
        return -1;
    }
    qsort(list, *count, sizeof(*list), by_time);
    *out = list;
    return 0;
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

/* The newest snapshot of the item, or of all. */
static int resolve_latest(struct repo *repo, const char *item, struct snapshot **out,
                          struct firn_error **err)
{
    struct snapshot **list = NULL;
    size_t count = 0;
    if (snapshot_list(repo, snapshot_skip_damaged, NULL, &list, &count, err) < 0)
        return -1;
    for (size_t i = count; i > 0 && *out == NULL; i--)
        if (item == NULL || strcmp(list[i - 1]->item, item) == 0)
            *out = steal(list[i - 1]);
    snapshot_list_free(list, count);
    if (*out != NULL)
        return 0;
    return item == NULL ? fail(err, FIRN_NOTFOUND, "the repository holds no snapshot")
                        : fail(err, FIRN_NOTFOUND, "the repository holds no snapshot of %s", item);
}

static int fail_ambiguous(const char *text, const struct ids *ids, struct firn_error **err)
{
    auto_buf struct buf names = buf_new(1024);
    for (size_t i = 0; i < ids->count && i < 8; i++) {
        buf_puts(&names, i == 0 ? "" : ", ");
        buf_hex(&names, ids->id[i], 6);
    }
    return fail(err, FIRN_CONFLICT, "%s stands for %zu snapshots: %s", text, ids->count,
                buf_text(&names));
}

static int resolve_prefix(struct repo *repo, const char *text, struct snapshot **out,
                          struct firn_error **err)
{
    if (strspn(text, "0123456789abcdef") != strlen(text) || strlen(text) < PREFIX_DIGITS_MIN)
        return fail(err, FIRN_INVALID,
                    "%s is no snapshot: give an id (at least %u digits), latest, or latest:SOURCE",
                    text, PREFIX_DIGITS_MIN);
    struct ids ids = {.prefix = text};
    int result = store_list(repo->store, PREFIX, collect_id, &ids, err);
    if (result == 0 && ids.count == 0)
        result = fail(err, FIRN_NOTFOUND, "there is no snapshot %s", text);
    if (result == 0 && ids.count > 1)
        result = fail_ambiguous(text, &ids, err);
    if (result == 0)
        result = snapshot_read(repo, ids.id[0], out, err);
    free(ids.id);
    return result;
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
