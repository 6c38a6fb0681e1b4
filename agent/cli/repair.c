/* SPDX-License-Identifier: Apache-2.0 */
/* firn repair */
#include "repo/repair.h"

#include "cli.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "display.h"
#include "host/progress.h"
#include "output.h"
#include "record.h"
#include "repo/index.h"
#include "share.h"
#include "undelete.h"

#include <string.h>

static const char *const states[] = {[REPAIR_UNREADABLE] = "unreadable",
                                     [REPAIR_LOST] = "lost",
                                     [REPAIR_HEALS] = "heals",
                                     [REPAIR_REPLACED] = "replaced"};

static void show_progress(void *context, uint64_t done, uint64_t total)
{
    progress_set(context, total, done);
}

/* ------------------------------------------------------------------------------------------------ results */

static struct json_object *pack_row(struct repo *repo, const struct damaged_pack *pack)
{
    struct json_object *row = json_object_new_object();
    struct json_object *frames = json_object_new_array();
    uint8_t id[FORMAT_ID_LENGTH];
    char text[FORMAT_ID_TEXT];
    pack_table_id(repo->packs, pack->pack, id);
    hex_encode(id, sizeof(id), text);
    for (size_t i = 0; i < pack->frame_count; i++)
        json_object_array_add(frames, json_object_new_uint64(pack->frames[i]));
    json_set_string(row, "pack", text);
    json_set_bool(row, "whole", pack->whole);
    json_set_take(row, "frames", frames);
    json_set_string(row, "what", pack->what);
    return row;
}

static struct json_object *losses_of(const struct repair_snapshot *entry, uint64_t *bytes)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < entry->loss_count; i++) {
        const struct repair_loss *loss = &entry->losses[i];
        const struct snapshot_object *object = &entry->snapshot->objects[loss->object];
        struct json_object *row = json_object_new_object();
        json_set_string(row, "snapshot", entry->snapshot->id_text);
        json_set_string(row, "object", object->name);
        json_set_string(row, "kind", snapshot_kind_name(object->kind));
        json_set_uint(row, "offset", loss->offset);
        json_set_uint(row, "length", loss->length);
        json_object_array_add(array, row);
        *bytes += loss->length;
    }
    return array;
}

static struct json_object *snapshot_row(const struct repair_snapshot *entry)
{
    struct json_object *row = json_object_new_object();
    uint64_t bytes = 0;
    json_set_string(row, "id", strrchr(entry->name, '/') + 1);
    json_set_string(row, "state",
                    entry->removed || (entry->verdict == REPAIR_HEALS && entry->healed[0] != '\0')
                        ? "healed"
                        : states[entry->verdict]);
    if (entry->snapshot != NULL) {
        json_set_string(row, "item", entry->snapshot->item);
        record_time(row, "committed", entry->snapshot->committed);
        json_set_take(row, "losses", losses_of(entry, &bytes));
        json_set_uint(row, "bytes_lost", bytes);
    }
    if (entry->healed[0] != '\0') {
        json_set_string(row, "healed", entry->healed);
        json_set_bool(row, "removed", entry->removed);
    }
    json_set_string(row, "error", entry->what);
    return row;
}

static struct json_object *make_record(struct repo *repo, const struct repair *repair, bool applied)
{
    struct json_object *record = json_object_new_object();
    struct json_object *packs = json_object_new_array();
    struct json_object *snapshots = json_object_new_array();
    const struct damage *damage = repair_damage(repair);
    size_t count;
    const struct repair_snapshot *list = repair_snapshots(repair, &count);
    for (size_t i = 0; i < damage_count(damage); i++)
        json_object_array_add(packs, pack_row(repo, damage_at(damage, i)));
    for (size_t i = 0; i < count; i++)
        if (list[i].verdict != REPAIR_SOUND)
            json_object_array_add(snapshots, snapshot_row(&list[i]));
    json_set_bool(record, "applied", applied);
    json_set_uint(record, "packs_read", repair_checked(repair)->packs_read);
    json_set_uint(record, "bytes_stored", repair_stored(repair));
    json_set_take(record, "packs", packs);
    json_set_take(record, "snapshots", snapshots);
    return record;
}

static int print_losses(struct cli *cli, struct json_object *snapshots, struct firn_error **err)
{
    static const struct column columns[] = {{"SNAPSHOT", "snapshot", COLUMN_ID},
                                            {"OBJECT", "object", COLUMN_TEXT},
                                            {"LOST FROM", "offset", COLUMN_NUMBER},
                                            {"LENGTH", "length", COLUMN_NUMBER}};
    auto_json struct json_object *all = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(snapshots); i++) {
        struct json_object *losses = json_at(json_object_array_get_idx(snapshots, i), "losses");
        for (size_t j = 0; losses != NULL && j < json_object_array_length(losses); j++)
            json_object_array_add(all, json_object_get(json_object_array_get_idx(losses, j)));
    }
    if (json_object_array_length(all) == 0)
        return 0;
    if (output_text("\n", 1, err) < 0)
        return -1;
    return output_list(cli, all, columns, array_length(columns), "", err);
}

static int print(struct cli *cli, struct json_object *record, struct firn_error **err)
{
    static const struct column packs[] = {{"DAMAGED PACK", "pack", COLUMN_TEXT},
                                          {"WHAT", "what", COLUMN_TEXT}};
    static const struct column snapshots[] = {
        {"SNAPSHOT", "id", COLUMN_ID},       {"STATE", "state", COLUMN_TEXT},
        {"BY", "healed", COLUMN_ID},         {"TIME", "committed", COLUMN_TIME},
        {"LOST", "bytes_lost", COLUMN_SIZE}, {"ITEM", "item", COLUMN_TEXT}};
    if (cli->output != OUTPUT_TABLE)
        return output_value(cli, record, err);
    if (output_list(cli, json_at(record, "packs"), packs, array_length(packs), "no damaged packs",
                    err) < 0)
        return -1;
    if (json_object_array_length(json_at(record, "snapshots")) == 0)
        return 0;
    if (output_text("\n", 1, err) < 0 || output_list(cli, json_at(record, "snapshots"), snapshots,
                                                     array_length(snapshots), "", err) < 0)
        return -1;
    return print_losses(cli, json_at(record, "snapshots"), err);
}

/* ------------------------------------------------------------------------------------------------ the verb */

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, FORMAT_ID_LENGTH);
}

/* PACK: an id, or the name that `firn check` gives it. */
static int read_packs(struct cli *cli, uint8_t (**out)[FORMAT_ID_LENGTH], size_t *count,
                      struct firn_error **err)
{
    *count = arguments_count(cli->arguments);
    *out = mem_array(*count + 1, FORMAT_ID_LENGTH);
    for (size_t i = 0; i < *count; i++) {
        const char *text = arguments_operand(cli->arguments, i);
        const char *slash = strrchr(text, '/');
        if (!hex_decode(slash != NULL ? slash + 1 : text, (*out)[i], FORMAT_ID_LENGTH))
            return usage(cli, err, "\"%s\" is no pack: `firn check` names them", text);
    }
    if (*count > 1)
        qsort(*out, *count, FORMAT_ID_LENGTH, by_id);
    return 0;
}

/* The index is made anew: what the cache says of damaged packs is of no use. */
static int renew_index(struct cli *cli, struct firn_error **err)
{
    struct index *index = NULL;
    auto_free char *cache = cli_cache_directory(cli);
    index_forget(cli->repo, cache);
    if (index_open(cli->repo, cache, INDEX_MEMORY, NULL, NULL, &index, err) < 0)
        return -1;
    index_close(index);
    return 0;
}

static int look(struct cli *cli, struct repair **out, struct firn_error **err)
{
    auto_free uint8_t(*packs)[FORMAT_ID_LENGTH] = NULL;
    struct repair_options options = {.progress = show_progress};
    if (read_packs(cli, &packs, &options.pack_count, err) < 0 ||
        share_read(cli, "read-data", &options.read_percent, err) < 0 || cli_open(cli, err) < 0)
        return -1;
    struct progress *progress = progress_new();
    options.packs = (const uint8_t(*)[FORMAT_ID_LENGTH])packs;
    options.context = progress;
    struct display *display = display_start(cli, "repair", progress);
    int result = repair_look(cli->repo, &options, out, err);
    display_stop(display);
    progress_free(progress);
    return result;
}

/* What is left to say, after looking or applying. */
static int conclude(struct cli *cli, const struct repair *repair, bool applied,
                    struct firn_error **err)
{
    size_t count, lost = 0, heals = 0;
    const struct repair_snapshot *list = repair_snapshots(repair, &count);
    for (size_t i = 0; i < count; i++) {
        lost += list[i].verdict == REPAIR_LOST || list[i].verdict == REPAIR_UNREADABLE;
        heals += list[i].verdict == REPAIR_HEALS || list[i].verdict == REPAIR_REPLACED;
    }
    if (applied && lost == 0) {
        cli_note(cli, "%zu snapshots healed", heals);
        return 0;
    }
    if (damage_count(repair_damage(repair)) == 0 && lost + heals == 0)
        return 0;
    cli->status = EXIT_DAMAGED;
    if (!applied)
        return fail(err, FIRN_CORRUPT,
                    "the repository is damaged: %zu snapshots have lost something, %zu can be "
                    "healed; nothing was changed, `firn repair --apply` does it",
                    lost, heals);
    return fail(err, FIRN_CORRUPT,
                "%zu snapshots healed, %zu have lost something: back their sources up again, or "
                "copy them from another repository, and repair again",
                heals, lost);
}

static int undelete(struct cli *cli, struct firn_error **err)
{
    if (arguments_count(cli->arguments) > 0 || argument_text(cli->arguments, "read-data") != NULL)
        return usage(cli, err, "repair --undelete takes --apply and nothing else");
    return undelete_run(cli, err);
}

static int run(struct cli *cli, struct firn_error **err)
{
    struct repair *repair = NULL;
    bool apply = argument_flag(cli->arguments, "apply");
    if (argument_flag(cli->arguments, "undelete"))
        return undelete(cli, err);
    if (look(cli, &repair, err) < 0)
        return -1;
    int result = apply ? repair_apply(repair, err) : 0;
    if (result == 0 && apply)
        result = renew_index(cli, err);
    auto_json struct json_object *record = make_record(cli->repo, repair, apply);
    if (print(cli, record, result == 0 ? err : NULL) < 0)
        result = -1;
    if (result == 0)
        result = conclude(cli, repair, apply, err);
    repair_free(repair);
    return result;
}

static const struct option options[] = {
    {.name = "apply",
     .type = OPTION_FLAG,
     .description = "repair what can be repaired; without it nothing is changed"},
    {.name = "read-data",
     .type = OPTION_TEXT,
     .optional = true,
     .value = "N%",
     .description = "read every byte to find damage, or that of a random share of the packs"},
    {.name = "undelete",
     .type = OPTION_FLAG,
     .description = "instead: in a bucket with versions, show others again what somebody "
                    "overwrote or hid"},
    {0},
};

static const struct example examples[] = {
    {"what is damaged, and what that cost", "firn repair --read-data"},
    {"look into one pack that a restore could not read, and repair",
     "firn repair packs/3f/3f9c21aa84be1e0c6f6f1b5d2b7c9a10 --apply"},
    {"what somebody overwrote or hid in the bucket, and put it right",
     "firn repair --undelete --apply"},
    {0},
};

const struct verb verb_repair = {
    .name = "repair",
    .operands = "[PACK...] [--read-data[=N%]] [--apply] | --undelete [--apply]",
    .summary = "say what damage has cost, and repair what can be",
    .description =
        "Looks for packs that are missing or damaged, and says of each snapshot and each object "
        "which bytes are lost. Packs that describe themselves are believed, unless they are named "
        "(PACK, as `firn check` names them), known to be damaged, or drawn by --read-data; maps "
        "are always read.\n\n"
        "With --apply, damaged packs are written down (damaged/PACK), so that nothing relies on "
        "them any more: the next backup of each source reads it in full and stores again what was "
        "lost. What can still be read of them is stored again. A snapshot whose lost blocks all "
        "lie elsewhere, too, is replaced by one that relies on no damaged pack; it gets a new id "
        "and keeps all else. So: repair, back up (or copy from another repository), repair "
        "again.\n\n"
        "Exit code 13 tells that something is damaged, or is still lost.\n\n"
        "--undelete is for buckets with versions, where Firn reads the first version of each "
        "object whatever lies above it. It lists what was overwritten or hidden by a delete "
        "marker; with --apply it removes what lies above, or, without the right to remove "
        "versions, puts a copy of the first version on top.",
    .options = options,
    .examples = examples,
    .most = SIZE_MAX,
    .run = run,
};
