/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check walks from the snapshots down: body, maps, meta packs, data packs. Every extent must lie in
 * a pack that is there and has such chunks. Reading data opens every frame of a pack and proves
 * every chunk's fingerprint; together with the trailer's seal, which covers header and references,
 * and the tail's own checks, no byte of a pack is left out.
 */
#include "check.h"

#include "check_locks.h"
#include "check_reach.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/mem.h"
#include "crypt.h"
#include "damage.h"
#include "pack.h"
#include "pack_layout.h"
#include "repo.h"
#include "store/store.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 8u

/* What the workers share. */
struct check {
    struct repo *repo;
    struct reach *reach;
    const struct check_options *options;
    check_finding *finding;
    check_progress *progress;
    void *context;
    pthread_mutex_t lock;
    uint32_t next;         /* pack number to look at next */
    uint32_t packs;        /* numbers below this exist */
    uint32_t due, to_read; /* packs not looked at yet, and how many of them will be read */
    uint64_t bytes_total, bytes_done;
    struct check_result *result;
    struct firn_error *error;
};

/* The tools of one worker. */
struct prover {
    struct check *check;
    struct pack_reader *reader;
    struct fingerprinter *fingerprinter;
    uint8_t *frame;
};

static void report(struct check *check, uint32_t pack, const struct firn_error *why)
{
    uint8_t id[FORMAT_ID_LENGTH];
    char name[PACK_NAME_LENGTH];
    pack_table_id(check->repo->packs, pack, id);
    pack_name(id, name);
    pthread_mutex_lock(&check->lock);
    auto_free char *affected = reach_affected(check->reach, pack);
    check->result->findings++;
    check->finding(check->context, name, error_message(why), affected);
    pthread_mutex_unlock(&check->lock);
}

/* ------------------------------------------------------------------------------------------------ data */

static int prove_header(struct repo *repo, const struct pack_trailer *trailer, const char *name,
                        struct firn_error **err)
{
    /* The trailer's seal proved the copy; the header itself must be the same bytes. */
    uint8_t header[PACK_HEADER_LENGTH], copy[PACK_HEADER_LENGTH];
    if (store_get(repo->store, name, 0, header, sizeof(header), err) < 0 ||
        store_get(repo->store, name, trailer->length - PACK_END_LENGTH, copy, sizeof(copy), err) <
            0)
        return -1;
    return memcmp(header, copy, sizeof(header)) == 0
               ? 0
               : fail(err, FIRN_CORRUPT, "%s: its header is damaged", name);
}

static int prove_frame(struct prover *prover, const struct pack_trailer *trailer, uint32_t number,
                       struct firn_error **err)
{
    const struct pack_frame *frame = &trailer->frames[number];
    if (pack_reader_frame(prover->reader, trailer, number, trailer->frame_count - 1, prover->frame,
                          err) < 0)
        return -1;
    for (uint32_t i = 0; i < frame->chunk_count; i++) {
        const struct pack_chunk *chunk = &trailer->chunks[frame->first_chunk + i];
        uint8_t fingerprint[FORMAT_FINGERPRINT_LENGTH];
        if (chunk->kind == FORMAT_CHUNK_DIGEST) /* its fingerprint is of the digest's text */
            continue;
        if (fingerprinter_make(prover->fingerprinter, (enum format_chunk)chunk->kind,
                               prover->frame + chunk->offset, chunk->length, fingerprint, err) < 0)
            return -1;
        if (memcmp(fingerprint, chunk->fingerprint, sizeof(fingerprint)) != 0)
            return fail(err, FIRN_CORRUPT, "chunk %u is not what its fingerprint says",
                        frame->first_chunk + i);
    }
    return 0;
}

static void count_frame(struct check *check, const struct pack_frame *frame)
{
    pthread_mutex_lock(&check->lock);
    check->bytes_done += frame->stored;
    check->result->bytes_read += frame->stored;
    check->result->chunks_proven += frame->chunk_count;
    if (check->progress != NULL)
        check->progress(check->context, check->bytes_done, check->bytes_total);
    pthread_mutex_unlock(&check->lock);
}

static bool is_damage(const struct firn_error *why)
{
    return error_code(why) == FIRN_CORRUPT || error_code(why) == FIRN_NOTFOUND;
}

/* Reads all frames; the first that is damaged becomes the error, but the others are read as well. */
static int prove_data(struct prover *prover, uint32_t pack, const struct pack_trailer *trailer,
                      struct firn_error **err)
{
    struct check *check = prover->check;
    char name[PACK_NAME_LENGTH];
    auto_error struct firn_error *first = NULL;
    pack_name(trailer->id, name);
    if (prove_header(check->repo, trailer, name, &first) < 0 && check->options->damage != NULL &&
        is_damage(first))
        damage_add_spare(check->options->damage, pack, error_message(first));
    for (uint32_t i = 0; i < trailer->frame_count && (first == NULL || is_damage(first)); i++) {
        auto_error struct firn_error *why = NULL;
        if (cancel_check(&why) < 0 || prove_frame(prover, trailer, i, &why) < 0) {
            if (is_damage(why) && check->options->damage != NULL)
                damage_add_frame(check->options->damage, pack, i, error_message(why));
            if (first == NULL || !is_damage(why)) {
                error_clear(&first);
                first = steal(why);
            }
            continue;
        }
        count_frame(check, &trailer->frames[i]);
    }
    return first == NULL ? 0 : fail(err, error_code(first), "%s", error_message(first));
}

static bool has_to_read(const struct check *check, const struct pack_trailer *trailer, bool drawn)
{
    if (trailer->class == FORMAT_META)
        return drawn || check->options->damage != NULL;
    return drawn && check->repo->keyring.can_read;
}

static int prove_description(const struct check *check, uint32_t pack, struct pack_trailer **out,
                             struct firn_error **err)
{
    uint8_t id[FORMAT_ID_LENGTH];
    pack_table_id(check->repo->packs, pack, id);
    if (pack_trailer_read(check->repo, id, out, err) < 0)
        return -1;
    return reach_prove(check->reach, pack, *out, err);
}

static int prove_pack(struct prover *prover, uint32_t pack, bool read, struct firn_error **err)
{
    struct check *check = prover->check;
    struct pack_trailer *trailer = NULL;
    auto_error struct firn_error *why = NULL;
    int result = prove_description(check, pack, &trailer, &why);
    if (result < 0 && is_damage(why) && check->options->damage != NULL)
        damage_add_whole(check->options->damage, pack, error_message(why));
    if (result == 0 && has_to_read(check, trailer, read)) {
        result = prove_data(prover, pack, trailer, &why);
        pthread_mutex_lock(&check->lock);
        check->result->packs_read++;
        pthread_mutex_unlock(&check->lock);
    }
    pack_trailer_free(trailer);
    return result == 0 ? 0 : fail(err, error_code(why), "%s", error_message(why));
}

/* ------------------------------------------------------------------------------------------------ workers */

static bool is_due(const struct check *check, uint32_t pack)
{
    return pack_table_present(check->repo->packs, pack) || reach_needs(check->reach, pack);
}

/* How many packs there are to look at, and how many of them to read: at least one, if any share. */
static void count_due(struct check *check)
{
    for (uint32_t pack = 0; pack < check->packs; pack++)
        check->due += is_due(check, pack);
    check->to_read = (uint32_t)(((uint64_t)check->due * check->options->read_percent + 99) / 100);
}

/* Whether to read the next pack: so many of those that are left, each as likely as the others. */
static bool draw(struct check *check)
{
    uint32_t die = 0;
    crypt_random(&die, sizeof(die));
    bool drawn = die % check->due < check->to_read;
    check->due--;
    check->to_read -= drawn;
    return drawn;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, FORMAT_ID_LENGTH);
}

/* Packs that are known to be damaged are read, whatever share is; and those that were named. */
static bool has_to_be_read(const struct check *check, uint32_t pack)
{
    uint8_t id[FORMAT_ID_LENGTH];
    if (pack_table_damaged(check->repo->packs, pack))
        return true;
    pack_table_id(check->repo->packs, pack, id);
    return check->options->pack_count > 0 &&
           bsearch(id, check->options->packs, check->options->pack_count, sizeof(id), by_id) !=
               NULL;
}

/* The next pack that is there, or that a snapshot relies on. */
static bool take_pack(struct check *check, uint32_t *pack, bool *read)
{
    bool found = false;
    pthread_mutex_lock(&check->lock);
    while (!found && check->next < check->packs && check->error == NULL) {
        *pack = check->next++;
        found = is_due(check, *pack);
    }
    bool drawn = found && draw(check); /* drawn of every pack, so that the share is as asked for */
    *read = drawn || (found && has_to_be_read(check, *pack));
    pthread_mutex_unlock(&check->lock);
    return found;
}

static int make_prover(struct check *check, struct prover *prover, struct firn_error **err)
{
    uint8_t key[FORMAT_KEY_LENGTH];
    *prover = (struct prover){.check = check, .frame = mem_aligned(FORMAT_CHUNK_MAX)};
    int result = keyring_fingerprint_key(&check->repo->keyring, key, err);
    if (result == 0)
        result = fingerprinter_new(key, &prover->fingerprinter, err);
    OPENSSL_cleanse(key, sizeof(key));
    return result < 0 ? -1 : pack_reader_new(check->repo, &prover->reader, err);
}

static void *worker(void *argument)
{
    struct check *check = argument;
    struct prover prover;
    struct firn_error *error = NULL;
    int result = make_prover(check, &prover, &error);
    uint32_t pack = 0;
    bool read = false;
    while (result == 0 && take_pack(check, &pack, &read)) {
        result = prove_pack(&prover, pack, read, &error);
        if (is_damage(error)) {
            report(check, pack, error);
            error_clear(&error);
            result = 0;
        }
    }
    pthread_mutex_lock(&check->lock);
    if (check->error == NULL)
        check->error = steal(error);
    pthread_mutex_unlock(&check->lock);
    error_clear(&error);
    pack_reader_free(prover.reader);
    fingerprinter_free(prover.fingerprinter);
    free(prover.frame);
    return NULL;
}

static int run_workers(struct check *check, unsigned count, struct firn_error **err)
{
    pthread_t threads[WORKERS_MAX];
    unsigned started = 0;
    for (; started < count; started++)
        if (pthread_create(&threads[started], NULL, worker, check) != 0)
            break;
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started == 0)
        return fail(err, FIRN_INTERNAL, "cannot start a thread");
    if (check->error == NULL)
        return 0;
    error_set(err, error_code(check->error), "%s", error_message(check->error));
    return -1;
}

/* ------------------------------------------------------------------------------------------------ the whole */

static int count_bytes(void *context, const struct store_entry *entry, struct firn_error **err)
{
    (void)err;
    struct check *check = context;
    check->bytes_total += entry->length * check->options->read_percent / 100;
    check->result->packs++;
    return 0;
}

static void count_unused(struct check *check)
{
    for (uint32_t i = 0; i < check->packs; i++)
        if (pack_table_present(check->repo->packs, i) && !reach_needs(check->reach, i))
            check->result->packs_unused++;
}

int check_run(struct repo *repo, const struct check_options *options, check_finding *finding,
              check_progress *progress, void *context, struct check_result *result,
              struct firn_error **err)
{
    *result = (struct check_result){0};
    repo_set_cache(repo, NULL); /* a copy proves nothing */
    struct check check = {.repo = repo,
                          .options = options,
                          .finding = finding,
                          .progress = progress,
                          .context = context,
                          .result = result};
    struct reach *reach = NULL;
    /* A snapshot that is committed meanwhile may rely on packs that this listing missed: so the
     * listing finds packs that no snapshot needs, but only reading its trailer says that a pack is
     * missing. */
    if (pack_table_list(repo->packs, repo->store, err) < 0 ||
        store_list(repo->store, "packs/", count_bytes, &check, err) < 0 ||
        reach_walk(repo, finding, context, result, &reach, err) < 0)
        return -1;
    check.reach = reach;
    check.packs = pack_table_count(repo->packs);
    count_unused(&check);
    count_due(&check);
    pthread_mutex_init(&check.lock, NULL);
    unsigned workers =
        options->workers == 0 ? (unsigned)sysconf(_SC_NPROCESSORS_ONLN) : options->workers;
    if (workers < store_manner(repo->store)->readers)
        workers = store_manner(repo->store)->readers;
    int status = run_workers(&check, workers > WORKERS_MAX ? WORKERS_MAX : workers, err);
    if (status == 0)
        status = check_locks(repo, reach, finding, context, result, err);
    if (status == 0)
        status = check_overlaid(repo, finding, context, result, err);
    pthread_mutex_destroy(&check.lock);
    error_clear(&check.error);
    reach_free(reach);
    return status;
}
