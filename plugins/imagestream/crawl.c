/* SPDX-License-Identifier: Apache-2.0 */
#include "crawl.h"

#include "download.h"
#include "inventory.h"
#include "manifest.h"
#include "registry.h"

#include <core/error.h>
#include <core/mem.h>

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

#define IMAGES_MOST   1000000
#define WARNINGS_MOST 20

struct job {
    int (*run)(struct crawl *crawl, struct job *job, struct firn_error **err);
    struct repository *repository;
    char *reference; /* of a manifest: tag or digest; NULL: blob */
    bool required;
    struct blob *blob;
    struct job *next;
};

struct queue {
    struct job *first;
    struct job **last;
};

struct known_tags {
    struct repository *repository;
    const struct names *tags;
};

struct crawl {
    struct crawl_options options;
    const struct firn_host *host;
    pthread_mutex_t lock; /* the inventory, and what follows */
    pthread_cond_t wake;
    struct queue manifests; /* before blobs, which they lead to */
    struct queue blobs;
    size_t active;
    struct firn_error *error; /* the first */
    atomic_bool stop;
    struct known_tags *known_tags;
    size_t known_tags_count;
    bool no_referrers; /* the registry does not know the service */
    struct crawl_counts counts;
    char *first_missing; /* why */
};

struct crawl *crawl_new(const struct crawl_options *options)
{
    struct crawl *crawl = mem_zalloc(sizeof(*crawl));
    crawl->options = *options;
    crawl->host = registry_host(options->registry);
    pthread_mutex_init(&crawl->lock, NULL);
    pthread_cond_init(&crawl->wake, NULL);
    crawl->manifests.last = &crawl->manifests.first;
    crawl->blobs.last = &crawl->blobs.first;
    return crawl;
}

static void job_free(struct job *job)
{
    free(job->reference);
    free(job);
}

static struct job *pop(struct queue *queue)
{
    struct job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return job;
}

static void push(struct crawl *crawl, struct queue *queue, const struct job *template)
{
    struct job *job = mem_dup(template, sizeof(*template));
    *queue->last = job;
    queue->last = &job->next;
    pthread_cond_signal(&crawl->wake);
}

void crawl_free(struct crawl *crawl)
{
    if (crawl == NULL)
        return;
    for (struct job *job = pop(&crawl->manifests); job != NULL; job = pop(&crawl->manifests))
        job_free(job);
    for (struct job *job = pop(&crawl->blobs); job != NULL; job = pop(&crawl->blobs))
        job_free(job);
    error_clear(&crawl->error);
    free(crawl->known_tags);
    free(crawl->first_missing);
    pthread_cond_destroy(&crawl->wake);
    pthread_mutex_destroy(&crawl->lock);
    free(crawl);
}

void crawl_know_tags(struct crawl *crawl, struct repository *repository, const struct names *tags)
{
    crawl->known_tags =
        mem_resize(crawl->known_tags, crawl->known_tags_count + 1, sizeof(*crawl->known_tags));
    crawl->known_tags[crawl->known_tags_count++] =
        (struct known_tags){.repository = repository, .tags = tags};
}

static int run_tag(struct crawl *crawl, struct job *job, struct firn_error **err);
static int run_image(struct crawl *crawl, struct job *job, struct firn_error **err);
static int run_blob(struct crawl *crawl, struct job *job, struct firn_error **err);

/* ---- what to do next; the lock is held */

static void want_manifest(struct crawl *crawl, struct repository *repository, const char *reference,
                          int (*run)(struct crawl *, struct job *, struct firn_error **),
                          bool required)
{
    struct job job = {.run = run,
                      .repository = repository,
                      .reference = mem_strdup(reference),
                      .required = required};
    push(crawl, &crawl->manifests, &job);
}

static void want_blob(struct crawl *crawl, struct repository *repository, struct blob *blob)
{
    struct job job = {.run = run_blob, .repository = repository, .blob = blob};
    push(crawl, &crawl->blobs, &job);
}

void crawl_tag(struct crawl *crawl, struct repository *repository, const char *tag, bool required)
{
    want_manifest(crawl, repository, tag, run_tag, required);
}

void crawl_digest(struct crawl *crawl, struct repository *repository, const char *digest)
{
    bool added;
    struct image *image = inventory_image(crawl->options.inventory, digest, &added);
    image->home = repository;
    repository_add_untagged(repository, image);
    want_manifest(crawl, repository, digest, run_image, true);
}

/* A manifest that another refers to. What one repository lacks, another may have. */
static struct image *meet_image(struct crawl *crawl, struct repository *repository,
                                const struct descriptor *descriptor)
{
    bool added;
    struct image *image = inventory_image(crawl->options.inventory, descriptor->digest, &added);
    if (added)
        image->size = descriptor->size;
    if (image->platform == NULL)
        image->platform = mem_strdup(descriptor->platform);
    bool again = image->missing != NULL && image->home != repository;
    if (added || again) {
        free(steal(image->missing));
        image->home = repository;
        want_manifest(crawl, repository, descriptor->digest, run_image, false);
    } else if (image->media_type == NULL && image->home != repository && image->spare == NULL) {
        image->spare = repository;
    }
    return image;
}

static struct blob *meet_blob(struct crawl *crawl, struct repository *repository,
                              const struct descriptor *descriptor)
{
    bool added;
    struct blob *blob = inventory_blob(crawl->options.inventory, descriptor->digest, &added);
    if (added) {
        blob->media_type = mem_strdup(descriptor->media_type);
        blob->size = descriptor->size;
        blob->foreign = descriptor->foreign;
        if (!blob->foreign)
            crawl->host->progress(crawl->host, blob->size, 0);
    }
    bool again = !added && blob->missing != NULL && blob->home != repository;
    if (blob->foreign) {
        crawl->counts.foreign += added;
    } else if (added || again) {
        free(steal(blob->missing));
        blob->home = repository;
        want_blob(crawl, repository, blob);
    } else if (blob->home != repository && blob->spare == NULL) {
        blob->spare = repository;
    }
    return blob;
}

static void meet_all(struct crawl *crawl, struct repository *repository, struct image *image,
                     const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->child_count; i++)
        image_add_child(image, meet_image(crawl, repository, &manifest->children[i]));
    for (size_t i = 0; i < manifest->blob_count; i++)
        image_add_blob(image, meet_blob(crawl, repository, &manifest->blobs[i]));
    image->subject = mem_strdup(manifest->subject);
}

/* Tags that by convention say something about an image: sha256-HEX (referrers), .sig, .att, .sbom
 * (cosign). */
static void meet_signatures(struct crawl *crawl, struct repository *repository, const char *digest)
{
    static const char *const suffixes[] = {"", ".sig", ".att", ".sbom"};
    auto_free char *base = mem_strdup(digest);
    *strchr(base, ':') = '-';
    for (size_t i = 0; i < crawl->known_tags_count; i++) {
        if (crawl->known_tags[i].repository != repository)
            continue;
        for (size_t k = 0; k < array_length(suffixes); k++) {
            auto_free char *tag = mem_printf("%s%s", base, suffixes[k]);
            if (names_contain(crawl->known_tags[i].tags, tag))
                crawl_tag(crawl, repository, tag, false);
        }
    }
}

/* Notes what is left out. A registry with thousands of holes does not fill the log with them. */
static void note(struct crawl *crawl, struct repository *repository, const char *what,
                 const struct firn_error *why)
{
    pthread_mutex_lock(&crawl->lock);
    repository_skip(repository, what, error_message(why));
    size_t number = ++crawl->counts.missing;
    if (crawl->first_missing == NULL)
        crawl->first_missing = mem_strdup(error_message(why));
    pthread_mutex_unlock(&crawl->lock);
    if (number <= WARNINGS_MOST)
        crawl->host->log(crawl->host, FIRN_LOG_WARNING, "%s is left out: %s", what,
                         error_message(why));
    if (number == WARNINGS_MOST)
        crawl->host->log(crawl->host, FIRN_LOG_WARNING,
                         "if more is left out, " INVENTORY_PREFIX "*" INVENTORY_SUFFIX
                         " of the snapshot say what");
}

/* ---- the jobs */

/* Asks the registry what refers to an image. A registry without that service says so once. */
static int follow_referrers(struct crawl *crawl, struct repository *repository, const char *digest,
                            struct firn_error **err)
{
    pthread_mutex_lock(&crawl->lock);
    bool ask = crawl->options.referrers && !crawl->no_referrers;
    pthread_mutex_unlock(&crawl->lock);
    if (!ask)
        return 0;
    auto_manifest struct manifest referrers = {0};
    auto_error struct firn_error *failure = NULL;
    if (registry_referrers(crawl->options.registry, repository->name, digest, &referrers,
                           &failure) < 0) {
        enum firn_code code = error_code(failure);
        if (code == FIRN_UNSAID || code == FIRN_RETRY || code == FIRN_CANCELLED)
            return fail(err, code, "%s", error_message(failure));
        pthread_mutex_lock(&crawl->lock);
        bool told = crawl->no_referrers;
        crawl->no_referrers = true;
        pthread_mutex_unlock(&crawl->lock);
        if (code != FIRN_NOTFOUND && !told)
            note(crawl, repository, "referrers", failure);
        return 0;
    }
    pthread_mutex_lock(&crawl->lock);
    for (size_t i = 0; i < referrers.child_count; i++)
        repository_add_untagged(repository, meet_image(crawl, repository, &referrers.children[i]));
    pthread_mutex_unlock(&crawl->lock);
    return 0;
}

/* Makes the image known. 1: it is this job's to keep; 0: somebody else keeps it already. */
static int claim(struct crawl *crawl, const struct job *job, const struct served *served,
                 const struct manifest *manifest, struct image **out, struct firn_error **err)
{
    bool added;
    pthread_mutex_lock(&crawl->lock);
    struct image *image = inventory_image(crawl->options.inventory, served->digest, &added);
    if (job->run == run_tag)
        repository_add_tag(job->repository, job->reference, image);
    bool first = image->media_type == NULL;
    uint64_t announced = image->size;
    if (first) {
        image->media_type = mem_strdup(manifest->media_type);
        image->size = served->length;
        free(steal(image->missing));
        crawl->counts.images++;
    }
    bool too_many = crawl->counts.images > IMAGES_MOST;
    pthread_mutex_unlock(&crawl->lock);
    *out = image;
    if (first && announced != 0 && announced != served->length)
        return fail(err, FIRN_CORRUPT, "manifest %s has %zu bytes, where an index says %llu",
                    served->digest, served->length, (unsigned long long)announced);
    if (too_many)
        return fail(err, FIRN_INVALID, "the registry leads to more than %d manifests", IMAGES_MOST);
    return first;
}

static int keep(struct crawl *crawl, const struct job *job, const struct served *served,
                const struct manifest *manifest, struct firn_error **err)
{
    struct image *image;
    int claimed = claim(crawl, job, served, manifest, &image, err);
    if (claimed <= 0)
        return claimed;
    auto_free char *name = mem_printf("manifests/%s", served->digest);
    struct firn_sink *sink = crawl->options.sink;
    if (sink->document(sink, name, manifest->media_type, served->bytes, served->length) < 0)
        return fail(err, FIRN_UNSAID, "%s", name);
    pthread_mutex_lock(&crawl->lock);
    meet_all(crawl, job->repository, image, manifest);
    meet_signatures(crawl, job->repository, served->digest);
    pthread_mutex_unlock(&crawl->lock);
    return follow_referrers(crawl, job->repository, served->digest, err);
}

/* Fetches and reads. 1: it is not there, or is nothing that can be kept, and *reason says why. */
static int fetch(struct crawl *crawl, const struct job *job, struct served *served,
                 struct manifest *manifest, struct firn_error **reason, struct firn_error **err)
{
    int result = registry_manifest_get(crawl->options.registry, job->repository->name,
                                       job->reference, served, reason);
    if (result == 0) {
        result =
            manifest_parse(served->bytes, served->length, served->media_type, manifest, reason);
        if (result < 0)
            error_wrap(reason, "%s/%s, manifest %s", registry_name(crawl->options.registry),
                       job->repository->name, job->reference);
    }
    if (result == 0)
        return 0;
    bool bearable = error_code(*reason) == FIRN_NOTFOUND || error_code(*reason) == FIRN_INVALID;
    if (bearable && !job->required)
        return 1;
    return fail(err, error_code(*reason), "%s", error_message(*reason));
}

/* 1: it is absent, as in fetch(). */
static int take_manifest(struct crawl *crawl, const struct job *job, struct firn_error **reason,
                         struct firn_error **err)
{
    auto_served struct served served = {0};
    auto_manifest struct manifest manifest = {0};
    int result = fetch(crawl, job, &served, &manifest, reason, err);
    return result == 0 ? keep(crawl, job, &served, &manifest, err) : result;
}

static int run_tag(struct crawl *crawl, struct job *job, struct firn_error **err)
{
    auto_error struct firn_error *reason = NULL;
    int absent = take_manifest(crawl, job, &reason, err);
    if (absent <= 0)
        return absent;
    auto_free char *what = mem_printf("tag %s", job->reference);
    note(crawl, job->repository, what, reason);
    return 0;
}

/* A manifest that this repository does not have: another may, or it is missing. */
static void image_absent(struct crawl *crawl, struct job *job, const struct firn_error *reason)
{
    bool added;
    pthread_mutex_lock(&crawl->lock);
    struct image *image = inventory_image(crawl->options.inventory, job->reference, &added);
    struct repository *elsewhere = steal(image->spare);
    bool missing = image->media_type == NULL && elsewhere == NULL;
    if (image->media_type == NULL && elsewhere != NULL) {
        image->home = elsewhere;
        want_manifest(crawl, elsewhere, job->reference, run_image, false);
    }
    if (missing && image->missing == NULL)
        image->missing = mem_strdup(error_message(reason));
    pthread_mutex_unlock(&crawl->lock);
    if (missing)
        note(crawl, job->repository, job->reference, reason);
}

static int run_image(struct crawl *crawl, struct job *job, struct firn_error **err)
{
    auto_error struct firn_error *reason = NULL;
    int absent = take_manifest(crawl, job, &reason, err);
    if (absent <= 0)
        return absent;
    image_absent(crawl, job, reason);
    return 0;
}

static void blob_absent(struct crawl *crawl, struct job *job, const struct firn_error *reason)
{
    pthread_mutex_lock(&crawl->lock);
    struct repository *elsewhere = steal(job->blob->spare);
    if (elsewhere != NULL) {
        job->blob->home = elsewhere;
        want_blob(crawl, elsewhere, job->blob);
    } else {
        job->blob->missing = mem_strdup(error_message(reason));
    }
    pthread_mutex_unlock(&crawl->lock);
    if (elsewhere == NULL)
        note(crawl, job->repository, job->blob->digest, reason);
}

static int run_blob(struct crawl *crawl, struct job *job, struct firn_error **err)
{
    struct firn_sink *sink = crawl->options.sink;
    auto_free char *name = mem_printf("blobs/%s", job->blob->digest);
    struct firn_object_info info = download_object(job->blob, name);
    int known = info.digest == NULL ? 0 : sink->stream_known(sink, &info);
    if (known < 0)
        return fail(err, FIRN_UNSAID, "%s", name);
    if (known > 0) {
        crawl->host->progress(crawl->host, 0, job->blob->size);
        pthread_mutex_lock(&crawl->lock);
        crawl->counts.known++;
        pthread_mutex_unlock(&crawl->lock);
        return 0;
    }
    struct download_request request = {
        .registry = crawl->options.registry,
        .repository = job->repository->name,
        .blob = job->blob,
        .sink = sink,
        .stop = &crawl->stop,
    };
    auto_error struct firn_error *failure = NULL;
    if (download_blob(&request, &failure) == 0) {
        pthread_mutex_lock(&crawl->lock);
        crawl->counts.blobs++;
        pthread_mutex_unlock(&crawl->lock);
        return 0;
    }
    if (error_code(failure) != FIRN_NOTFOUND)
        return fail(err, error_code(failure), "%s", error_message(failure));
    blob_absent(crawl, job, failure);
    return 0;
}

/* ---- the threads */

/* The next job, or NULL when there is nothing left and nobody who could make more. The lock is
 * held. */
static struct job *next_job(struct crawl *crawl)
{
    for (;;) {
        struct job *job = atomic_load(&crawl->stop) ? NULL : pop(&crawl->manifests);
        if (job == NULL && !atomic_load(&crawl->stop))
            job = pop(&crawl->blobs);
        if (job != NULL || crawl->active == 0 || atomic_load(&crawl->stop))
            return job;
        pthread_cond_wait(&crawl->wake, &crawl->lock);
    }
}

static void *work(void *argument)
{
    struct crawl *crawl = argument;
    pthread_mutex_lock(&crawl->lock);
    for (struct job *job = next_job(crawl); job != NULL; job = next_job(crawl)) {
        crawl->active++;
        pthread_mutex_unlock(&crawl->lock);
        struct firn_error *failure = NULL;
        int result = crawl->host->cancelled(crawl->host)
                         ? fail(&failure, FIRN_CANCELLED, "cancelled")
                         : job->run(crawl, job, &failure);
        job_free(job);
        pthread_mutex_lock(&crawl->lock);
        crawl->active--;
        if (result < 0 && crawl->error == NULL)
            crawl->error = steal(failure);
        error_clear(&failure);
        if (result < 0)
            atomic_store(&crawl->stop, true);
        pthread_cond_broadcast(&crawl->wake);
    }
    pthread_cond_broadcast(&crawl->wake);
    pthread_mutex_unlock(&crawl->lock);
    return NULL;
}

int crawl_run(struct crawl *crawl, struct firn_error **err)
{
    auto_free pthread_t *threads = mem_array(crawl->options.threads, sizeof(*threads));
    unsigned started = 0;
    while (started < crawl->options.threads &&
           pthread_create(&threads[started], NULL, work, crawl) == 0)
        started++;
    if (started == 0)
        return fail(err, FIRN_INTERNAL, "cannot start a thread");
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (crawl->error != NULL)
        return fail(err, error_code(crawl->error), "%s", error_message(crawl->error));
    /* What holds nothing is no backup. */
    if (crawl->counts.images == 0 && crawl->first_missing != NULL)
        return fail(err, FIRN_INVALID, "no image can be kept: %s", crawl->first_missing);
    return 0;
}

void crawl_counts(const struct crawl *crawl, struct crawl_counts *out)
{
    *out = crawl->counts;
}
