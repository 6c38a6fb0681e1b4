/* SPDX-License-Identifier: Apache-2.0 */
/* firn forget */
#include "cli.h"
#include "core/buf.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "host/retention.h"
#include "output.h"
#include "prune.h"
#include "record.h"
#include "repo/collection.h"
#include "repo/hold.h"
#include "selector.h"

#include <string.h>

struct forget {
    struct cli *cli;
    struct retention_policy policy;
    struct json_object *rows;
    size_t removed;
};

static int remove_snapshot(struct forget *forget, const struct snapshot *snapshot,
                           struct firn_error **err)
{
    if (hold_check(forget->cli->repo, snapshot->id_text, err) < 0)
        return -1;
    forget->removed++;
    if (argument_flag(forget->cli->arguments, "dry-run"))
        return 0;
    if (cancel_check(err) < 0 || snapshot_remove(forget->cli->repo, snapshot->id, err) < 0)
        return wrap(err, "snapshot %.12s", snapshot->id_text);
    return 0;
}

static void add_row(struct forget *forget, const struct snapshot *snapshot, unsigned verdict)
{
    struct json_object *row = json_object_new_object();
    struct json_object *reasons = json_object_new_array();
    for (unsigned bit = 1; bit <= RETENTION_HELD; bit <<= 1)
        if (verdict & bit)
            json_object_array_add(reasons, json_object_new_string(retention_reason(bit)));
    json_set_string(row, "id", snapshot->id_text);
    json_set_string(row, "item", snapshot->item);
    json_set_string(row, "hostname", snapshot->hostname);
    record_time(row, "committed", snapshot->committed);
    json_set_string(row, "action", verdict != 0 ? "keep" : "forget");
    json_set_take(row, "reasons", reasons);
    json_object_array_add(forget->rows, row);
}

/* ------------------------------------------------------------------------------------------------ by a policy */

/* Snapshots of one group: of one item; with --group-by host,item also taken on one machine. */
static int compare_groups(const struct forget *forget, const struct snapshot *left,
                          const struct snapshot *right)
{
    const char *grouping = argument_text(forget->cli->arguments, "group-by");
    int order = strcmp(left->item, right->item);
    if (order != 0 || grouping == NULL || strcmp(grouping, "host,item") != 0)
        return order;
    return strcmp(left->hostname != NULL ? left->hostname : "",
                  right->hostname != NULL ? right->hostname : "");
}

static int by_group_then_time(const void *a, const void *b, void *forget)
{
    const struct snapshot *left = *(struct snapshot *const *)a,
                          *right = *(struct snapshot *const *)b;
    int order = compare_groups(forget, left, right);
    if (order != 0)
        return order;
    return left->committed < right->committed ? -1 : left->committed > right->committed;
}

/* A policy passes over what cannot be removed yet. */
static int read_hold(struct forget *forget, const struct snapshot *snapshot, unsigned *verdict,
                     struct firn_error **err)
{
    struct store_lock lock;
    if (hold_read(forget->cli->repo, snapshot->id_text, &lock, err) < 0)
        return -1;
    *verdict = (lock.until != 0 ? RETENTION_LOCKED : 0) | (lock.held ? RETENTION_HELD : 0);
    return 0;
}

static int forget_group(struct forget *forget, struct snapshot *const *group, size_t count,
                        struct firn_error **err)
{
    auto_free unsigned *verdicts = mem_array(count, sizeof(*verdicts));
    retention_apply(&forget->policy, group, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        if (verdicts[i] == 0 && read_hold(forget, group[i], &verdicts[i], err) < 0)
            return -1;
        if (verdicts[i] == 0 && remove_snapshot(forget, group[i], err) < 0)
            return -1;
        add_row(forget, group[i], verdicts[i]);
    }
    return 0;
}

static int forget_all(struct forget *forget, struct snapshot **list, size_t count,
                      struct firn_error **err)
{
    const char *source = argument_text(forget->cli->arguments, "source");
    if (count > 0)
        qsort_r(list, count, sizeof(*list), by_group_then_time, forget);
    for (size_t begin = 0, end; begin < count; begin = end) {
        end = begin + 1;
        while (end < count && compare_groups(forget, list[end], list[begin]) == 0)
            end++;
        if (source != NULL && strcmp(list[begin]->item, source) != 0)
            continue;
        if (forget_group(forget, list + begin, end - begin, err) < 0)
            return -1;
    }
    return 0;
}

/* One that landed too late, and is not whole, keeps no other from being kept, and waits to be forgotten by name. */
static void set_late_aside(void *context, const char *name, const struct firn_error *why)
{
    (void)context;
    log_warning("%s is left out, since it landed too late: %s: `firn forget` removes it by its id",
                name, error_message(why));
}

/* A snapshot that cannot be read stops the whole: which ones a policy keeps must not depend on damage. */
static int by_policy(struct forget *forget, struct firn_error **err)
{
    struct snapshot **list;
    size_t count;
    if (snapshot_list(forget->cli->repo, NULL, NULL, &list, &count, err) < 0)
        return wrap(err, "nothing was forgotten");
    int result = snapshot_sift(forget->cli->repo, list, &count, set_late_aside, NULL, err);
    if (result < 0)
        error_wrap(err, "nothing was forgotten");
    else
        result = forget_all(forget, list, count, err);
    snapshot_list_free(list, count);
    return result;
}

/* ------------------------------------------------------------------------------------------------ by name */

/* A snapshot that cannot be read goes when it is named in full: else it would be in the way of every policy for ever. */
static int forget_damaged(struct forget *forget, const char *text, const struct firn_error *why,
                          struct firn_error **err)
{
    struct snapshot damaged = {.item = (char[]){"(damaged)"}};
    if (strlen(text) != FORMAT_ID_TEXT - 1 || !hex_decode(text, damaged.id, sizeof(damaged.id)))
        return fail(err, FIRN_CORRUPT, "%s: to forget it all the same, give its whole id",
                    error_message(why));
    memcpy(damaged.id_text, text, FORMAT_ID_TEXT);
    log_warning("%s: forgotten all the same", error_message(why));
    if (remove_snapshot(forget, &damaged, err) < 0)
        return -1;
    add_row(forget, &damaged, 0);
    return 0;
}

static int forget_named(struct forget *forget, const char *text, struct firn_error **err)
{
    auto_snapshot struct snapshot *snapshot = NULL;
    auto_error struct firn_error *why = NULL;
    if (select_snapshot(forget->cli, text, &snapshot, &why) < 0) {
        if (error_code(why) == FIRN_CORRUPT)
            return forget_damaged(forget, text, why, err);
        return fail(err, error_code(why), "%s", error_message(why));
    }
    if (remove_snapshot(forget, snapshot, err) < 0)
        return -1;
    add_row(forget, snapshot, 0);
    return 0;
}

static int by_name(struct forget *forget, struct firn_error **err)
{
    const struct arguments *arguments = forget->cli->arguments;
    for (size_t i = 0; i < arguments_count(arguments); i++)
        if (forget_named(forget, arguments_operand(arguments, i), err) < 0)
            return -1;
    return 0;
}

/* The tags that keep: the caller's. */
static const char **read_policy(const struct arguments *arguments, struct retention_policy *policy)
{
    static const char *const names[RETENTION_PERIODS] = {
        "keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly"};
    const char **tags;
    for (size_t i = 0; i < RETENTION_PERIODS; i++)
        policy->keep[i] = (unsigned)argument_number(arguments, names[i], 0);
    policy->within = argument_number(arguments, "keep-within", 0);
    policy->tag_count = argument_list(arguments, "keep-tag", &tags);
    return tags;
}

static int report(struct forget *forget, struct firn_error **err)
{
    static const struct column columns[] = {{"ACTION", "action", COLUMN_TEXT},
                                            {"ID", "id", COLUMN_ID},
                                            {"TIME", "committed", COLUMN_TIME},
                                            {"ITEM", "item", COLUMN_TEXT},
                                            {"KEPT BY", "reasons", COLUMN_LIST}};
    if (output_list(forget->cli, forget->rows, columns, array_length(columns), "no snapshots",
                    err) < 0)
        return -1;
    bool dry = argument_flag(forget->cli->arguments, "dry-run");
    cli_note(forget->cli, "%zu snapshots %s", forget->removed,
             dry ? "would be forgotten" : "forgotten");
    return 0;
}

/* What was forgotten, of which nothing is removed before the grace is over. */
static int prune_after(struct cli *cli, struct firn_error **err)
{
    const struct collect_options options = {.grace = COLLECTION_GRACE,
                                            .min_age = COLLECTION_SESSION};
    struct collect_result result = {0};
    if (!argument_flag(cli->arguments, "prune") || argument_flag(cli->arguments, "dry-run"))
        return 0;
    int status = prune_collect(cli, &options, &result, err);
    if (status == 0)
        status = prune_verdict(&result, err);
    collect_result_free(&result);
    return status < 0 ? wrap(err, "prune") : 0;
}

static int run(struct cli *cli, struct firn_error **err)
{
    struct forget forget = {.cli = cli};
    auto_json struct json_object *rows = json_object_new_array();
    auto_free const char **tags = read_policy(cli->arguments, &forget.policy);
    bool named = arguments_count(cli->arguments) > 0;
    forget.rows = rows;
    forget.policy.tags = tags;
    if (named == retention_has_rule(&forget.policy))
        return usage(cli, err, "forget: %s",
                     named ? "either name snapshots or give --keep rules, not both"
                           : "name snapshots, or say with --keep-… what to keep");
    if (cli_open(cli, err) < 0)
        return -1;
    if ((named ? by_name(&forget, err) : by_policy(&forget, err)) < 0)
        return -1;
    if (report(&forget, err) < 0)
        return -1;
    return prune_after(cli, err);
}

static const struct option options[] = {
    {.name = "keep-last", .type = OPTION_NUMBER, .value = "N", .description = "keep the newest N"},
    {.name = "keep-hourly",
     .type = OPTION_NUMBER,
     .value = "N",
     .description = "keep the last of each of N hours"},
    {.name = "keep-daily",
     .type = OPTION_NUMBER,
     .value = "N",
     .description = "keep the last of each of N days"},
    {.name = "keep-weekly",
     .type = OPTION_NUMBER,
     .value = "N",
     .description = "keep the last of each of N weeks"},
    {.name = "keep-monthly",
     .type = OPTION_NUMBER,
     .value = "N",
     .description = "keep the last of each of N months"},
    {.name = "keep-yearly",
     .type = OPTION_NUMBER,
     .value = "N",
     .description = "keep the last of each of N years"},
    {.name = "keep-within",
     .type = OPTION_DURATION,
     .value = "DURATION",
     .description = "keep all that are at most this much older than the newest: 12h, 7d, 4w"},
    {.name = "keep-tag",
     .type = OPTION_LIST,
     .value = "TAG",
     .description = "keep all with this tag; may be repeated"},
    {.name = "source",
     .type = OPTION_TEXT,
     .value = "SOURCE",
     .description = "apply the rules to this source only"},
    {.name = "prune",
     .type = OPTION_FLAG,
     .description = "then do what firn prune does; nothing with --dry-run"},
    {.name = "group-by",
     .type = OPTION_CHOICE,
     .value = "item|host,item",
     .description = "what the rules are applied to apart: each source (item), or each source on "
                    "each host"},
    {.name = "dry-run",
     .letter = 'n',
     .type = OPTION_FLAG,
     .description = "only show what would be kept, and why"},
    {0},
};

static const struct example examples[] = {
    {"see what a policy keeps",
     "firn forget --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run"},
    {"one snapshot", "firn forget 3f9c21aa"},
    {0},
};

const struct verb verb_forget = {
    .name = "forget",
    .operands = "SNAP... | --keep-RULE N...",
    .summary = "remove snapshots, by name or by rules of what to keep",
    .description = "Removes the snapshots that are named, or, for each source apart, those that no "
                   "--keep rule keeps. A rule counts "
                   "periods that have a snapshot, from the newest back, and keeps the last "
                   "snapshot of each; hours, days, ISO weeks, months "
                   "and years are those of the local time zone. A rule that finds fewer periods "
                   "than it may keep also keeps the oldest snapshot. Where several machines back "
                   "up the same path to one repository, --group-by host,item tells them apart.\n\n"
                   "Every snapshot is complete in itself: removing one never harms another. Data "
                   "that no snapshot relies on any more is removed by `firn prune`; until then "
                   "`firn stats` shows it as unused.\n\n"
                   "A snapshot that is held (`firn hold`), or locked by S3 Object Lock, stays.",
    .options = options,
    .examples = examples,
    .most = SIZE_MAX,
    .run = run,
};
