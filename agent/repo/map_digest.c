/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest records: the coding is described in map_digest.h. A record proves nothing about what it
 * names: a collector that was stopped may have left it without its packs, so finding one looks
 * whether they are all there.
 */
#include "map_digest.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "gate.h"
#include "index.h"
#include "map_cursor.h"
#include "meta.h"
#include "repo.h"

#define VERSION 1u

static void encode(struct pack_table *table, uint64_t length, const struct map_run *run,
                   struct buf *out)
{
    buf_putc(out, VERSION);
    buf_varint(out, length);
    buf_varint(out, run->extents);
    buf_varint(out, run->units);
    buf_varint(out, run->span_count);
    for (size_t i = 0; i < run->span_count; i++) {
        uint8_t id[FORMAT_ID_LENGTH];
        pack_table_id(table, run->spans[i].pack, id);
        buf_append(out, id, sizeof(id));
        buf_varint(out, run->spans[i].ordinal);
        buf_varint(out, run->spans[i].count);
    }
}

int map_digest_write(struct repo *repo, struct meta_writer *meta,
                     const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], uint64_t length,
                     const struct map_run *run, struct firn_error **err)
{
    auto_buf struct buf record = buf_new(FORMAT_CHUNK_MAX);
    encode(repo->packs, length, run, &record);
    if (buf_check(&record, "digest record", err) < 0)
        return -1;
    uint32_t pack = 0, ordinal = 0;
    return meta_writer_put(meta, FORMAT_CHUNK_DIGEST, fingerprint, record.data, record.length, NULL,
                           0, &pack, &ordinal, err);
}

static int damaged(struct firn_error **err)
{
    return fail(err, FIRN_CORRUPT, "digest record: malformed");
}

static int decode_span(struct pack_table *table, struct cursor *bytes, struct map_span *span,
                       struct firn_error **err)
{
    const uint8_t *id = cursor_bytes(bytes, FORMAT_ID_LENGTH);
    uint64_t ordinal = cursor_varint(bytes);
    uint64_t count = cursor_varint(bytes);
    if (id == NULL || bytes->failed || count == 0 || ordinal >= FORMAT_PACK_CHUNKS_MAX ||
        count > FORMAT_PACK_CHUNKS_MAX - ordinal)
        return damaged(err);
    span->ordinal = (uint32_t)ordinal;
    span->count = (uint32_t)count;
    return pack_table_number(table, id, &span->pack, err);
}

static int decode(struct pack_table *table, const struct buf *record, struct map_run *run,
                  uint64_t *length, struct firn_error **err)
{
    struct cursor bytes = cursor_new(record->data, record->length);
    uint8_t version = cursor_u8(&bytes);
    *length = cursor_varint(&bytes);
    run->extents = cursor_varint(&bytes);
    run->units = cursor_varint(&bytes);
    uint64_t count = cursor_varint(&bytes);
    if (bytes.failed || version != VERSION || count > bytes.length / (FORMAT_ID_LENGTH + 2))
        return damaged(err);
    run->spans = mem_array(count + 1, sizeof(*run->spans));
    for (size_t i = 0; i < count; i++) {
        if (decode_span(table, &bytes, &run->spans[i], err) < 0)
            return -1;
        run->span_count = i + 1;
    }
    return bytes.length == 0 && map_run_plausible(run) ? 0 : damaged(err);
}

/* 1: every pack of the map and of its chunks is present, and may be relied on; 0; -1. */
static int all_present(struct repo *repo, const struct map *map, struct firn_error **err)
{
    const struct map_run *run = &map->runs[0];
    for (size_t i = 0; i < run->span_count; i++) {
        if (!gate_allows(repo, run->spans[i].pack))
            return 0;
    }
    struct map_cursor *cursor = NULL;
    if (map_cursor_open(repo, map, 0, &cursor, err) < 0)
        return -1;
    struct map_extent extent;
    int more = 0;
    bool present = true;
    while (present && (more = map_cursor_next(cursor, &extent, err)) > 0)
        present = extent.pack == PACK_NONE || gate_allows(repo, extent.pack);
    map_cursor_free(cursor);
    return more < 0 ? -1 : present;
}

static int read_record(struct repo *repo, uint32_t pack, uint32_t ordinal, struct map_run *out,
                       uint64_t *length, struct firn_error **err)
{
    auto_buf struct buf record = buf_new(FORMAT_CHUNK_MAX);
    if (meta_read(repo, pack, ordinal, &record, err) < 0 ||
        decode(repo->packs, &record, out, length, err) < 0)
        return -1;
    return all_present(repo, &(struct map){.runs = out, .run_count = 1}, err);
}

int map_digest_find(struct repo *repo, struct index *index,
                    const uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH], struct map_run *out,
                    uint64_t *length, struct firn_error **err)
{
    uint32_t pack = 0, ordinal = 0;
    int found = index_find(index, FORMAT_CHUNK_DIGEST, fingerprint, &pack, &ordinal, err);
    if (found <= 0)
        return found;
    auto_error struct firn_error *why = NULL;
    *out = (struct map_run){0};
    found = read_record(repo, pack, ordinal, out, length, &why);
    if (found > 0)
        return 1;
    map_run_free(out);
    if (error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND) {
        log_warning("a stream that is known by its digest is stored anew: %s", error_message(why));
        return 0;
    }
    if (found < 0 && err != NULL)
        *err = steal(why);
    return found;
}
