/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps as a snapshot states them: what is taken, is written and taken again, and then written the same.
 */
#include "core/buf.h"
#include "core/json.h"
#include "core/mem.h"
#include "repo/map.h"
#include "repo/repo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The map's text, written; -1 if it is no map. */
static int rewrite(struct repo *repo, const void *data, size_t size, struct buf *out)
{
    auto_json struct json_object *json = NULL;
    struct map map = {0};
    if (json_parse(data, size, "input", &json, NULL) < 0 ||
        map_from_json(repo, json, &map, NULL) < 0)
        return -1;
    auto_json struct json_object *written = map_to_json(repo, &map);
    json_write(out, written);
    map_free(&map);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct repo repo = {.packs = pack_table_new()};
    auto_buf struct buf first = buf_new(SIZE_MAX);
    auto_buf struct buf second = buf_new(SIZE_MAX);
    if (rewrite(&repo, data, size, &first) == 0) {
        if (rewrite(&repo, first.data, first.length, &second) < 0 ||
            first.length != second.length || memcmp(first.data, second.data, first.length) != 0)
            abort();
    }
    pack_table_free(repo.packs);
    return 0;
}
