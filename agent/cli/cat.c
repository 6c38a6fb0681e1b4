/* SPDX-License-Identifier: Apache-2.0 */
/* firn cat */
#include "cli.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/mem.h"
#include "output.h"
#include "record.h"
#include "repo/pack.h"
#include "selector.h"
#include "transfer.h"

#include <string.h>

static int cat_config(struct cli *cli, struct firn_error **err)
{
    if (cli_open(cli, err) < 0)
        return -1;
    auto_json struct json_object *record = json_object_new_object();
    json_set_string(record, "id", cli->repo->id_text);
    json_set_uint(record, "format", FORMAT_VERSION);
    record_time(record, "created", cli->repo->created);
    json_set_uint(record, "block_size", FORMAT_BLOCK_SIZE);
    record_store(record, cli->repo);
    return output_value(cli, record, err);
}

static int cat_snapshot(struct cli *cli, const char *name, struct firn_error **err)
{
    auto_snapshot struct snapshot *snapshot = NULL;
    if (select_snapshot(cli, name, &snapshot, err) < 0)
        return -1;
    auto_json struct json_object *record = snapshot_to_json(snapshot);
    return output_value(cli, record, err);
}

static struct json_object *chunks_of(const struct pack_trailer *trailer)
{
    struct json_object *array = json_object_new_array();
    for (uint32_t i = 0; i < trailer->chunk_count; i++) {
        const struct pack_chunk *chunk = &trailer->chunks[i];
        char fingerprint[2 * FORMAT_FINGERPRINT_LENGTH + 1];
        struct json_object *row = json_object_new_object();
        hex_encode(chunk->fingerprint, sizeof(chunk->fingerprint), fingerprint);
        json_set_string(row, "fingerprint", fingerprint);
        json_set_uint(row, "kind", chunk->kind);
        json_set_uint(row, "length", chunk->length);
        json_set_uint(row, "frame", chunk->frame);
        json_set_uint(row, "offset", chunk->offset);
        json_object_array_add(array, row);
    }
    return array;
}

static int cat_pack(struct cli *cli, const char *name, struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH];
    struct pack_trailer *trailer;
    if (!hex_decode(name, id, sizeof(id)))
        return usage(cli, err, "cat pack: \"%s\" is not the id of a pack (%u hex digits)", name,
                     2 * FORMAT_ID_LENGTH);
    if (cli_open(cli, err) < 0 || pack_trailer_read(cli->repo, id, &trailer, err) < 0)
        return -1;
    auto_json struct json_object *record = json_object_new_object();
    json_set_string(record, "id", name);
    json_set_take(record, "chunks", chunks_of(trailer));
    pack_trailer_free(trailer);
    return output_value(cli, record, err);
}

static int run(struct cli *cli, struct firn_error **err)
{
    const char *what = arguments_operand(cli->arguments, 0);
    const char *name = arguments_operand(cli->arguments, 1);
    if (name != NULL && strcmp(what, "snapshot") == 0)
        return cat_snapshot(cli, name, err);
    if (name != NULL && strcmp(what, "pack") == 0)
        return cat_pack(cli, name, err);
    if (name != NULL)
        return usage(cli, err, "cat: \"%s\" is neither snapshot nor pack", what);
    if (strcmp(what, "config") == 0)
        return cat_config(cli, err);
    auto_selection struct selection selection = {0};
    if (select_object(cli, what, &selection, err) < 0)
        return -1;
    return transfer_to_stdout(cli, &selection, err);
}

static const struct example examples[] = {
    {"the definition of a virtual machine", "firn cat latest:libvirt:web01:domain.xml"},
    {"all that the repository knows of a snapshot", "firn cat snapshot 3f9c21aa"},
    {0},
};

const struct verb verb_cat = {
    .name = "cat",
    .operands = "SNAP:OBJECT | config | snapshot SNAP | pack ID",
    .summary = "print an object of a snapshot, or an inner part of the repository as JSON",
    .description = "Writes the object to standard output as it is. `config`, `snapshot` and `pack` "
                   "print what the repository "
                   "holds about itself, for those who want to look inside.",
    .examples = examples,
    .least = 1,
    .most = 2,
    .run = run,
};
