/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include "check_reach.h"
#include "core/error.h"
#include "core/mem.h"
#include "pack_table.h"
#include "repo.h"
#include "store/store.h"

#include <string.h>

struct sums {
    struct repo *repo;
    const struct reach *reach;
    struct repo_statistics *out;
};

static int add_object(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)err;
    struct sums *sums = context;
    sums->out->bytes_stored += entry->length;
    return 0;
}

static int add_pack(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct sums *sums = context;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t pack = 0;
    if (!pack_name_parse(entry->name, id))
        return 0;
    if (pack_table_number(sums->repo->packs, id, &pack, err) < 0)
        return -1;
    sums->out->packs++;
    sums->out->bytes_stored += entry->length;
    if (!reach_needs(sums->reach, pack))
        sums->out->bytes_unused += entry->length;
    return 0;
}

static void add_damaged(void *context, const char *object, const char *what, const char *affected)
{
    (void)object;
    (void)what;
    (void)affected;
    ((struct sums *)context)->out->damaged++;
}

int repo_statistics(struct repo *repo, struct repo_statistics *out, struct firn_error **err)
{
    *out = (struct repo_statistics){0};
    struct sums sums = {.repo = repo, .out = out};
    struct check_result checked = {0};
    struct reach *reach = NULL;
    if (reach_walk(repo, add_damaged, &sums, &checked, &reach, err) < 0)
        return -1;
    sums.reach = reach;
    out->snapshots = checked.snapshots;
    out->bytes_total = checked.bytes_total;
    int result = store_list(repo->store, "packs/", add_pack, &sums, err);
    if (result == 0)
        result = store_list(repo->store, "snapshots/", add_object, &sums, err);
    if (result == 0)
        result = store_list(repo->store, "keys/", add_object, &sums, err);
    reach_free(reach);
    return result;
}
