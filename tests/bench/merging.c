/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What maps cost over many incrementals: merging FOLDER GIBIBYTES DAYS PER_MILLION HOT_PERCENT
 *
 * Makes a repository in FOLDER and in it the map of a volume of that size, as a full backup would leave it; then each day changes
 * so many of a million blocks, at random places of the first HOT_PERCENT of the volume, and pushes the run that says so. Builder,
 * coding, merging and meta packs are the agent's; there are no contents. Meta packs that the map does not need any more are
 * removed. Prints a line a day and the sums: the bytes that the runs took by themselves, and those that merging wrote.
 */
#include "opened.h"

#include "core/buf.h"
#include "core/mem.h"
#include "repo/map_builder.h"
#include "repo/meta.h"
#include "repo/pack.h"

#include <string.h>

#define PACK_BLOCKS   1024u /* of the full backup, in one pack */
#define EXTENT_BLOCKS 50u   /* of the full backup, in one extent: some blocks were known */
#define MOST          UINT64_C(1000000)

struct merging {
    struct opened opened;
    struct map map;
    uint64_t units, hot, per_million;
    uint64_t random;
    uint64_t packs;                   /* made up so far */
    uint64_t own, merged;             /* bytes written, in all */
    char (*unneeded)[STORE_NAME_MAX]; /* names of meta packs */
    size_t unneeded_count;
};

static int next_pack(struct merging *merging, uint32_t *number, struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH] = {'d'};
    uint64_t which = ++merging->packs;
    memcpy(id + 8, &which, sizeof(which));
    return pack_table_number(merging->opened.repo->packs, id, number, err);
}

/* The full backup: everything once, in order. */
static int add_everything(struct merging *merging, struct map_builder *builder,
                          struct firn_error **err)
{
    struct map_extent extent = {.count = EXTENT_BLOCKS - 1};
    for (uint64_t unit = 0; unit + EXTENT_BLOCKS < merging->units; unit += EXTENT_BLOCKS) {
        if (unit % PACK_BLOCKS < EXTENT_BLOCKS && next_pack(merging, &extent.pack, err) < 0)
            return -1;
        extent.start = unit;
        extent.ordinal = (uint32_t)(unit % PACK_BLOCKS);
        if (map_builder_add(builder, &extent, err) < 0)
            return -1;
    }
    return 0;
}

/* A day: one block of each stretch of the hot part. */
static int add_changes(struct merging *merging, struct map_builder *builder,
                       struct firn_error **err)
{
    uint64_t changes = merging->units * merging->per_million / MOST;
    uint64_t stretch = changes == 0 ? 1 : merging->hot / changes;
    if (stretch == 0)
        return fail(err, FIRN_INVALID, "more changes than hot blocks");
    struct map_extent extent = {.count = 1};
    for (uint64_t i = 0; i < changes; i++) {
        extent.ordinal = (uint32_t)(i % PACK_BLOCKS);
        if (extent.ordinal == 0 && next_pack(merging, &extent.pack, err) < 0)
            return -1;
        extent.start = i * stretch + random_below(&merging->random, stretch);
        if (map_builder_add(builder, &extent, err) < 0)
            return -1;
    }
    return 0;
}

typedef int add_extents(struct merging *merging, struct map_builder *builder,
                        struct firn_error **err);

static int make_run(struct merging *merging, struct meta_writer *meta, add_extents *add,
                    struct map_run *run, struct firn_error **err)
{
    struct map_builder *builder = map_builder_new(merging->opened.repo, meta);
    if (add(merging, builder, err) == 0)
        return map_builder_finish(builder, run, err);
    map_builder_free(builder);
    return -1;
}

/* Each half through a writer of its own, so that what each writes is known. */
static int take(struct merging *merging, add_extents *add, uint64_t *own, uint64_t *merged,
                struct firn_error **err)
{
    struct meta_writer *meta = NULL;
    struct map_run run = {0};
    uint32_t packs = 0;
    if (meta_writer_new(merging->opened.repo, &meta, err) < 0)
        return -1;
    if (make_run(merging, meta, add, &run, err) < 0) {
        meta_writer_abort(meta);
        return -1;
    }
    if (meta_writer_finish(meta, own, &packs, err) < 0 ||
        meta_writer_new(merging->opened.repo, &meta, err) < 0)
        return -1;
    if (map_push_take(merging->opened.repo, meta, &merging->map, &run, err) < 0) {
        meta_writer_abort(meta);
        return -1;
    }
    return meta_writer_finish(meta, merged, &packs, err);
}

/* ------------------------------------------------------------------------------------------------ what is not needed any more */

static bool is_needed(const struct map *map, uint32_t pack)
{
    for (size_t i = 0; i < map->run_count; i++)
        for (size_t j = 0; j < map->runs[i].span_count; j++)
            if (map->runs[i].spans[j].pack == pack)
                return true;
    return false;
}

static int collect(void *context, const struct store_entry *entry, struct firn_error **err)
{
    struct merging *merging = context;
    uint8_t id[FORMAT_ID_LENGTH];
    uint32_t pack = 0;
    if (!pack_name_parse(entry->name, id))
        return 0;
    if (pack_table_number(merging->opened.repo->packs, id, &pack, err) < 0)
        return -1;
    if (is_needed(&merging->map, pack))
        return 0;
    merging->unneeded =
        mem_resize(merging->unneeded, merging->unneeded_count + 1, sizeof(*merging->unneeded));
    snprintf(merging->unneeded[merging->unneeded_count++], STORE_NAME_MAX, "%s", entry->name);
    return 0;
}

static int remove_unneeded(struct merging *merging, struct firn_error **err)
{
    merging->unneeded_count = 0;
    if (store_list(merging->opened.store, "packs/", collect, merging, err) < 0)
        return -1;
    for (size_t i = 0; i < merging->unneeded_count; i++)
        if (store_remove(merging->opened.store, merging->unneeded[i], err) < 0)
            return -1;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the days */

static double mebibytes(uint64_t bytes)
{
    return (double)bytes / 1048576;
}

static int run_days(struct merging *merging, uint64_t days, struct firn_error **err)
{
    uint64_t own = 0, merged = 0, most = 0;
    if (take(merging, add_everything, &own, &merged, err) < 0)
        return -1;
    printf("full backup: %.1f MiB\n", mebibytes(own));
    for (uint64_t day = 1; day <= days; day++) {
        if (take(merging, add_changes, &own, &merged, err) < 0 || remove_unneeded(merging, err) < 0)
            return -1;
        merging->own += own;
        merging->merged += merged;
        most = merged > most ? merged : most;
        printf(
            "day %3llu: run %8.2f MiB, merging %8.2f MiB, %2zu runs, so far %.2f times the runs\n",
            (unsigned long long)day, mebibytes(own), mebibytes(merged), merging->map.run_count,
            (double)(merging->own + merging->merged) / (double)merging->own);
        fflush(stdout);
    }
    printf("runs %.1f MiB, merging %.1f MiB, together %.2f MiB a day; most in a day %.1f MiB\n",
           mebibytes(merging->own), mebibytes(merging->merged),
           mebibytes(merging->own + merging->merged) / (double)days, mebibytes(most));
    return 0;
}

static int open_new(const char *folder, struct opened *out, struct firn_error **err)
{
    auto_buf struct buf key = buf_new(4096);
    key_file_generate(&key);
    const struct key_credential credential = {
        .kind = KEY_FILE, .secret = key.data, .length = key.length};
    if (store_create(folder, &out->store, err) < 0)
        return -1;
    return repo_init(out->store, &credential, "bench", &out->repo, err);
}

int main(int argc, char **argv)
{
    auto_error struct firn_error *err = NULL;
    struct merging merging = {.random = 1};
    if (argc != 6) {
        fprintf(stderr, "usage: merging FOLDER GIBIBYTES DAYS PER_MILLION HOT_PERCENT\n");
        return 2;
    }
    merging.units = strtoull(argv[2], NULL, 10) * 16384;
    merging.per_million = strtoull(argv[4], NULL, 10);
    merging.hot = merging.units * strtoull(argv[5], NULL, 10) / 100;
    int result = open_new(argv[1], &merging.opened, &err);
    if (result == 0)
        result = run_days(&merging, strtoull(argv[3], NULL, 10), &err);
    if (result < 0)
        fprintf(stderr, "merging: %s\n", error_message(err));
    map_free(&merging.map);
    free(merging.unneeded);
    opened_close(&merging.opened);
    return result < 0;
}
