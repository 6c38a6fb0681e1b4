/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging runs: whatever is merged when, a map reads as a naive model says, and so does every map that was there before; what
 * merging writes stays near what was pushed. And a snapshot is complete in itself: what a collector without a key keeps for it
 * is all that it needs.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "repo/capture.h"
#include "repo/check.h"
#include "repo/index.h"
#include "repo/map_builder.h"
#include "repo/map_cursor.h"
#include "repo/meta.h"
#include "repo/pack.h"
#include "repo/restore.h"

static struct fixture fixture;

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* ------------------------------------------------------------------------------------------------ like a naive model */

#define UNITS 60000u

/* Where each unit lies: 0: zero, or never said; else 1 + pack << 16 + ordinal. */
struct model {
    uint64_t places[UNITS];
};

static uint64_t place_of(const struct map_extent *extent, uint64_t unit)
{
    if (extent->pack == PACK_NONE)
        return 0;
    return 1 + ((uint64_t)extent->pack << 16) + extent->ordinal + (unit - extent->start);
}

static bool reads_as(const struct map *map, const struct model *model)
{
    struct firn_error *err = NULL;
    struct map_cursor *cursor = NULL;
    struct map_extent extent;
    fixture_must(map_cursor_open(fixture.repo, map, 0, &cursor, &err), "cursor", err);
    uint64_t unit = 0, wrong = 0;
    int more = 0;
    while ((more = map_cursor_next(cursor, &extent, &err)) > 0) {
        for (; unit < extent.start; unit++)
            wrong += model->places[unit] != 0;
        for (; unit < extent.start + extent.count; unit++)
            wrong += model->places[unit] != place_of(&extent, unit);
    }
    fixture_must(more, "cursor", err);
    for (; unit < UNITS; unit++)
        wrong += model->places[unit] != 0;
    map_cursor_free(cursor);
    return wrong == 0;
}

/* A history of captures. */
struct load {
    const char *name;
    uint64_t changes; /* in a capture, at most */
    uint64_t length;  /* of a change, at most */
    uint64_t hot;     /* the changes lie below this unit */
    uint64_t zeros;   /* in so many changes, one is of zeros; 0: none */
    uint64_t captures;
    uint64_t
        most; /* extents that merging may write for each that was pushed, besides one for four units */
};

static const struct load loads[] = {
    {"scattered", 300, 1, UNITS, 0, 130, 2},   {"scattered, for long", 100, 1, UNITS, 0, 600, 3},
    {"a few", 3, 2, UNITS, 4, 300, 2},         {"of all sizes", 400, 40, UNITS, 5, 200, 4},
    {"hot", 300, 1, UNITS / 50, 9, 200, 1},    {"large pieces", 20, 2000, UNITS, 3, 100, 6},
    {"nearly all", 1, UNITS, UNITS, 3, 60, 3}, {"only zeros", 5, 3000, UNITS, 1, 60, 3},
};

static uint32_t any_pack(void)
{
    struct firn_error *err = NULL;
    uint8_t id[FORMAT_ID_LENGTH] = {'p', (uint8_t)random_below(40)};
    uint32_t number = 0;
    fixture_must(pack_table_number(fixture.repo->packs, id, &number, &err), "pack number", err);
    return number;
}

/* Rising changes with room in between; into the model, too. */
static void capture_changes(const struct load *load, uint64_t changes, struct map_builder *builder,
                            struct model *model)
{
    struct firn_error *err = NULL;
    uint64_t stretch = load->hot / changes;
    for (uint64_t i = 0; i < changes && stretch > 0; i++) {
        uint64_t longest = load->length < stretch ? load->length : stretch;
        struct map_extent extent = {.count = 1 + random_below(longest), .pack = any_pack()};
        extent.start = i * stretch + random_below(stretch - extent.count + 1);
        extent.ordinal = (uint32_t)random_below(FORMAT_PACK_CHUNKS_MAX - extent.count + 1);
        if (load->zeros > 0 && random_below(load->zeros) == 0)
            extent.pack = PACK_NONE;
        fixture_must(map_builder_add(builder, &extent, &err), "add", err);
        for (uint64_t unit = extent.start; unit < extent.start + extent.count; unit++)
            model->places[unit] = place_of(&extent, unit);
    }
}

#define KEPT 6u

struct history {
    struct meta_writer *meta;
    struct map map;
    struct model *model;
    uint64_t pushed, merged; /* extents */
    uint64_t units;          /* pushed */
    struct map maps[KEPT];   /* as they were once */
    struct model *models[KEPT];
};

static void push(struct history *history, const struct load *load, uint64_t changes)
{
    struct firn_error *err = NULL;
    struct map_builder *builder = map_builder_new(fixture.repo, history->meta);
    struct map_run run;
    capture_changes(load, changes, builder, history->model);
    fixture_must(map_builder_finish(builder, &run, &err), "finish", err);
    size_t before = history->map.run_count;
    uint64_t extents = run.extents;
    history->units += run.units;
    fixture_must(map_push_take(fixture.repo, history->meta, &history->map, &run, &err), "push",
                 err);
    CU_ASSERT_PTR_NULL(run.spans);
    CU_ASSERT(history->map.run_count <= MAP_RUNS_LEFT);
    history->pushed += extents;
    if (history->map.run_count <= before && history->map.run_count > 0)
        history->merged += history->map.runs[0].extents;
}

static void remember(struct history *history, size_t slot)
{
    map_free(&history->maps[slot]);
    free(history->models[slot]);
    map_copy(&history->maps[slot], &history->map);
    history->models[slot] = mem_dup(history->model, sizeof(*history->model));
}

static void play(const struct load *load)
{
    struct firn_error *err = NULL;
    struct history history = {.model = mem_zalloc(sizeof(*history.model))};
    static const struct load full = {"full", 400, UNITS, UNITS, 0, 1, 0};
    fixture_must(meta_writer_new(fixture.repo, &history.meta, &err), "meta", err);
    push(&history, &full, full.changes);
    uint64_t base = history.pushed;
    history.pushed = history.units = 0;
    for (uint64_t i = 0; i < load->captures; i++) {
        push(&history, load, load->changes / 2 + 1 + random_below(load->changes / 2 + 1));
        if (i % 7 == 0 || i + 1 == load->captures)
            CU_ASSERT(reads_as(&history.map, history.model));
        if (random_below(load->captures / KEPT) == 0)
            remember(&history, random_below(KEPT));
    }
    printf("\n   %s %llu pushed %llu units %llu merged", load->name,
           (unsigned long long)history.pushed, (unsigned long long)history.units,
           (unsigned long long)history.merged);
    bool cheap = history.merged <= load->most * history.pushed + history.units / 4 + base;
    if (!cheap)
        printf("\n    %s: %llu extents pushed, %llu merged", load->name,
               (unsigned long long)history.pushed, (unsigned long long)history.merged);
    CU_ASSERT(cheap);
    for (size_t i = 0; i < KEPT; i++) {
        if (history.models[i] != NULL)
            CU_ASSERT(reads_as(&history.maps[i], history.models[i]));
        map_free(&history.maps[i]);
        free(history.models[i]);
    }
    uint64_t stored = 0;
    uint32_t packs = 0;
    fixture_must(meta_writer_finish(history.meta, &stored, &packs, &err), "meta", err);
    map_free(&history.map);
    free(history.model);
}

static void reads_as_the_model(void)
{
    fixture_open(&fixture);
    for (size_t i = 0; i < array_length(loads); i++)
        play(&loads[i]);
    fixture_close(&fixture);
}

/* ------------------------------------------------------------------------------------------------ complete in itself */

#define BLOCKS    500u
#define SNAPSHOTS 60u

static uint32_t volume[BLOCKS]; /* what each block is filled with */
static uint32_t volumes[SNAPSHOTS][BLOCKS];
static struct snapshot *snapshots[SNAPSHOTS];
static uint32_t contents;

static int change_blocks(struct capture_object *object, uint64_t first, uint64_t count,
                         struct firn_error **err)
{
    static uint32_t block[FORMAT_BLOCK_SIZE / sizeof(uint32_t)];
    for (uint64_t i = first; i < first + count; i++) {
        volume[i] = random_below(9) == 0 ? 0 : ++contents;
        for (size_t word = 0; word < array_length(block); word++)
            block[word] = volume[i];
        if (capture_extent(object, i * FORMAT_BLOCK_SIZE, block, sizeof(block), err) < 0)
            return -1;
    }
    return 0;
}

static struct snapshot *take(const struct snapshot *parent)
{
    struct firn_error *err = NULL;
    struct index *index = NULL;
    struct capture *capture = NULL;
    struct capture_object *object = NULL;
    const struct capture_options options = {.workers = 2};
    const struct firn_object_info info = {.size = sizeof(info),
                                          .kind = FIRN_OBJECT_VOLUME,
                                          .name = "disk",
                                          .media_type = "x/y",
                                          .length = BLOCKS * FORMAT_BLOCK_SIZE};
    struct snapshot *snapshot = snapshot_new("test:volume");
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    fixture_must(index_open(fixture.repo, NULL, INDEX_MEMORY, NULL, NULL, &index, &err), "index",
                 err);
    fixture_must(capture_open(fixture.repo, index, parent, &options, &capture, &err), "open", err);
    fixture_must(capture_object_begin(capture, &info, &object, &err), "begin", err);
    if (parent == NULL) {
        fixture_must(change_blocks(object, 0, BLOCKS, &err), "all", err);
    } else {
        fixture_must(capture_object_parent(object, &err), "parent", err);
        for (uint64_t at = random_below(100); at + 3 < BLOCKS; at += 4 + random_below(150))
            fixture_must(change_blocks(object, at, 1 + random_below(3), &err), "change", err);
    }
    fixture_must(capture_object_end(object, &err), "end", err);
    fixture_must(capture_commit(capture, snapshot, &err), "commit", err);
    index_close(index);
    return snapshot;
}

/* Every block is what it was, read by a process that never saw the repository before. */
static bool restores(size_t which)
{
    struct firn_error *err = NULL;
    struct repo *repo = fixture_open_repo(&fixture);
    struct snapshot *snapshot = NULL;
    struct restore_reader *reader = NULL;
    struct firn_extent extent = {.size = sizeof(extent)};
    auto_free uint8_t *data = mem_zalloc(BLOCKS * FORMAT_BLOCK_SIZE);
    fixture_must(snapshot_read(repo, snapshots[which]->id, &snapshot, &err), "read", err);
    fixture_must(restore_open(repo, snapshot_object(snapshot, "disk"), 0, 2, &reader, &err),
                 "restore", err);
    int more = 0;
    while ((more = restore_next(reader, &extent, &err)) > 0) {
        if (extent.data != NULL)
            memcpy(data + extent.offset, extent.data, extent.length);
        restore_release(reader, &extent);
    }
    fixture_must(more, "restore", err);
    restore_close(reader);
    snapshot_free(snapshot);
    repo_close(repo);
    bool good = true;
    for (size_t i = 0; i < BLOCKS * FORMAT_BLOCK_SIZE / sizeof(uint32_t); i++) {
        uint32_t word = 0;
        memcpy(&word, data + i * sizeof(word), sizeof(word));
        good = good && word == volumes[which][i / (FORMAT_BLOCK_SIZE / sizeof(uint32_t))];
    }
    return good;
}

struct ids {
    uint8_t (*id)[FORMAT_ID_LENGTH];
    size_t count;
};

static bool has(const struct ids *ids, const uint8_t *id)
{
    for (size_t i = 0; i < ids->count; i++)
        if (memcmp(ids->id[i], id, FORMAT_ID_LENGTH) == 0)
            return true;
    return false;
}

static void add(struct ids *ids, const uint8_t *id)
{
    if (has(ids, id))
        return;
    ids->id = mem_resize(ids->id, ids->count + 1, FORMAT_ID_LENGTH);
    memcpy(ids->id[ids->count++], id, FORMAT_ID_LENGTH);
}

/* What a collector marks: the packs that the snapshot states, and what each of them states. */
static void mark(struct ids *marked, size_t which)
{
    struct firn_error *err = NULL;
    uint8_t(*stated)[FORMAT_ID_LENGTH] = NULL;
    size_t count = 0;
    fixture_must(snapshot_references(fixture.repo, snapshots[which]->id, &stated, &count, &err),
                 "references", err);
    for (size_t i = 0; i < count; i++) {
        struct pack_trailer *trailer = NULL;
        fixture_must(pack_trailer_read(fixture.repo, stated[i], &trailer, &err), "trailer", err);
        add(marked, stated[i]);
        for (uint32_t j = 0; j < trailer->reference_count; j++)
            add(marked, trailer->references[j]);
        pack_trailer_free(trailer);
    }
    free(stated);
}

static int collect_others(void *context, const struct store_entry *entry, struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH];
    (void)err;
    if (pack_name_parse(entry->name, id))
        add(context, id);
    return 0;
}

static size_t remove_others(const struct ids *marked)
{
    struct firn_error *err = NULL;
    struct ids all = {0};
    size_t removed = 0;
    fixture_must(store_list(fixture.store, "packs/", collect_others, &all, &err), "list", err);
    for (size_t i = 0; i < all.count; i++) {
        char name[PACK_NAME_LENGTH];
        if (has(marked, all.id[i]))
            continue;
        pack_name(all.id[i], name);
        fixture_must(store_remove(fixture.store, name, &err), "remove", err);
        removed++;
    }
    free(all.id);
    return removed;
}

static void note(void *context, const char *object, const char *what, const char *affected)
{
    (void)context;
    printf("\n    %s: %s [%s]", object, what, affected);
}

static uint64_t findings(void)
{
    struct firn_error *err = NULL;
    struct check_result result;
    const struct check_options options = {.workers = 2, .read_percent = 100};
    struct repo *repo = fixture_open_repo(&fixture);
    fixture_must(check_run(repo, &options, note, NULL, NULL, &result, &err), "check", err);
    repo_close(repo);
    return result.findings;
}

/* Forgets all but every `step`-th snapshot and collects; the others are what they were. Packs that were removed. */
static size_t keep_every(size_t step)
{
    struct firn_error *err = NULL;
    struct ids marked = {0};
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        if (snapshots[i] != NULL && i % step != step - 1) {
            fixture_must(snapshot_remove(fixture.repo, snapshots[i]->id, &err), "forget", err);
            snapshot_free(steal(snapshots[i]));
        }
        if (snapshots[i] != NULL)
            mark(&marked, i);
    }
    size_t removed = remove_others(&marked);
    free(marked.id);
    CU_ASSERT_EQUAL(findings(), 0);
    for (size_t i = 0; i < SNAPSHOTS; i++)
        if (snapshots[i] != NULL)
            CU_ASSERT(restores(i));
    return removed;
}

static void complete_in_itself(void)
{
    size_t merges = 0;
    fixture_open(&fixture);
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        snapshots[i] = take(i == 0 ? NULL : snapshots[i - 1]);
        memcpy(volumes[i], volume, sizeof(volume));
        merges += i > 0 && snapshots[i]->objects[0].map.run_count <=
                               snapshots[i - 1]->objects[0].map.run_count;
    }
    CU_ASSERT(merges >= 3);
    CU_ASSERT_EQUAL(keep_every(1), 0);
    CU_ASSERT(keep_every(7) > 0);
    CU_ASSERT(keep_every(21) > 0);
    CU_ASSERT(keep_every(42) > 0);
    for (size_t i = 0; i < SNAPSHOTS; i++)
        snapshot_free(snapshots[i]);
    fixture_close(&fixture);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a map reads as the model, and merging is cheap", reads_as_the_model},
        {"a snapshot is complete in itself", complete_in_itself},
    };
    return unit_run("map merge", tests, array_length(tests));
}
