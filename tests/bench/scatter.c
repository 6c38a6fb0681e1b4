/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes an incremental of the latest snapshot's volume from a synthetic source: scatter REPO KEY_FILE
 * CACHE ONE_IN
 *
 * One block in so many is changed, each at a random place of its own stretch of the volume, so that
 * no two are neighbours. The blocks are new to the repository and go through the whole capture, but
 * they are zeros behind their first 16 bytes: what they add to the repository is nearly all metadata.
 * The snapshot is committed. Prints what it did as JSON.
 */
#include "opened.h"

#include "core/clock.h"
#include "core/mem.h"
#include "repo/capture.h"
#include "repo/index.h"
#include "repo/snapshot.h"

#include <malloc.h>
#include <string.h>

struct scatter {
    struct repo *repo;
    struct index *index;
    struct snapshot *parent;
    uint64_t one_in;
    uint64_t blocks; /* changed */
    uint64_t random;
};

static int change_blocks(struct scatter *scatter, struct capture_object *object, uint64_t length,
                         struct firn_error **err)
{
    static uint64_t block[FORMAT_BLOCK_SIZE / sizeof(uint64_t)];
    uint64_t units = length / FORMAT_BLOCK_SIZE;
    for (uint64_t start = 0; start + scatter->one_in <= units; start += scatter->one_in) {
        uint64_t unit = start + random_below(&scatter->random, scatter->one_in - 1);
        block[0] = random_next(&scatter->random);
        block[1] = unit;
        if (capture_extent(object, unit * FORMAT_BLOCK_SIZE, block, sizeof(block), err) < 0)
            return -1;
        scatter->blocks++;
    }
    return 0;
}

static int take_volume(struct scatter *scatter, struct capture *capture, struct firn_error **err)
{
    const struct snapshot_object *disk = snapshot_object(scatter->parent, "disk");
    if (disk == NULL)
        return fail(err, FIRN_NOTFOUND, "the parent has no volume");
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_VOLUME,
                                          .name = disk->name,
                                          .media_type = disk->media_type,
                                          .length = disk->length};
    struct capture_object *object = NULL;
    if (capture_object_begin(capture, &info, &object, err) < 0)
        return -1;
    if (capture_object_parent(object, err) < 0 ||
        change_blocks(scatter, object, disk->length, err) < 0) {
        capture_object_abandon(object);
        return -1;
    }
    return capture_object_end(object, err);
}

static int take_snapshot(struct scatter *scatter, struct firn_error **err)
{
    static const struct capture_options options;
    struct capture *capture = NULL;
    auto_snapshot struct snapshot *snapshot = snapshot_new(scatter->parent->item);
    snapshot->method = mem_strdup("incremental");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    snapshot->frozen = -1;
    snapshot->started = snapshot->point_in_time = clock_now();
    snapshot->state = mem_strdup(scatter->parent->state);
    memcpy(snapshot->parent, scatter->parent->id, FORMAT_ID_LENGTH);
    if (capture_open(scatter->repo, scatter->index, scatter->parent, &options, &capture, err) < 0)
        return -1;
    if (take_volume(scatter, capture, err) < 0) {
        capture_abort(capture);
        return -1;
    }
    if (capture_commit(capture, snapshot, err) < 0)
        return -1;
    const struct map *map = &snapshot->objects[0].map;
    printf("{\"blocks\":%llu,\"bytes_read\":%llu,\"bytes_stored\":%llu,\"packs\":%u,\"runs\":%zu,"
           "\"extents_of_newest_run\":%llu}\n",
           (unsigned long long)scatter->blocks, (unsigned long long)snapshot->bytes_read,
           (unsigned long long)snapshot->bytes_stored, snapshot->packs, map->run_count,
           (unsigned long long)map->runs[0].extents);
    return 0;
}

static int run(struct scatter *scatter, const char *cache, struct firn_error **err)
{
    scatter->random = (uint64_t)clock_now(); /* other blocks in every run: they must be new */
    if (snapshot_resolve(scatter->repo, "latest", &scatter->parent, err) < 0 ||
        index_open(scatter->repo, cache, INDEX_MEMORY, NULL, NULL, &scatter->index, err) < 0)
        return -1;
    int result = take_snapshot(scatter, err);
    index_close(scatter->index);
    return result;
}

int main(int argc, char **argv)
{
    auto_error struct firn_error *err = NULL;
    struct opened opened = {0};
    if (argc != 5 || strtoull(argv[4], NULL, 10) < 2) {
        fprintf(stderr, "usage: scatter REPO KEY_FILE CACHE ONE_IN\n");
        return 2;
    }
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* as agent/main.c does */
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    struct scatter scatter = {.one_in = strtoull(argv[4], NULL, 10)};
    int result = opened_open(argv[1], argv[2], &opened, &err);
    scatter.repo = opened.repo;
    if (result == 0)
        result = run(&scatter, argv[3], &err);
    if (result < 0)
        fprintf(stderr, "scatter: %s\n", error_message(err));
    snapshot_free(scatter.parent);
    opened_close(&opened);
    return result < 0;
}
