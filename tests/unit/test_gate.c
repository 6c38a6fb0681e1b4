/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: what a session relies on while collectors remove. */
#include "unit/collection_fixture.h"

static const uint8_t round_id[FORMAT_ID_LENGTH] = {0x77};

/* A session that has written a meta pack over one data pack. */
struct scene {
    uint32_t data;
    struct map_run run;
    struct snapshot *snapshot;
};

static struct scene begin(void)
{
    struct scene scene;
    fixture_open(&fixture);
    scene.data = make_data();
    expect_ok(gate_open(fixture.repo, err));
    scene.run = make_run(&scene.data, 1);
    scene.snapshot = make_snapshot(&scene.run);
    return scene;
}

static void end(struct scene *scene)
{
    map_run_free(&scene->run);
    snapshot_free(scene->snapshot);
    fixture_close(&fixture);
}

static void test_nothing_in_the_way(void)
{
    struct scene scene = begin();
    bool looked = false;
    int64_t before = store_time();
    CU_ASSERT(gate_allows(fixture.repo, scene.data));
    expect_ok(snapshot_write(fixture.repo, scene.snapshot, err));
    CU_ASSERT(scene.snapshot->modified >= before && !snapshot_is_late(scene.snapshot));
    CU_ASSERT(scene.snapshot->deadline >= before + COLLECTION_WINDOW &&
              scene.snapshot->deadline <= store_time() + COLLECTION_WINDOW);
    struct snapshot *read = NULL;
    expect_ok(snapshot_read(fixture.repo, scene.snapshot->id, &read, err));
    CU_ASSERT(read->deadline == scene.snapshot->deadline &&
              read->modified == scene.snapshot->modified);
    CU_ASSERT_EQUAL(snapshot_stands(fixture.repo, read, &looked, NULL), 1);
    snapshot_free(read);
    end(&scene);
}

/* What was condemned when the session began is not relied on; a record that comes later sets the deadline. */
static void test_condemned(void)
{
    struct scene scene = begin();
    put_record(COLLECTION_CONDEMNED, round_id, 24 * HOUR, scene.data, 21 * HOUR + 55 * 60000);
    expect_ok(snapshot_write(fixture.repo, scene.snapshot, err));
    CU_ASSERT(scene.snapshot->deadline <= store_time() + 5 * 60000 &&
              scene.snapshot->deadline >= store_time() + 4 * 60000);
    expect_ok(gate_open(fixture.repo, err));
    CU_ASSERT(!gate_allows(fixture.repo, scene.data));
    CU_ASSERT(gate_allows(fixture.repo, scene.run.spans[0].pack));
    expect_error(FIRN_CORRUPT, snapshot_check_whole(fixture.repo, scene.snapshot, err));
    end(&scene);
}

static void test_too_late_for_the_grace(void)
{
    struct scene scene = begin();
    put_record(COLLECTION_CONDEMNED, round_id, 24 * HOUR, scene.data, 22 * HOUR + 60000);
    expect_error(FIRN_RETRY, snapshot_write(fixture.repo, scene.snapshot, err));
    end(&scene);
}

static void test_removed(void)
{
    struct scene scene = begin();
    put_record(COLLECTION_CONDEMNED, round_id, 24 * HOUR, scene.data, 0);
    put_record(COLLECTION_REMOVED, round_id, store_time() + HOUR, scene.data, 0);
    expect_error(FIRN_RETRY, snapshot_write(fixture.repo, scene.snapshot, err));
    end(&scene);
}

static void test_meta_pack_removed(void)
{
    struct scene scene = begin();
    put_record(COLLECTION_REMOVED, round_id, store_time() + HOUR, scene.run.spans[0].pack, 0);
    expect_error(FIRN_RETRY, snapshot_write(fixture.repo, scene.snapshot, err));
    end(&scene);
}

/* A verdict is what counts, not what was condemned. */
static void test_pardoned(void)
{
    struct scene scene = begin();
    put_record(COLLECTION_CONDEMNED, round_id, 24 * HOUR, scene.data, 25 * HOUR);
    put_record(COLLECTION_REMOVED, round_id, store_time() + HOUR, PACK_NONE, 0);
    expect_ok(gate_open(fixture.repo, err));
    CU_ASSERT(gate_allows(fixture.repo, scene.data));
    expect_ok(snapshot_write(fixture.repo, scene.snapshot, err));
    end(&scene);
}

static void write_garbage(const char *name)
{
    expect_ok(store_put(fixture.store, name, "garbage", 7, err));
}

/* By a damaged record nobody can act, and its pardon makes sure of that; but of a damaged verdict somebody has acted. */
static void test_damaged_records(void)
{
    struct scene scene = begin();
    write_garbage("condemned/77000000000000000000000000000000");
    write_garbage("condemned/no-record");
    expect_ok(snapshot_write(fixture.repo, scene.snapshot, err));
    CU_ASSERT(is_there("removed/77000000000000000000000000000000"));
    write_garbage("removed/78000000000000000000000000000000");
    expect_error(FIRN_CORRUPT, snapshot_write(fixture.repo, scene.snapshot, err));
    expect_error(FIRN_CORRUPT, gate_open(fixture.repo, err));
    end(&scene);
}

/* Nothing tells any more of what went so long ago: then the packs themselves are looked for. */
static void test_long_session(void)
{
    struct scene scene = begin();
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    fixture_reopen(&fixture); /* a session that never began is one that began long ago */
    struct map_run run = make_run((uint32_t[]){make_data()}, 1);
    struct snapshot *snapshot = make_snapshot(&run);
    expect_ok(snapshot_write(fixture.repo, snapshot, err));
    pack_table_id(fixture.repo->packs, run.spans[0].pack, id);
    pack_name(id, name);
    expect_ok(store_remove(fixture.store, name, err));
    expect_error(FIRN_RETRY, snapshot_write(fixture.repo, snapshot, err));
    map_run_free(&run);
    snapshot_free(snapshot);
    end(&scene);
}

/* A snapshot that comes after its deadline stands only if all is there, and nobody is about to remove it. */
static void test_late(void)
{
    struct scene scene = begin();
    bool looked = false;
    struct snapshot *latest = NULL;
    expect_ok(snapshot_write(fixture.repo, scene.snapshot, err));
    scene.snapshot->modified = scene.snapshot->deadline + 1;
    CU_ASSERT(snapshot_is_late(scene.snapshot));
    CU_ASSERT_EQUAL(snapshot_stands(fixture.repo, scene.snapshot, &looked, NULL), 1);
    put_record(COLLECTION_CONDEMNED, round_id, 24 * HOUR, scene.data, 0);
    looked = false;
    CU_ASSERT_EQUAL(snapshot_stands(fixture.repo, scene.snapshot, &looked, NULL), 0);
    auto_free char *name = mem_printf("snapshots/%s", scene.snapshot->id_text);
    expect_ok(snapshot_latest(fixture.repo, NULL, NULL, NULL, &latest, err));
    CU_ASSERT(latest != NULL);
    snapshot_free(steal(latest));
    age(name, -HOUR);
    expect_ok(snapshot_latest(fixture.repo, NULL, NULL, NULL, &latest, err));
    CU_ASSERT_PTR_NULL(latest);
    end(&scene);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"nothing in the way", test_nothing_in_the_way},
        {"condemned meanwhile", test_condemned},
        {"condemned, and the grace is nearly over", test_too_late_for_the_grace},
        {"removed meanwhile", test_removed},
        {"its meta pack was removed meanwhile", test_meta_pack_removed},
        {"pardoned", test_pardoned},
        {"damaged records", test_damaged_records},
        {"a session longer than what is told", test_long_session},
        {"snapshots that land too late", test_late},
    };
    return unit_run("gate", tests, array_length(tests));
}
