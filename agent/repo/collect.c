/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the collector:
 *
 *     records, packs, roots ──▶ verdicts over what is due ──▶ removal ──▶ finished ──▶ tombstones ──▶ condemn anew
 *
 * Whatever a record says, only what this process has found not to be alive is removed.
 */
#include "collect.h"

#include "collection.h"
#include "crypt.h"
#include "mark.h"
#include "repo.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/parallel.h"
#include "store/store.h"

#include <pthread.h>
#include <string.h>

#define THREADS 16u

/* What a pack is to rounds; bits of mark.h. */
enum {
    GOING = MARK_FIRST,      /* a valid verdict names it */
    KNOWN = MARK_FIRST << 1, /* a round names it */
    JUDGED =
        MARK_FIRST << 2, /* the round that is being judged condemned it, and it is old enough */
    SPARED = MARK_FIRST << 3, /* a meta pack that stays names it */
    SEEN = MARK_FIRST << 4,   /* SPARED, and followed */
    KEPT = MARK_FIRST << 5,   /* a meta pack that is too young to be condemned names it */
};

enum round_state {
    ROUND_DECIDED,  /* nothing to be done */
    ROUND_WAITING,  /* condemned, not due */
    ROUND_DUE,      /* to be judged */
    ROUND_GOING,    /* a valid verdict, packs may be left */
    ROUND_VOID,     /* a verdict that came too late */
    ROUND_FINISHED, /* for how long, its entry tells */
};

struct round {
    const struct collection_entry *entry;
    uint8_t id[FORMAT_ID_LENGTH];
    int64_t condemned; /* the store's time of its record */
    enum round_state state;
};

struct collect {
    struct repo *repo;
    const struct collect_options *options;
    struct collect_result *result;
    struct mark *mark;
    struct collection_list list;
    struct round *rounds; /* as they were condemned */
    size_t round_count;
    collect_progress *progress;
    void *context;
    pthread_mutex_t lock; /* of what removal counts */
    uint32_t *packs;      /* to be removed */
    size_t pack_count;
    uint64_t bytes, bytes_done; /* of these */
};

static void tell(struct collect *collect, const char *step, uint64_t done, uint64_t total)
{
    if (collect->progress != NULL)
        collect->progress(collect->context, step, done, total);
}

static void add(const struct collect *collect, struct collect_sum *sum, uint32_t pack)
{
    sum->packs++;
    sum->bytes += mark_length(collect->mark, pack);
}

static bool has(const struct collect *collect, uint32_t pack, uint16_t bits)
{
    return mark_has(collect->mark, pack, bits);
}

/* There, and nothing reaches it. */
static bool is_dead(const struct collect *collect, uint32_t pack)
{
    return has(collect, pack, MARK_THERE) && !has(collect, pack, MARK_ALIVE);
}

static bool is_old(const struct collect *collect, uint32_t pack)
{
    return collect->options->exclusive ||
           mark_modified(collect->mark, pack) <= collect->result->now - collect->options->min_age;
}

static void name_pack(const struct collect *collect, uint32_t pack, char out[PACK_NAME_LENGTH])
{
    uint8_t id[FORMAT_ID_LENGTH];
    pack_table_id(collect->repo->packs, pack, id);
    pack_name(id, out);
}

/* ------------------------------------------------------------------------------------------------ which rounds there are */

/* Sets bits of the packs that are known here; others are not there, and nothing names them. */
static void set_bits(struct collect *collect, const struct collection_record *record, uint16_t bits)
{
    for (size_t i = 0; i < record->count; i++) {
        uint32_t pack = 0;
        if (pack_table_find(collect->repo->packs, record->packs[i], &pack))
            mark_set(collect->mark, pack, bits);
    }
}

/* A time that is ahead of now is what a directory gives to what its writer never finished putting. */
static bool is_ahead(const struct collect *collect, int64_t time)
{
    return time > collect->result->now + COLLECTION_MARGIN;
}

static int pardon(struct collect *collect, struct round *round, const char *why,
                  struct firn_error **err)
{
    log_warning("%s: whatever it condemned is pardoned", why);
    round->state = ROUND_DECIDED;
    return collect->options->dry_run
               ? 0
               : collection_pardon(collect->repo, round->id, collect->result->now, err);
}

static int look_at_condemned(struct collect *collect, struct round *round, struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(0);
    auto_error struct firn_error *why = NULL;
    struct collection_record record;
    int64_t condemned = round->condemned;
    round->state = ROUND_DECIDED;
    if (collection_read(collect->repo, COLLECTION_CONDEMNED, round->id, &bytes, &record, &why) <
        0) {
        if (error_code(why) == FIRN_NOTFOUND) /* another collector was faster */
            return 0;
        if (error_code(why) == FIRN_CORRUPT)
            return pardon(collect, round, error_message(why), err);
        return fail(err, error_code(why), "%s", error_message(why));
    }
    if (is_ahead(collect, condemned)) {
        char name[COLLECTION_NAME_LENGTH];
        collection_name(COLLECTION_CONDEMNED, round->id, name);
        auto_free char *text = mem_printf("%s: it was never put to its end", name);
        return pardon(collect, round, text, err);
    }
    set_bits(collect, &record, KNOWN);
    int64_t grace = record.limit < COLLECTION_GRACE_LEAST ? COLLECTION_GRACE_LEAST : record.limit;
    int64_t due = condemned + grace + 1000; /* a store may tell times in whole seconds */
    round->state =
        collect->options->exclusive || due <= collect->result->now ? ROUND_DUE : ROUND_WAITING;
    if (round->state == ROUND_WAITING && (collect->result->due == 0 || due < collect->result->due))
        collect->result->due = due;
    return 0;
}

/* A damaged verdict is one that somebody may be acting on: unless nobody is. */
static int set_verdict_aside(struct collect *collect, struct round *round,
                             const struct firn_error *why, struct firn_error **err)
{
    if (!collect->options->exclusive)
        return fail(err, FIRN_CORRUPT,
                    "%s: while nothing else runs, `firn prune --exclusive` removes it",
                    error_message(why));
    log_warning("%s: it is removed", error_message(why));
    if (!collect->options->dry_run &&
        collection_remove(collect->repo, COLLECTION_REMOVED, round->id, err) < 0)
        return -1;
    round->state = ROUND_DECIDED;
    return round->condemned == 0 ? 0 : look_at_condemned(collect, round, err);
}

static int look_at_verdict(struct collect *collect, struct round *round, int64_t modified,
                           struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(0);
    auto_error struct firn_error *why = NULL;
    struct collection_record record;
    round->state = ROUND_DECIDED;
    if (collection_read(collect->repo, COLLECTION_REMOVED, round->id, &bytes, &record, &why) < 0) {
        if (error_code(why) == FIRN_NOTFOUND)
            return 0;
        if (error_code(why) == FIRN_CORRUPT)
            return set_verdict_aside(collect, round, why, err);
        return fail(err, error_code(why), "%s", error_message(why));
    }
    round->state = modified > record.limit ? ROUND_VOID : ROUND_GOING;
    if (round->state == ROUND_GOING)
        set_bits(collect, &record, GOING | KNOWN);
    return 0;
}

static int look_at_round(struct collect *collect, struct round *round, struct firn_error **err)
{
    const int64_t *modified = round->entry->modified;
    if (modified[COLLECTION_FINISHED] != 0 && !is_ahead(collect, modified[COLLECTION_FINISHED])) {
        round->state = ROUND_FINISHED;
        return 0;
    }
    if (modified[COLLECTION_FINISHED] != 0 && !collect->options->dry_run &&
        collection_remove(collect->repo, COLLECTION_FINISHED, round->id, err) < 0)
        return -1;
    if (modified[COLLECTION_REMOVED] != 0)
        return look_at_verdict(collect, round, modified[COLLECTION_REMOVED], err);
    if (modified[COLLECTION_CONDEMNED] != 0)
        return look_at_condemned(collect, round, err);
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct round *left = a, *right = b;
    if (left->condemned != right->condemned)
        return left->condemned < right->condemned ? -1 : 1;
    return memcmp(left->id, right->id, FORMAT_ID_LENGTH);
}

static int look_at_rounds(struct collect *collect, struct firn_error **err)
{
    collect->rounds = mem_array(collect->list.count + 1, sizeof(*collect->rounds));
    collect->round_count = collect->list.count;
    for (size_t i = 0; i < collect->round_count; i++) {
        struct round *round = &collect->rounds[i];
        round->entry = &collect->list.entries[i];
        round->condemned = round->entry->modified[COLLECTION_CONDEMNED];
        memcpy(round->id, round->entry->id, FORMAT_ID_LENGTH);
        if (look_at_round(collect, round, err) < 0)
            return -1;
    }
    qsort(collect->rounds, collect->round_count, sizeof(*collect->rounds), by_time);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ verdicts */

/* Meta packs that stay, whoever knows for how long. */
static uint16_t choose_staying(void *context, uint32_t pack)
{
    return has(context, pack, JUDGED | GOING) ? 0 : SPARED;
}

/* What was spared may be a meta pack, that stays with what it names. */
static uint16_t choose_spared(void *context, uint32_t pack)
{
    const struct collect *collect = context;
    return has(collect, pack, JUDGED) && has(collect, pack, SPARED) && !has(collect, pack, SEEN)
               ? SPARED | SEEN
               : 0;
}

/* Finds what of the record must stay because a meta pack that stays names it. 1; 0: cannot be known now; -1. */
static int spare(struct collect *collect, const struct collection_record *record,
                 struct firn_error **err)
{
    mark_clear(collect->mark, JUDGED | SPARED | SEEN);
    set_bits(collect, record, JUDGED);
    for (uint32_t pack = 0; pack < mark_count(collect->mark); pack++)
        if (has(collect, pack, JUDGED) && !is_old(collect, pack))
            mark_unset(collect->mark, pack, JUDGED);
    if (mark_follow(collect->mark, choose_staying, collect, err) < 0)
        return -1;
    for (uint32_t pack = 0; pack < mark_count(collect->mark); pack++) {
        char name[PACK_NAME_LENGTH];
        if (!is_dead(collect, pack) || !has(collect, pack, MARK_OPAQUE) ||
            has(collect, pack, JUDGED | GOING))
            continue;
        name_pack(collect, pack, name);
        free(steal(collect->result->undecided));
        collect->result->undecided =
            mem_printf("%s, which no snapshot names, is damaged: nobody knows what it needs", name);
        return 0;
    }
    uint32_t before = 0, spared = 0;
    do {
        before = spared;
        if (mark_follow(collect->mark, choose_spared, collect, err) < 0)
            return -1;
        spared = 0;
        for (uint32_t pack = 0; pack < mark_count(collect->mark); pack++)
            spared += has(collect, pack, SPARED) && has(collect, pack, JUDGED);
    } while (spared != before);
    return 1;
}

/* The packs of the record that go, in its order: ids that the caller frees. */
static size_t choose_going(struct collect *collect, const struct collection_record *record,
                           uint8_t (**out)[FORMAT_ID_LENGTH])
{
    size_t count = 0;
    *out = mem_array(record->count + 1, FORMAT_ID_LENGTH);
    for (size_t i = 0; i < record->count; i++) {
        uint32_t pack = 0;
        if (!pack_table_find(collect->repo->packs, record->packs[i], &pack) ||
            !has(collect, pack, MARK_THERE))
            continue;
        if (has(collect, pack, JUDGED) && is_dead(collect, pack) && !has(collect, pack, SPARED))
            memcpy((*out)[count++], record->packs[i], FORMAT_ID_LENGTH);
        else if (!has(collect, pack, GOING))
            add(collect, &collect->result->pardoned, pack);
    }
    return count;
}

/* What is no longer there was removed by a collector that has ended the round. */
static int another_was_faster(struct round *round, const struct firn_error *why,
                              struct firn_error **err)
{
    if (error_code(why) != FIRN_NOTFOUND)
        return fail(err, error_code(why), "%s", error_message(why));
    round->state = ROUND_DECIDED;
    return 0;
}

/* Puts the verdict, or takes the one that is there. */
static int put_verdict(struct collect *collect, struct round *round,
                       const struct collection_record *verdict, struct firn_error **err)
{
    char name[COLLECTION_NAME_LENGTH];
    uint64_t length = 0;
    int64_t modified = 0;
    auto_error struct firn_error *why = NULL;
    collection_name(COLLECTION_REMOVED, round->id, name);
    if (collection_put(collect->repo, verdict, &why) < 0 && error_code(why) != FIRN_CONFLICT)
        return fail(err, error_code(why), "%s", error_message(why));
    error_clear(&why);
    if (store_stat(collect->repo->store, name, &length, &modified, &why) < 0)
        return another_was_faster(round, why, err);
    return look_at_verdict(collect, round, modified, err);
}

static int judge(struct collect *collect, struct round *round, struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    auto_buf struct buf bytes = buf_new(0);
    auto_free uint8_t(*packs)[FORMAT_ID_LENGTH] = NULL;
    struct collection_record record;
    if (collection_read(collect->repo, COLLECTION_CONDEMNED, round->id, &bytes, &record, &why) < 0)
        return another_was_faster(round, why, err);
    int known = spare(collect, &record, err);
    if (known <= 0)
        return known;
    struct collection_record verdict = {.kind = COLLECTION_REMOVED,
                                        .limit = collect->result->now + COLLECTION_VERDICT};
    memcpy(verdict.id, round->id, FORMAT_ID_LENGTH);
    verdict.count = choose_going(collect, &record, &packs);
    verdict.packs = (const uint8_t(*)[FORMAT_ID_LENGTH])packs;
    if (!collect->options->dry_run)
        return put_verdict(collect, round, &verdict, err);
    round->state = ROUND_GOING;
    set_bits(collect, &verdict, GOING);
    return 0;
}

static int judge_rounds(struct collect *collect, struct firn_error **err)
{
    free(steal(collect->result->undecided));
    for (size_t i = 0; i < collect->round_count; i++) {
        if (collect->rounds[i].state != ROUND_DUE)
            continue;
        tell(collect, "deciding", 0, 0);
        if (judge(collect, &collect->rounds[i], err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ removal */

static int remove_pack(void *context, size_t number, struct firn_error **err)
{
    struct collect *collect = context;
    struct collect_result *result = collect->result;
    uint32_t pack = collect->packs[number];
    char name[PACK_NAME_LENGTH];
    auto_error struct firn_error *why = NULL;
    name_pack(collect, pack, name);
    int removed = collect->options->dry_run ? 0 : store_remove(collect->repo->store, name, &why);
    enum firn_code code = error_code(why);
    if (removed < 0 && code != FIRN_NOTFOUND && code != FIRN_DENIED)
        return fail(err, code, "%s", error_message(why));
    pthread_mutex_lock(&collect->lock);
    if (code == FIRN_DENIED) {
        log_info("%s: %s", name, error_message(why));
        add(collect, &result->refused, pack);
        if (result->refusal == NULL)
            result->refusal = mem_strdup(error_message(why));
    } else {
        log_info("%s: %s", name, collect->options->dry_run ? "would be removed" : "removed");
        add(collect, &result->removed, pack);
        mark_unset(collect->mark, pack, MARK_THERE);
    }
    collect->bytes_done += mark_length(collect->mark, pack);
    tell(collect, "removing", collect->bytes_done, collect->bytes);
    pthread_mutex_unlock(&collect->lock);
    return 0;
}

/* What verdicts name and is still there; of that, only what this process has seen to be dead. */
static int remove_packs(struct collect *collect, struct firn_error **err)
{
    collect->pack_count = 0;
    collect->result->refused = (struct collect_sum){0}; /* what was, is tried again */
    free(steal(collect->result->refusal));
    collect->bytes = collect->bytes_done = 0;
    collect->packs = mem_array((size_t)mark_count(collect->mark) + 1, sizeof(*collect->packs));
    for (uint32_t pack = 0; pack < mark_count(collect->mark); pack++)
        if (is_dead(collect, pack) && has(collect, pack, GOING)) {
            collect->packs[collect->pack_count++] = pack;
            collect->bytes += mark_length(collect->mark, pack);
        }
    int result = parallel_run(collect->pack_count, THREADS, remove_pack, collect, err);
    free(steal(collect->packs));
    return result;
}

/* Whether nothing is left of what the verdict names. */
static int all_gone(struct collect *collect, struct round *round, struct firn_error **err)
{
    auto_buf struct buf bytes = buf_new(0);
    struct collection_record record;
    auto_error struct firn_error *why = NULL;
    if (collection_read(collect->repo, COLLECTION_REMOVED, round->id, &bytes, &record, &why) < 0)
        return another_was_faster(round, why, err);
    for (size_t i = 0; i < record.count; i++) {
        uint32_t pack = 0;
        if (pack_table_find(collect->repo->packs, record.packs[i], &pack) &&
            has(collect, pack, MARK_THERE))
            return 0;
    }
    return 1;
}

static int finish(struct collect *collect, struct round *round, struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    struct collection_record record = {.kind = COLLECTION_FINISHED};
    int gone = round->state == ROUND_VOID ? 1 : all_gone(collect, round, err);
    if (gone <= 0)
        return gone;
    memcpy(record.id, round->id, FORMAT_ID_LENGTH);
    if (collection_put(collect->repo, &record, &why) < 0 && error_code(why) != FIRN_CONFLICT)
        return fail(err, error_code(why), "%s", error_message(why));
    round->state = ROUND_DECIDED;
    return collection_remove(collect->repo, COLLECTION_CONDEMNED, round->id, err);
}

/* Nobody can be running any more who was running when its packs went. */
static int forget(struct collect *collect, const struct round *round, struct firn_error **err)
{
    struct repo *repo = collect->repo;
    int64_t age = collect->result->now - round->entry->modified[COLLECTION_FINISHED];
    if (round->condemned != 0 && collection_remove(repo, COLLECTION_CONDEMNED, round->id, err) < 0)
        return -1;
    if (age < COLLECTION_TOMBSTONE)
        return 0;
    return collection_remove(repo, COLLECTION_REMOVED, round->id, err) < 0
               ? -1
               : collection_remove(repo, COLLECTION_FINISHED, round->id, err);
}

/* Removes what goes, and ends the rounds that have nothing left. */
static int remove_rounds(struct collect *collect, struct firn_error **err)
{
    if (remove_packs(collect, err) < 0)
        return -1;
    for (size_t i = 0; i < collect->round_count && !collect->options->dry_run; i++) {
        struct round *round = &collect->rounds[i];
        int result = 0;
        if (round->state == ROUND_GOING || round->state == ROUND_VOID)
            result = finish(collect, round, err);
        else if (round->state == ROUND_FINISHED)
            result = forget(collect, round, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ condemning */

static uint16_t choose_young(void *context, uint32_t pack)
{
    return is_old(context, pack) || has(context, pack, KNOWN) ? 0 : KEPT;
}

static uint16_t choose_all(void *context, uint32_t pack)
{
    return has(context, pack, KNOWN) ? 0 : SEEN;
}

static bool is_condemnable(const struct collect *collect, uint32_t pack)
{
    return is_dead(collect, pack) && is_old(collect, pack) && !has(collect, pack, KNOWN | KEPT);
}

/* One record of these packs. */
static int condemn_packs(struct collect *collect, const uint32_t *packs, size_t count,
                         struct firn_error **err)
{
    auto_free uint8_t(*ids)[FORMAT_ID_LENGTH] = mem_array(count, FORMAT_ID_LENGTH);
    struct collection_record record = {
        .kind = COLLECTION_CONDEMNED,
        .limit = collect->options->exclusive ? 0 : collect->options->grace,
        .packs = (const uint8_t(*)[FORMAT_ID_LENGTH])ids,
        .count = count};
    for (size_t i = 0; i < count; i++) {
        char name[PACK_NAME_LENGTH];
        pack_table_id(collect->repo->packs, packs[i], ids[i]);
        pack_name(ids[i], name);
        log_info("%s: %s", name, collect->options->dry_run ? "would be condemned" : "condemned");
        add(collect, &collect->result->condemned, packs[i]);
        mark_set(collect->mark, packs[i], KNOWN);
    }
    qsort(ids, count, FORMAT_ID_LENGTH, collection_by_id);
    crypt_random(record.id, FORMAT_ID_LENGTH);
    if (collect->options->dry_run) {
        if (collect->options->exclusive)
            set_bits(collect, &record, GOING);
        return 0;
    }
    struct round round = {.entry = NULL, .condemned = INT64_MAX, .state = ROUND_DUE};
    memcpy(round.id, record.id, FORMAT_ID_LENGTH);
    collect->rounds =
        mem_resize(collect->rounds, collect->round_count + 1, sizeof(*collect->rounds));
    collect->rounds[collect->round_count++] = round;
    return collection_put(collect->repo, &record, err);
}

/* Meta packs first, if they do not all fit into one record: what they name can then follow them. */
static size_t gather(struct collect *collect, uint32_t *packs, bool data)
{
    size_t count = 0;
    for (uint32_t pack = 0; pack < mark_count(collect->mark); pack++)
        if (is_condemnable(collect, pack) && has(collect, pack, MARK_DATA) == data)
            packs[count++] = pack;
    return count;
}

static int condemn(struct collect *collect, struct firn_error **err)
{
    tell(collect, "condemning", 0, 0);
    if (mark_follow(collect->mark, choose_young, collect, err) < 0)
        return -1;
    auto_free uint32_t *packs = mem_array((size_t)mark_count(collect->mark) + 1, sizeof(*packs));
    size_t count = gather(collect, packs, false);
    count += gather(collect, packs + count, true);
    if (count > COLLECTION_PACKS_MAX) {
        if (mark_follow(collect->mark, choose_all, collect, err) < 0)
            return -1;
        count = gather(collect, packs, false);
        count += gather(collect, packs + count, true);
    }
    for (size_t done = 0; done < count; done += COLLECTION_PACKS_MAX) {
        size_t part = count - done < COLLECTION_PACKS_MAX ? count - done : COLLECTION_PACKS_MAX;
        if (condemn_packs(collect, packs + done, part, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the whole */

/* What is left over is counted last: what was removed or condemned is no longer part of it. */
static void count_rest(struct collect *collect)
{
    struct collect_result *result = collect->result;
    for (uint32_t pack = 0; pack < mark_count(collect->mark); pack++) {
        if (!has(collect, pack, MARK_THERE))
            continue;
        if (has(collect, pack, MARK_ALIVE))
            add(collect, &result->alive, pack);
        else if (!has(collect, pack, KNOWN))
            add(collect, &result->young, pack);
        else if (!has(collect, pack, GOING))
            add(collect, &result->waiting, pack);
    }
    result->snapshots = mark_roots(collect->mark);
    result->missing = mark_missing(collect->mark);
    if (collect->options->exclusive || result->condemned.packs == 0)
        return;
    result->waiting.packs -= result->condemned.packs;
    result->waiting.bytes -= result->condemned.bytes;
    if (result->due == 0)
        result->due = result->now + collect->options->grace;
}

static int run(struct collect *collect, struct firn_error **err)
{
    const struct collect_options *options = collect->options;
    tell(collect, "reading references", 0, 0);
    if (store_now(collect->repo->store, &collect->result->now, err) < 0 ||
        collection_list(collect->repo, COLLECTION_FINISHED, &collect->list, err) < 0 ||
        mark_open(collect->repo, THREADS, &collect->mark, err) < 0 ||
        look_at_rounds(collect, err) < 0)
        return -1;
    if (judge_rounds(collect, err) < 0 || remove_rounds(collect, err) < 0 ||
        condemn(collect, err) < 0)
        return -1;
    /* Twice: a damaged pack keeps other rounds from being decided until its own is. */
    for (int pass = 0; pass < (options->exclusive ? 2 : 0); pass++)
        if (mark_again(collect->mark, err) < 0 || judge_rounds(collect, err) < 0 ||
            remove_rounds(collect, err) < 0)
            return -1;
    return 0;
}

int collect_run(struct repo *repo, const struct collect_options *options,
                collect_progress *progress, void *context, struct collect_result *result,
                struct firn_error **err)
{
    struct collect collect = {.repo = repo,
                              .options = options,
                              .result = result,
                              .progress = progress,
                              .context = context};
    *result = (struct collect_result){0};
    pthread_mutex_init(&collect.lock, NULL);
    int status = run(&collect, err);
    if (status == 0)
        count_rest(&collect);
    mark_free(collect.mark);
    collection_list_free(&collect.list);
    free(collect.rounds);
    pthread_mutex_destroy(&collect.lock);
    return status;
}

void collect_result_free(struct collect_result *result)
{
    free(result->refusal);
    free(result->undecided);
    *result = (struct collect_result){0};
}
