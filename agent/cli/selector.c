/* SPDX-License-Identifier: Apache-2.0 */
#include "selector.h"

#include "cli.h"
#include "core/log.h"
#include "core/mem.h"
#include "host/nearest.h"

#include <string.h>

void selection_free(struct selection *selection)
{
    snapshot_free(selection->snapshot);
    free(selection->object);
}

static int resolve(struct cli *cli, const char *text, struct snapshot **out,
                   struct firn_error **err)
{
    if (snapshot_resolve(cli->repo, text, out, err) == 0)
        return 0;
    if (err != NULL && (error_code(*err) == FIRN_CONFLICT || error_code(*err) == FIRN_INVALID))
        cli->status = EXIT_FAILED;
    return -1;
}

static const char latest[] = "latest:";

static void damaged(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    log_warning("%s cannot be read and is passed over: %s", name, error_message(why));
}

/* How much of rest the item covers: all of it, or up to a colon; 0: the item does not fit. */
static size_t covers(const char *item, const char *rest)
{
    size_t length = strlen(item);
    return strncmp(item, rest, length) == 0 && (rest[length] == '\0' || rest[length] == ':')
               ? length
               : 0;
}

static int no_such_source(struct snapshot *const *list, size_t count, const char *rest,
                          struct firn_error **err)
{
    struct nearest nearest = nearest_new(rest);
    for (size_t i = 0; i < count; i++)
        nearest_offer(&nearest, list[i]->item);
    if (nearest.best != NULL)
        return fail(err, FIRN_NOTFOUND, "no snapshot is of \"%s\": did you mean latest:%s?", rest,
                    nearest.best);
    return fail(err, FIRN_NOTFOUND, "no snapshot is of \"%s\": `firn snapshots` lists them", rest);
}

/* list is oldest first, so that among equal items the last one is the latest. */
static int pick_latest(struct snapshot **list, size_t count, const char *rest,
                       struct selection *out, struct firn_error **err)
{
    size_t best = 0, found = count;
    for (size_t i = 0; i < count; i++) {
        size_t length = covers(list[i]->item, rest);
        if (length > 0 && length >= best) {
            best = length;
            found = i;
        }
    }
    if (found == count && count > 0 && snapshot_object(list[count - 1], rest) != NULL)
        found = count - 1;
    if (found == count)
        return no_such_source(list, count, rest, err);
    if (best == 0)
        out->object = mem_strdup(rest);
    else if (rest[best] == ':')
        out->object = mem_strdup(rest + best + 1);
    out->snapshot = steal(list[found]);
    return 0;
}

/* The latest may have landed too late to be relied on: then it is the one before. */
static int pick_standing(struct cli *cli, struct snapshot **list, size_t *count, const char *rest,
                         struct selection *out, struct firn_error **err)
{
    bool looked = false;
    for (;;) {
        auto_error struct firn_error *why = NULL;
        if (pick_latest(list, *count, rest, out, err) < 0)
            return -1;
        int stands = snapshot_stands(cli->repo, out->snapshot, &looked, &why);
        if (stands > 0)
            return 0;
        if (stands < 0)
            return fail(err, error_code(why), "%s", error_message(why));
        log_warning("passed over, since it landed too late: %s", error_message(why));
        snapshot_free(steal(out->snapshot));
        free(steal(out->object));
        size_t kept = 0;
        for (size_t i = 0; i < *count; i++)
            if (list[i] != NULL)
                list[kept++] = list[i];
        *count = kept;
    }
}

static int select_latest(struct cli *cli, const char *rest, struct selection *out,
                         struct firn_error **err)
{
    struct snapshot **list;
    size_t count;
    if (snapshot_list(cli->repo, damaged, NULL, &list, &count, err) < 0)
        return -1;
    int result = pick_standing(cli, list, &count, rest, out, err);
    snapshot_list_free(list, count);
    return result;
}

int select_snapshot(struct cli *cli, const char *text, struct snapshot **out,
                    struct firn_error **err)
{
    auto_selection struct selection selection = {0};
    if (cli_open(cli, err) < 0)
        return -1;
    if (strncmp(text, latest, sizeof(latest) - 1) != 0)
        return resolve(cli, text, out, err);
    if (select_latest(cli, text + sizeof(latest) - 1, &selection, err) < 0)
        return -1;
    if (selection.object != NULL)
        return fail(err, FIRN_NOTFOUND,
                    "no snapshot is of \"%s\": \"%s\" may be an object of one, but a snapshot is "
                    "meant here",
                    text + sizeof(latest) - 1, selection.object);
    *out = steal(selection.snapshot);
    return 0;
}

static int check_object(struct cli *cli, const struct selection *selection, struct firn_error **err)
{
    const struct snapshot *snapshot = selection->snapshot;
    if (selection->object == NULL || snapshot_object(snapshot, selection->object) != NULL)
        return 0;
    struct nearest nearest = nearest_new(selection->object);
    for (size_t i = 0; i < snapshot->object_count; i++)
        nearest_offer(&nearest, snapshot->objects[i].name);
    cli->status = EXIT_FAILED;
    if (nearest.best != NULL)
        return fail(err, FIRN_NOTFOUND, "snapshot %.12s has no object \"%s\": did you mean %s?",
                    snapshot->id_text, selection->object, nearest.best);
    return fail(err, FIRN_NOTFOUND,
                "snapshot %.12s has no object \"%s\": `firn show %.12s` lists them",
                snapshot->id_text, selection->object, snapshot->id_text);
}

int select_object(struct cli *cli, const char *text, struct selection *out, struct firn_error **err)
{
    if (cli_open(cli, err) < 0)
        return -1;
    if (strncmp(text, latest, sizeof(latest) - 1) == 0) {
        if (select_latest(cli, text + sizeof(latest) - 1, out, err) < 0)
            return -1;
        return check_object(cli, out, err);
    }
    size_t length = strcspn(text, ":");
    auto_free char *id = mem_dup(text, length);
    if (text[length] == ':')
        out->object = mem_strdup(text + length + 1);
    if (resolve(cli, id, &out->snapshot, err) < 0)
        return -1;
    return check_object(cli, out, err);
}
