/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index over real packs in a real store: what it finds, cold and hot, with its cache, with a damaged cache, with damaged
 * and vanished packs, in little memory, and from several threads.
 *
 * A chunk of these tests is one byte long; its fingerprint is made from a number, so that a pack of a thousand blocks costs
 * kilobytes. Pack p holds chunks p × PER_PACK and so on, in order.
 */
#include "unit/repo_fixture.h"
#include "unit/unit.h"

#include "core/file.h"
#include "repo/index.h"
#include "repo/map_digest.h"
#include "repo/map_writer.h"
#include "repo/meta.h"
#include "repo/pack.h"

#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define PER_PACK 1000u
#define MEMORY   (8u << 20)

/* ------------------------------------------------------------------------------------------------ tools */

static void fingerprint_of(uint64_t number, uint8_t out[FORMAT_FINGERPRINT_LENGTH])
{
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t word = (number * 4 + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
        word ^= word >> 31;
        memcpy(out + 8 * i, &word, 8);
    }
}

/* Writes a pack of the chunks that the numbers stand for. */
static uint32_t write_numbers(struct fixture *fixture, const uint64_t *numbers, size_t count)
{
    struct firn_error *err = NULL;
    struct pack_writer *writer = NULL;
    uint32_t number = 0;
    fixture_must(pack_writer_open(fixture->repo, FORMAT_DATA, &writer, &err), "pack", err);
    fixture_must(pack_table_number(fixture->repo->packs, pack_writer_id(writer), &number, &err),
                 "number", err);
    for (size_t done = 0; done < count;) {
        struct pack_chunk chunks[250] = {0};
        size_t some = count - done < array_length(chunks) ? count - done : array_length(chunks);
        for (size_t i = 0; i < some; i++) {
            chunks[i].kind = FORMAT_CHUNK_BLOCK;
            chunks[i].length = 1;
            fingerprint_of(numbers[done + i], chunks[i].fingerprint);
        }
        static const uint8_t zeros[array_length(chunks)];
        fixture_must(
            pack_writer_append(writer, zeros, some, (uint32_t)some, false, chunks, some, &err),
            "append", err);
        done += some;
    }
    fixture_must(pack_writer_finish(writer, NULL, 0, &err), "finish", err);
    return number;
}

static void write_packs(struct fixture *fixture, uint32_t first, uint32_t count)
{
    for (uint32_t pack = first; pack < first + count; pack++) {
        uint64_t numbers[PER_PACK];
        for (uint32_t i = 0; i < PER_PACK; i++)
            numbers[i] = (uint64_t)pack * PER_PACK + i;
        write_numbers(fixture, numbers, PER_PACK);
    }
}

static struct index *open_index(struct fixture *fixture, size_t memory)
{
    struct firn_error *err = NULL;
    struct index *index = NULL;
    auto_free char *cache = file_join(fixture->directory, "cache");
    fixture_must(index_open(fixture->repo, cache, memory, NULL, NULL, &index, &err), "index", err);
    return index;
}

static bool finds(struct index *index, enum format_chunk kind, uint64_t number, uint32_t *pack,
                  uint32_t *ordinal)
{
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    fingerprint_of(number, fingerprint);
    struct firn_error *err = NULL;
    int result = index_find(index, kind, fingerprint, pack, ordinal, &err);
    fixture_must(result, "find", err);
    return result > 0;
}

/* How many of the chunks are found; each must be where write_packs() put it. */
static uint32_t count_found(struct index *index, uint64_t first, uint32_t count)
{
    uint32_t found = 0, pack = 0, ordinal = 0, wrong = 0;
    for (uint64_t number = first; number < first + count; number++) {
        if (!finds(index, FORMAT_CHUNK_BLOCK, number, &pack, &ordinal))
            continue;
        found++;
        wrong += ordinal != number % PER_PACK;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    return found;
}

static struct index_statistics statistics_of(struct index *index)
{
    struct index_statistics statistics;
    index_statistics(index, &statistics);
    return statistics;
}

/* The path of the pack that a number stands for. */
static char *pack_path(struct fixture *fixture, uint32_t number)
{
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(fixture->repo->packs, number, id);
    pack_name(id, name);
    return mem_printf("%s/repository/%s", fixture->directory, name);
}

static char *cache_path(struct fixture *fixture)
{
    return mem_printf("%s/cache/index-%s", fixture->directory, fixture->repo->id_text);
}

static void flip_byte(const char *path, int64_t from_end)
{
    CU_ASSERT_EQUAL_FATAL(chmod(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    struct stat status;
    CU_ASSERT_FATAL(fd >= 0 && fstat(fd, &status) == 0);
    off_t at = status.st_size - (off_t)from_end;
    CU_ASSERT_EQUAL_FATAL(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    CU_ASSERT_EQUAL_FATAL(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void finds_what_is_there(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 10);
    struct index *index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 10);
    CU_ASSERT_EQUAL(count_found(index, 0, 10 * PER_PACK), 10 * PER_PACK);
    CU_ASSERT_EQUAL(count_found(index, 10 * PER_PACK, PER_PACK), 0);
    uint32_t pack = 0, ordinal = 0;
    for (uint64_t number = 0; number < PER_PACK; number++)
        CU_ASSERT_FALSE(finds(index, FORMAT_CHUNK_STREAM, number, &pack, &ordinal));
    index_close(index);
    fixture_close(&fixture);
}

static void cache_saves_reading(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 12);
    index_close(open_index(&fixture, MEMORY));
    fixture_reopen(&fixture);
    struct index *index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 0);
    uint64_t hooks = statistics_of(index).hooks;
    CU_ASSERT(hooks > 12 * PER_PACK / 16 / 2 && hooks < 12 * PER_PACK / 16 * 2);
    CU_ASSERT_EQUAL(count_found(index, 0, 12 * PER_PACK), 12 * PER_PACK);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 12);
    CU_ASSERT_EQUAL(count_found(index, 0, 12 * PER_PACK), 12 * PER_PACK);
    index_close(index);

    write_packs(&fixture, 12, 3);
    fixture_reopen(&fixture);
    index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 3);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 15);
    for (uint32_t pack = 0; pack < 15; pack++)
        index_hint(index, pack);
    CU_ASSERT_EQUAL(count_found(index, 0, 15 * PER_PACK), 15 * PER_PACK);
    index_close(index);

    auto_free char *cache = file_join(fixture.directory, "cache");
    auto_free char *file = cache_path(&fixture);
    struct stat status;
    CU_ASSERT(stat(cache, &status) == 0 && (status.st_mode & 0777) == 0700);
    CU_ASSERT(stat(file, &status) == 0 && (status.st_mode & 0777) == 0600);
    fixture_close(&fixture);
}

/* Whatever the cache file holds, the index works, and reads what it must. */
static void damaged_cache_is_dropped(void)
{
    struct fixture fixture, other;
    fixture_open(&fixture);
    fixture_open(&other);
    write_packs(&fixture, 0, 4);
    write_packs(&other, 0, 2);
    index_close(open_index(&fixture, MEMORY));
    index_close(open_index(&other, MEMORY));
    auto_free char *path = cache_path(&fixture);
    struct firn_error *err = NULL;
    auto_buf struct buf good = buf_new(1u << 20);
    fixture_must(file_read(path, 1u << 20, &good, &err), "read", err);
    for (size_t at = 0; at <= good.length; at += at < 130 ? 1 : 97) {
        auto_free char *bad = mem_dup(good.data, good.length);
        bad[at < good.length ? at : 0] ^= 0x40;
        size_t length = at % 3 == 0 ? at : good.length; /* some cut short, too */
        fixture_must(file_write(path, bad, length, 0600, &err), "write", err);
        fixture_reopen(&fixture);
        struct index *index = open_index(&fixture, MEMORY);
        CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 4);
        CU_ASSERT_EQUAL(count_found(index, 0, 4 * PER_PACK), 4 * PER_PACK);
        index_close(index);
    }
    auto_free char *foreign = cache_path(&other);
    CU_ASSERT_EQUAL(rename(foreign, path), 0);
    fixture_reopen(&fixture);
    struct index *index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 4);
    index_close(index);
    fixture_close(&other);
    fixture_close(&fixture);
}

static void cache_that_cannot_be_written(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 2);
    struct firn_error *err = NULL;
    auto_free char *file = file_join(fixture.directory, "file");
    auto_free char *below = file_join(file, "cache");
    fixture_must(file_write(file, "x", 1, 0600, &err), "write", err);
    struct index *index = NULL;
    fixture_must(index_open(fixture.repo, below, MEMORY, NULL, NULL, &index, &err), "index", err);
    CU_ASSERT_EQUAL(count_found(index, 0, 2 * PER_PACK), 2 * PER_PACK);
    index_close(index);
    fixture_must(index_open(fixture.repo, NULL, MEMORY, NULL, NULL, &index, &err), "index", err);
    index_close(index);
    fixture_close(&fixture);
}

static void damaged_and_vanished_packs(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 5);
    auto_free char *damaged = pack_path(&fixture, 1);
    flip_byte(damaged, 1000); /* in its trailer */
    struct index *index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(count_found(index, PER_PACK, PER_PACK), 0);
    CU_ASSERT_EQUAL(count_found(index, 0, 5 * PER_PACK), 4 * PER_PACK);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 4);
    index_close(index);

    /* known by the cache; one is damaged before, one vanishes after the listing */
    auto_free char *damaged_later = pack_path(&fixture, 2);
    auto_free char *vanishing = pack_path(&fixture, 3);
    flip_byte(damaged_later, 1000);
    fixture_reopen(&fixture);
    index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 4);
    CU_ASSERT_EQUAL(unlink(vanishing), 0);
    CU_ASSERT_EQUAL(count_found(index, 2 * PER_PACK, 2 * PER_PACK), 0);
    CU_ASSERT(count_found(index, 4 * PER_PACK, PER_PACK) > PER_PACK * 9 / 10);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 2);
    index_close(index);

    fixture_reopen(&fixture);
    index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 2);
    index_close(index);
    fixture_close(&fixture);
}

/* A pack that the store lists no longer is never named, whatever the cache says. */
static void removed_packs_are_dropped(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 3);
    index_close(open_index(&fixture, MEMORY));
    auto_free char *removed = pack_path(&fixture, 1);
    CU_ASSERT_EQUAL(unlink(removed), 0);
    fixture_reopen(&fixture);
    struct index *index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 2);
    CU_ASSERT_EQUAL(count_found(index, PER_PACK, PER_PACK), 0);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 0);
    index_close(index);
    fixture_close(&fixture);
}

static void packs_being_written(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct index *index = open_index(&fixture, MEMORY);
    uint64_t numbers[PER_PACK];
    uint32_t pack = 0, ordinal = 0;
    for (uint64_t i = 0; i < PER_PACK; i++)
        numbers[i] = i;
    uint32_t number = write_numbers(&fixture, numbers, PER_PACK);
    index_pack_begin(index, number);
    for (uint64_t i = 0; i < PER_PACK; i++) {
        uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
        CU_ASSERT_FALSE(finds(index, FORMAT_CHUNK_BLOCK, i, &pack, &ordinal));
        fingerprint_of(i, fingerprint);
        index_pack_add(index, number, FORMAT_CHUNK_BLOCK, fingerprint);
        CU_ASSERT(finds(index, FORMAT_CHUNK_BLOCK, i, &pack, &ordinal) && pack == number &&
                  ordinal == i);
    }
    index_pack_begin(index, number + 1); /* never ended: it was not finished */
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    fingerprint_of(777777, fingerprint);
    index_pack_add(index, number + 1, FORMAT_CHUNK_BLOCK, fingerprint);
    CU_ASSERT(finds(index, FORMAT_CHUNK_BLOCK, 777777, &pack, &ordinal) && pack == number + 1);
    index_pack_end(index, number);
    CU_ASSERT_EQUAL(count_found(index, 0, PER_PACK), PER_PACK);
    index_pack_begin(index, number + 2);
    fingerprint_of(888888, fingerprint);
    index_pack_add(index, number + 2, FORMAT_CHUNK_BLOCK, fingerprint);
    index_pack_abandon(index, number + 2);
    CU_ASSERT_FALSE(finds(index, FORMAT_CHUNK_BLOCK, 888888, &pack, &ordinal));
    CU_ASSERT(finds(index, FORMAT_CHUNK_BLOCK, 777777, &pack, &ordinal) && pack == number + 1);
    CU_ASSERT_EQUAL(count_found(index, 0, PER_PACK), PER_PACK);
    index_close(index);

    fixture_reopen(&fixture);
    index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 0);
    CU_ASSERT_EQUAL(statistics_of(index).packs, 1);
    CU_ASSERT(count_found(index, 0, PER_PACK) > PER_PACK * 9 / 10);
    CU_ASSERT_FALSE(finds(index, FORMAT_CHUNK_BLOCK, 777777, &pack, &ordinal));
    index_close(index);
    fixture_close(&fixture);
}

/* In too little memory, sampling becomes coarser and packs leave, and still what was written together is found. */
static void little_memory(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    size_t memory = 192u * 1024;
    write_packs(&fixture, 0, 200);
    struct index *index = open_index(&fixture, memory);
    CU_ASSERT_EQUAL(statistics_of(index).sampling, 32);
    CU_ASSERT(statistics_of(index).memory <= memory);
    size_t most = 0;
    uint32_t found = 0;
    for (uint64_t pack = 0; pack < 200; pack++) {
        found += count_found(index, pack * PER_PACK, PER_PACK);
        size_t now = statistics_of(index).memory;
        most = now > most ? now : most;
    }
    CU_ASSERT(most <= memory && found > 200 * PER_PACK * 95 / 100);
    index_close(index);

    fixture_reopen(&fixture);
    index = open_index(&fixture, MEMORY); /* the cache was sampled by 32, and remains so */
    CU_ASSERT_EQUAL(statistics_of(index).sampling, 32);
    CU_ASSERT_EQUAL(statistics_of(index).trailers_read, 0);
    CU_ASSERT(count_found(index, 0, 200 * PER_PACK) > 200 * PER_PACK * 95 / 100);
    index_close(index);
    fixture_close(&fixture);
}

/* How many of the chunks are found when they are looked up sixteen at a time. */
static uint32_t count_found_ahead(struct index *index, uint64_t first, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t done = 0; done < count;) {
        uint8_t fingerprints[16][FORMAT_FINGERPRINT_LENGTH];
        uint32_t some = count - done < 16 ? count - done : 16;
        for (uint32_t i = 0; i < some; i++)
            fingerprint_of(first + done + i, fingerprints[i]);
        expect_ok(index_look_ahead(index, fingerprints, some, err));
        found += count_found(index, first + done, some);
        done += some;
    }
    return found;
}

/* Whoever enters a pack in its middle misses what comes before the next sample, less of it when looking ahead. */
static void looking_ahead_finds_more(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 30);
    index_close(open_index(&fixture, MEMORY));
    uint32_t missed[2] = {0};
    for (int ahead = 0; ahead < 2; ahead++) {
        fixture_reopen(&fixture);
        struct index *index = open_index(&fixture, MEMORY);
        for (uint64_t pack = 0; pack < 30; pack++) {
            uint64_t first = pack * PER_PACK + 300;
            uint32_t found =
                ahead ? count_found_ahead(index, first, 320) : count_found(index, first, 320);
            missed[ahead] += 320 - found;
        }
        index_close(index);
    }
    printf(" misses: %u without, %u with ", missed[0], missed[1]);
    CU_ASSERT(missed[0] > 30 * 5 && missed[0] < 30 * 30);
    CU_ASSERT(missed[1] < missed[0] * 3 / 4);
    fixture_close(&fixture);
}

/* A clone with a tenth of its runs of blocks changed and the rest moved about in pieces: how much of what it shares is found. */
static void clone_is_found(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 60);
    index_close(open_index(&fixture, MEMORY));
    fixture_reopen(&fixture);
    struct index *index = open_index(&fixture, MEMORY);
    uint32_t shared = 0, found = 0;
    uint64_t state = 1;
    for (uint32_t done = 0; done < 60 * PER_PACK;) {
        state = state * 6364136223846793005 + 1442695040888963407;
        uint32_t length = 1 + (uint32_t)(state >> 33) % 200;
        length = length > 60 * PER_PACK - done ? 60 * PER_PACK - done : length;
        bool changed = (state >> 20) % 10 == 0;
        found += count_found(index, changed ? 1000000000 + done : done, length);
        shared += changed ? 0 : length;
        done += length;
    }
    printf(" %.1f %% of a clone found ", 100.0 * found / shared);
    CU_ASSERT(found <= shared && found > shared / 1000 * 990);
    index_close(index);
    fixture_close(&fixture);
}

struct seeker {
    struct index *index;
    uint64_t first;
    uint32_t found;
};

static void *seek(void *context)
{
    struct seeker *seeker = context;
    seeker->found = count_found(seeker->index, seeker->first, 10 * PER_PACK);
    return NULL;
}

static void many_threads(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 40);
    index_close(open_index(&fixture, 256u * 1024));
    fixture_reopen(&fixture);
    struct index *index = open_index(&fixture, 256u * 1024);
    struct seeker seekers[8];
    pthread_t threads[8];
    for (uint64_t i = 0; i < 8; i++) {
        seekers[i] = (struct seeker){.index = index, .first = i / 2 * 10 * PER_PACK};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, seek, &seekers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT(seekers[i].found > 9 * PER_PACK);
    }
    index_close(index);
    fixture_close(&fixture);
}

struct progress {
    uint32_t calls, done, total;
};

static void count_progress(void *context, uint32_t done, uint32_t total)
{
    struct progress *progress = context;
    CU_ASSERT(done > progress->done && done <= total);
    *progress = (struct progress){.calls = progress->calls + 1, .done = done, .total = total};
}

static void progress_is_told(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    write_packs(&fixture, 0, 70);
    struct firn_error *err = NULL;
    struct index *index = NULL;
    struct progress progress = {0};
    fixture_must(index_open(fixture.repo, NULL, MEMORY, count_progress, &progress, &index, &err),
                 "index", err);
    CU_ASSERT(progress.calls == 2 && progress.done == 70 && progress.total == 70);
    index_close(index);
    fixture_close(&fixture);
}

/* ------------------------------------------------------------------------------------------------ digest records */

static void write_stream(struct fixture *fixture, uint32_t data_pack, uint64_t name,
                         struct map_run *run)
{
    struct firn_error *err = NULL;
    struct meta_writer *meta = NULL;
    uint64_t stored = 0;
    uint32_t packs = 0;
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    fingerprint_of(name, fingerprint);
    fixture_must(meta_writer_new(fixture->repo, &meta, &err), "meta", err);
    struct map_writer *writer = map_writer_new(fixture->repo, meta);
    struct map_extent extent = {.start = 0, .count = 700, .pack = data_pack, .ordinal = 11};
    fixture_must(map_writer_add(writer, &extent, &err), "add", err);
    fixture_must(map_writer_finish(writer, run, &err), "map", err);
    fixture_must(map_digest_write(fixture->repo, meta, fingerprint, 123456789, run, &err), "digest",
                 err);
    fixture_must(meta_writer_finish(meta, &stored, &packs, &err), "meta", err);
}

static int find_stream(struct fixture *fixture, struct index *index, uint64_t name,
                       struct map_run *run)
{
    struct firn_error *err = NULL;
    uint64_t length = 0;
    uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
    fingerprint_of(name, fingerprint);
    int found = map_digest_find(fixture->repo, index, fingerprint, run, &length, &err);
    fixture_must(found, "find digest", err);
    CU_ASSERT(found == 0 || length == 123456789);
    return found;
}

static void streams_are_found_by_digest(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct map_run written, found = {0};
    write_packs(&fixture, 0, 1);
    for (uint64_t name = 1; name <= 40; name++) {
        write_stream(&fixture, 0, name, &written);
        map_run_free(&written);
    }
    for (int cached = 0; cached < 2; cached++) {
        fixture_reopen(&fixture);
        struct index *index = open_index(&fixture, MEMORY);
        for (uint64_t name = 1; name <= 40; name++) {
            CU_ASSERT_EQUAL(find_stream(&fixture, index, name, &found), 1);
            CU_ASSERT(found.extents == 1 && found.units == 700 && found.span_count == 1);
            map_run_free(&found);
        }
        CU_ASSERT_EQUAL(find_stream(&fixture, index, 41, &found), 0);
        index_close(index);
    }
    fixture_close(&fixture);
}

/* A record whose data is gone is no stream. */
static void stream_without_its_packs(void)
{
    struct fixture fixture;
    fixture_open(&fixture);
    struct map_run run;
    write_packs(&fixture, 0, 2);
    write_stream(&fixture, 0, 1, &run);
    map_run_free(&run);
    write_stream(&fixture, 1, 2, &run);
    map_run_free(&run);
    auto_free char *data = pack_path(&fixture, 0);
    CU_ASSERT_EQUAL(unlink(data), 0);
    fixture_reopen(&fixture);
    struct index *index = open_index(&fixture, MEMORY);
    CU_ASSERT_EQUAL(find_stream(&fixture, index, 1, &run), 0);
    CU_ASSERT_EQUAL(find_stream(&fixture, index, 2, &run), 1);
    map_run_free(&run);
    index_close(index);
    fixture_close(&fixture);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"finds what is there", finds_what_is_there},
        {"cache saves reading", cache_saves_reading},
        {"damaged cache is dropped", damaged_cache_is_dropped},
        {"cache that cannot be written", cache_that_cannot_be_written},
        {"damaged and vanished packs", damaged_and_vanished_packs},
        {"removed packs are dropped", removed_packs_are_dropped},
        {"packs being written", packs_being_written},
        {"little memory", little_memory},
        {"clone is found", clone_is_found},
        {"looking ahead finds more", looking_ahead_finds_more},
        {"many threads", many_threads},
        {"progress is told", progress_is_told},
        {"streams are found by digest", streams_are_found_by_digest},
        {"stream without its packs", stream_without_its_packs},
    };
    return unit_run("index", tests, array_length(tests));
}
