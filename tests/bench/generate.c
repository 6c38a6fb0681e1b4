/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills an empty repository with the metadata of one large volume: generate REPO KEY_FILE ITEM TEBIBYTES
 *
 * Real: the number and size of the packs; their headers, keys, sealed trailers and tails; the map
 * and its meta packs; the snapshot. All of it is written by the product's own code, but for the
 * packs' layout, which is written here as pack_writer.c writes it.
 *
 * Faked: the frames. They are holes in the pack files, so nothing can be restored, and reading all
 * data (check --read-data) finds every pack damaged. Fingerprints are random numbers instead of HMACs
 * of blocks, the CRC over a whole pack is zero, and packs are not made durable one by one.
 *
 * Model: blocks of 64 KiB, compressed to about a half, four a frame; packs of 1024 blocks, 32 MiB.
 * The volume is fully occupied. Its map is as fragmented as that of a disk that has been in use
 * (48 blocks in a row on average): neighbours lie in different ones of STREAMS series of packs.
 */
#include "opened.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/mem.h"
#include "repo/crypt.h"
#include "repo/keyring.h"
#include "repo/map_writer.h"
#include "repo/meta.h"
#include "repo/pack_layout.h"
#include "repo/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_CHUNKS    1024u
#define FRAME_CHUNKS   4u
#define FRAME_STORED   (128u * 1024u)
#define PACK_FRAMES    (PACK_CHUNKS / FRAME_CHUNKS)
#define STREAMS        16u
#define EXTENT_LONGEST 95u /* blocks; from 1 on, each equally likely */

struct generator {
    struct repo *repo;
    const char *location;
    uint64_t random;
    uint32_t *packs; /* their numbers in the table of packs */
    uint32_t pack_count;
};

/* Where the next blocks of a series go. */
struct stream {
    uint32_t pack; /* index in generator.packs */
    uint32_t end;
    uint32_t ordinal;
};

/* ---------------------------------------------------------------------------------- packs */

static void make_header(const struct generator *generator, const uint8_t *id, const uint8_t *keying,
                        struct buf *out)
{
    static const uint8_t zeros[PACK_HEADER_LENGTH];
    buf_append(out, PACK_HEADER_MAGIC, 8);
    buf_le32(out, FORMAT_VERSION);
    buf_le32(out, FORMAT_DATA);
    buf_append(out, generator->repo->id, FORMAT_ID_LENGTH);
    buf_append(out, id, FORMAT_ID_LENGTH);
    buf_append(out, keying, FORMAT_KEYING_LENGTH);
    buf_append(out, zeros, PACK_HEADER_LENGTH - 4 - out->length);
    buf_le32(out, crypt_crc32c(0, out->data, out->length));
}

static void make_plain_trailer(struct generator *generator, struct buf *out)
{
    buf_le32(out, PACK_FRAMES);
    buf_le32(out, PACK_CHUNKS);
    for (uint32_t i = 0; i < PACK_FRAMES; i++) {
        buf_le32(out, FRAME_STORED);
        buf_le32(out, FRAME_CHUNKS * FORMAT_BLOCK_SIZE);
        buf_le32(out, FRAME_CHUNKS | PACK_COMPRESSED);
    }
    for (uint32_t i = 0; i < PACK_CHUNKS; i++) {
        buf_le32(out, (uint32_t)FORMAT_CHUNK_BLOCK << 24 | FORMAT_BLOCK_SIZE);
        for (unsigned word = 0; word < FORMAT_FINGERPRINT_LENGTH / 8; word++)
            buf_le64(out, random_next(&generator->random));
    }
}

static void append_tail(struct buf *out, uint64_t references, uint32_t trailer_length)
{
    static const uint8_t zeros[PACK_TAIL_LENGTH];
    size_t start = out->length;
    buf_append(out, PACK_TAIL_MAGIC, 8);
    buf_le64(out, references + start + PACK_TAIL_LENGTH);
    buf_le64(out, references);
    buf_le32(out, 0);
    buf_le32(out, trailer_length);
    buf_le32(out, 0);
    buf_append(out, zeros, PACK_TAIL_LENGTH - 4 - (out->length - start));
    buf_le32(out, crypt_crc32c(0, out->data + start, out->length - start));
}

/* Trailer, the header again and tail: all that stands behind the frames. */
static int make_end(struct generator *generator, const uint8_t *keying, const struct buf *header,
                    struct buf *out, struct firn_error **err)
{
    static const uint64_t references = PACK_HEADER_LENGTH + (uint64_t)PACK_FRAMES * FRAME_STORED;
    uint8_t key[FORMAT_KEY_LENGTH];
    struct sealer *sealer = NULL;
    auto_buf struct buf plain = buf_new(1u << 20);
    make_plain_trailer(generator, &plain);
    size_t sealed_length = plain.length + CRYPT_OVERHEAD;
    auto_free uint8_t *sealed = mem_alloc(sealed_length);
    if (keyring_trailer_key(&generator->repo->keyring, keying, key, err) < 0 ||
        sealer_new(key, &sealer, err) < 0)
        return -1;
    int result =
        sealer_seal(sealer, header->data, header->length, plain.data, plain.length, sealed, err);
    sealer_free(sealer);
    buf_append(out, sealed, sealed_length);
    buf_append(out, header->data, header->length);
    append_tail(out, references, (uint32_t)sealed_length);
    return result;
}

static int write_file(const struct generator *generator, const uint8_t *id,
                      const struct buf *header, const struct buf *end, struct firn_error **err)
{
    char name[PACK_NAME_LENGTH];
    pack_name(id, name);
    auto_free char *path = mem_printf("%s/%s", generator->location, name);
    char *leaf = path + strlen(path) - 2 * FORMAT_ID_LENGTH;
    leaf[-1] = '\0';
    mkdir(path, 0700);
    leaf[-1] = '/';
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    off_t behind = (off_t)PACK_HEADER_LENGTH + (off_t)PACK_FRAMES * FRAME_STORED;
    bool done = fd >= 0 && write(fd, header->data, header->length) == (ssize_t)header->length &&
                pwrite(fd, end->data, end->length, behind) == (ssize_t)end->length;
    if (fd >= 0 && close(fd) < 0)
        done = false;
    return done ? 0 : fail(err, FIRN_INTERNAL, "cannot write %s", path);
}

static int write_pack(struct generator *generator, uint32_t *number, struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH], keying[FORMAT_KEYING_LENGTH], key[FORMAT_KEY_LENGTH];
    auto_buf struct buf header = buf_new(PACK_HEADER_LENGTH);
    auto_buf struct buf end = buf_new(1u << 20);
    crypt_random(id, sizeof(id));
    if (keyring_new_key(&generator->repo->keyring, FORMAT_DATA, keying, key, err) < 0)
        return -1;
    make_header(generator, id, keying, &header);
    if (make_end(generator, keying, &header, &end, err) < 0 ||
        write_file(generator, id, &header, &end, err) < 0 ||
        pack_table_number(generator->repo->packs, id, number, err) < 0)
        return -1;
    pack_table_set_present(generator->repo->packs, *number);
    return 0;
}

static int write_packs(struct generator *generator, struct firn_error **err)
{
    generator->packs = mem_array(generator->pack_count, sizeof(*generator->packs));
    auto_free char *folder = mem_printf("%s/packs", generator->location);
    mkdir(folder, 0700);
    for (uint32_t i = 0; i < generator->pack_count; i++)
        if (write_pack(generator, &generator->packs[i], err) < 0)
            return -1;
    return 0;
}

/* ---------------------------------------------------------------------------------- map */

/* A series of packs that still has room: one at random, or the next one that has. */
static struct stream *choose(struct generator *generator, struct stream *streams)
{
    uint64_t first = random_below(&generator->random, STREAMS);
    for (uint64_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &streams[(first + i) % STREAMS];
        if (stream->pack < stream->end)
            return stream;
    }
    return NULL;
}

static int write_map(struct generator *generator, struct meta_writer *meta, struct map_run *out,
                     struct firn_error **err)
{
    struct stream streams[STREAMS];
    for (uint32_t i = 0; i < STREAMS; i++)
        streams[i] =
            (struct stream){.pack = (uint32_t)((uint64_t)generator->pack_count * i / STREAMS),
                            .end = (uint32_t)((uint64_t)generator->pack_count * (i + 1) / STREAMS)};
    struct map_writer *writer = map_writer_new(generator->repo, meta);
    struct stream *stream;
    uint64_t unit = 0;
    while ((stream = choose(generator, streams)) != NULL) {
        uint64_t count = 1 + random_below(&generator->random, EXTENT_LONGEST);
        if (count > PACK_CHUNKS - stream->ordinal)
            count = PACK_CHUNKS - stream->ordinal;
        const struct map_extent extent = {.start = unit,
                                          .count = count,
                                          .pack = generator->packs[stream->pack],
                                          .ordinal = stream->ordinal};
        if (map_writer_add(writer, &extent, err) < 0) {
            map_writer_free(writer);
            return -1;
        }
        unit += count;
        stream->ordinal += (uint32_t)count;
        stream->pack += stream->ordinal == PACK_CHUNKS;
        stream->ordinal %= PACK_CHUNKS;
    }
    return map_writer_finish(writer, out, err);
}

/* ---------------------------------------------------------------------------------- snapshot */

static int write_snapshot(struct generator *generator, const char *item, struct firn_error **err)
{
    auto_snapshot struct snapshot *snapshot = snapshot_new(item);
    struct meta_writer *meta = NULL;
    uint64_t length = (uint64_t)generator->pack_count * PACK_CHUNKS * FORMAT_BLOCK_SIZE;
    snapshot->method = mem_strdup("full");
    snapshot->consistency = FIRN_CRASH_CONSISTENT;
    snapshot->frozen = -1;
    snapshot->started = snapshot->point_in_time = clock_now();
    snapshot->state = mem_printf("{\"size\":%llu}", (unsigned long long)length);
    snapshot->bytes_total = snapshot->bytes_read = snapshot->bytes_new = length;
    snapshot->packs = generator->pack_count;
    snapshot->object_count = 1;
    snapshot->objects = mem_zalloc(sizeof(*snapshot->objects));
    struct snapshot_object *disk = snapshot->objects;
    *disk = (struct snapshot_object){.kind = FIRN_OBJECT_VOLUME,
                                     .name = mem_strdup("disk"),
                                     .media_type = mem_strdup("application/vnd.firn.disk.raw"),
                                     .length = length};
    disk->map.runs = mem_zalloc(sizeof(*disk->map.runs));
    disk->map.run_count = 1;
    uint32_t packs = 0;
    if (meta_writer_new(generator->repo, &meta, err) < 0)
        return -1;
    if (write_map(generator, meta, disk->map.runs, err) < 0) {
        meta_writer_abort(meta);
        return -1;
    }
    uint64_t extents = disk->map.runs->extents;
    if (meta_writer_finish(meta, &snapshot->bytes_stored, &packs, err) < 0)
        return -1;
    printf("{\"bytes\":%llu,\"packs\":%u,\"extents\":%llu,\"map_bytes\":%llu}\n",
           (unsigned long long)length, generator->pack_count, (unsigned long long)extents,
           (unsigned long long)snapshot->bytes_stored);
    return snapshot_write(generator->repo, snapshot, err);
}

int main(int argc, char **argv)
{
    auto_error struct firn_error *err = NULL;
    struct opened opened = {0};
    if (argc != 5 || strtoull(argv[4], NULL, 10) == 0) {
        fprintf(stderr, "usage: generate REPO KEY_FILE ITEM TEBIBYTES\n");
        return 2;
    }
    struct generator generator = {.location = argv[1], .random = 20260101};
    generator.pack_count = (uint32_t)(strtoull(argv[4], NULL, 10) *
                                      ((UINT64_C(1) << 40) / FORMAT_BLOCK_SIZE / PACK_CHUNKS));
    int result = opened_open(argv[1], argv[2], &opened, &err);
    generator.repo = opened.repo;
    if (result == 0)
        result = write_packs(&generator, &err);
    if (result == 0)
        result = write_snapshot(&generator, argv[3], &err);
    if (result < 0)
        fprintf(stderr, "generate: %s\n", error_message(err));
    free(generator.packs);
    opened_close(&opened);
    return result < 0;
}
