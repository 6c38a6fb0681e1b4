/* SPDX-License-Identifier: Apache-2.0 */
#include "push.h"

#include "fallback.h"
#include "inventory.h"
#include "read_back.h"
#include "registry.h"
#include "restore.h"
#include "upload.h"

#include <core/error.h>
#include <core/mem.h>

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

struct blob_list {
    struct blob **list;
    size_t count;
};

/* The threads that bring the blobs of one repository over. */
struct carriers {
    const struct push_request *request;
    struct blob_list blobs;
    pthread_mutex_t lock; /* what follows */
    size_t next;
    struct push_counts *counts;
    struct firn_error *error;
    atomic_bool stop;
};

int push_collisions(const struct push_request *request, size_t *count, struct firn_error **err)
{
    const struct repository *repository = request->repository;
    for (size_t i = 0; i < repository->tag_count; i++) {
        const struct tag *tag = &repository->tags[i];
        auto_free char *digest = NULL;
        if (registry_manifest_digest(request->registry, repository->target, tag->name, &digest,
                                     err) < 0)
            return -1;
        if (digest == NULL || strcmp(digest, tag->image->digest) == 0)
            continue;
        request->host->log(request->host, FIRN_LOG_WARNING,
                           "%s/%s:%s is %s there, and %s in the snapshot",
                           registry_name(request->registry), repository->target, tag->name, digest,
                           tag->image->digest);
        (*count)++;
    }
    return 0;
}

/* ---- blobs */

static void collect_blobs(const struct image_list *images, struct blob_list *out)
{
    struct lh_table *seen = lh_kchar_table_new(64, NULL);
    size_t most = 0;
    for (size_t i = 0; i < images->count; i++)
        most += images->list[i]->blob_count;
    *out = (struct blob_list){.list = mem_array(most, sizeof(struct blob *))};
    for (size_t i = 0; i < images->count; i++) {
        auto_free char *lack = restore_lack(images->list[i]);
        for (size_t k = 0; lack == NULL && k < images->list[i]->blob_count; k++) {
            struct blob *blob = images->list[i]->blobs[k];
            if (blob->foreign || lh_table_lookup_entry(seen, blob->digest) != NULL)
                continue;
            lh_table_insert(seen, blob->digest, NULL);
            out->list[out->count++] = blob;
        }
    }
    lh_table_free(seen);
}

/* Another repository of the target's registry that may have the blob: one that it was just brought
 * to, or, if the images go back to the registry that they are from, the one that it was captured
 * from. */
static const char *mount_source(const struct push_request *request, const struct blob *blob)
{
    const struct repository *repository = request->repository;
    if (blob->home != NULL)
        return blob->home == repository ? NULL : blob->home->target;
    const char *origin = request->inventory->registry;
    bool same = origin != NULL && strcmp(origin, registry_name(request->registry)) == 0;
    return same && strcmp(repository->name, repository->target) != 0 ? repository->name : NULL;
}

static int carry(struct carriers *carriers, struct blob *blob, struct firn_error **err)
{
    const struct push_request *request = carriers->request;
    struct upload_request upload = {
        .registry = request->registry,
        .repository = request->repository->target,
        .from = mount_source(request, blob),
        .blob = blob,
        .source = request->source,
        .chunk_size = request->chunk_size,
        .stop = &carriers->stop,
    };
    enum upload_result result;
    if (upload_blob(&upload, &result, err) < 0 ||
        (request->read_back && read_back_blob(request->registry, request->repository->target, blob,
                                              &carriers->stop, err) < 0))
        return -1;
    pthread_mutex_lock(&carriers->lock);
    blob->home = request->repository;
    carriers->counts->present += result == UPLOAD_PRESENT;
    carriers->counts->mounted += result == UPLOAD_MOUNTED;
    carriers->counts->sent += result == UPLOAD_SENT;
    pthread_mutex_unlock(&carriers->lock);
    return 0;
}

static void *work(void *argument)
{
    struct carriers *carriers = argument;
    const struct firn_host *host = carriers->request->host;
    pthread_mutex_lock(&carriers->lock);
    while (carriers->next < carriers->blobs.count && !atomic_load(&carriers->stop)) {
        struct blob *blob = carriers->blobs.list[carriers->next++];
        pthread_mutex_unlock(&carriers->lock);
        struct firn_error *failure = NULL;
        int result = host->cancelled(host) ? fail(&failure, FIRN_CANCELLED, "cancelled")
                                           : carry(carriers, blob, &failure);
        pthread_mutex_lock(&carriers->lock);
        if (result < 0 && carriers->error == NULL)
            carriers->error = steal(failure);
        error_clear(&failure);
        if (result < 0)
            atomic_store(&carriers->stop, true);
    }
    pthread_mutex_unlock(&carriers->lock);
    return NULL;
}

static int push_blobs(const struct push_request *request, const struct image_list *images,
                      struct push_counts *counts, struct firn_error **err)
{
    struct carriers carriers = {.request = request, .counts = counts};
    pthread_mutex_init(&carriers.lock, NULL);
    collect_blobs(images, &carriers.blobs);
    for (size_t i = 0; i < carriers.blobs.count; i++)
        request->host->progress(request->host,
                                carriers.blobs.list[i]->size * (request->read_back ? 2 : 1), 0);
    auto_free pthread_t *threads = mem_array(request->threads, sizeof(*threads));
    unsigned started = 0;
    while (started < request->threads &&
           pthread_create(&threads[started], NULL, work, &carriers) == 0)
        started++;
    if (started == 0)
        work(&carriers);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(carriers.blobs.list);
    pthread_mutex_destroy(&carriers.lock);
    if (carriers.error == NULL)
        return 0;
    if (err != NULL)
        *err = steal(carriers.error);
    error_clear(&carriers.error);
    return -1;
}

/* ---- manifests */

static int load(const struct push_request *request, const struct image *image, struct served *out,
                struct firn_error **err)
{
    *out = (struct served){0};
    auto_free char *name = mem_printf("manifests/%s", image->digest);
    char *bytes;
    if (request->source->document(request->source, name, &bytes, &out->length) < 0)
        return fail(err, FIRN_UNSAID, "%s", name);
    out->bytes = mem_dup(bytes, out->length);
    request->source->document_free(request->source, bytes);
    out->digest = mem_strdup(image->digest);
    out->media_type = mem_strdup(image->media_type);
    return 0;
}

static void report_lack(const struct push_request *request, const char *what, const char *lack,
                        struct push_counts *counts)
{
    request->host->log(request->host, FIRN_LOG_WARNING, "%s: %s is left out: %s",
                       request->repository->target, what, lack);
    counts->failed++;
}

/* Puts one manifest. A registry may refuse a single image (URLs of foreign layers, an index of
 * which the snapshot has only some images): that is told and counted, and image->missing says so to
 * whatever builds on it. */
static int push_image(const struct push_request *request, struct image *image,
                      struct push_counts *counts, struct firn_error **err)
{
    auto_free char *lack = restore_lack(image);
    if (lack != NULL) {
        report_lack(request, image->digest, lack, counts);
        return 0;
    }
    auto_served struct served manifest = {0};
    bool subject_known = false;
    if (load(request, image, &manifest, err) < 0)
        return -1;
    auto_error struct firn_error *failure = NULL;
    if (registry_manifest_put(request->registry, request->repository->target, image->digest,
                              &manifest, &subject_known, &failure) < 0) {
        enum firn_code code = error_code(failure);
        if (code != FIRN_INVALID && code != FIRN_NOTFOUND && code != FIRN_INTERNAL)
            return fail(err, code, "%s", error_message(failure));
        report_lack(request, image->digest, error_message(failure), counts);
        image->missing = mem_strdup("the registry refuses it");
        return 0;
    }
    counts->images++;
    if (image->subject != NULL && !subject_known)
        return fallback_refer(request->registry, request->repository, image, &manifest, err);
    return 0;
}

static int push_tag(const struct push_request *request, const struct tag *tag,
                    struct push_counts *counts, struct firn_error **err)
{
    auto_free char *lack = restore_lack(tag->image);
    if (lack != NULL) {
        auto_free char *what = mem_printf("tag %s", tag->name);
        report_lack(request, what, lack, counts);
        return 0;
    }
    auto_served struct served manifest = {0};
    if (load(request, tag->image, &manifest, err) < 0 ||
        registry_manifest_put(request->registry, request->repository->target, tag->name, &manifest,
                              NULL, err) < 0)
        return -1;
    counts->tags++;
    return 0;
}

/* ---- the proof */

static int prove_image(const struct push_request *request, const struct image *image,
                       struct firn_error **err)
{
    auto_free char *lack = restore_lack(image);
    if (lack != NULL)
        return 0;
    auto_served struct served manifest = {0};
    auto_served struct served there = {0};
    if (load(request, image, &manifest, err) < 0 ||
        registry_manifest_get(request->registry, request->repository->target, image->digest, &there,
                              err) < 0)
        return -1;
    if (there.length != manifest.length || memcmp(there.bytes, manifest.bytes, there.length) != 0)
        return fail(err, FIRN_CORRUPT,
                    "%s/%s@%s: the registry gives back other bytes than it was sent",
                    registry_name(request->registry), request->repository->target, image->digest);
    if (there.media_type != NULL && strcmp(there.media_type, manifest.media_type) != 0)
        return fail(err, FIRN_CORRUPT, "%s/%s@%s: the registry gives it back as %s instead of %s",
                    registry_name(request->registry), request->repository->target, image->digest,
                    there.media_type, manifest.media_type);
    return 0;
}

static int prove_tag(const struct push_request *request, const struct tag *tag,
                     struct firn_error **err)
{
    auto_free char *lack = restore_lack(tag->image);
    auto_free char *digest = NULL;
    if (lack != NULL)
        return 0;
    if (registry_manifest_digest(request->registry, request->repository->target, tag->name, &digest,
                                 err) < 0)
        return -1;
    if (digest == NULL || strcmp(digest, tag->image->digest) != 0)
        return fail(err, FIRN_CORRUPT, "%s/%s:%s is %s after it was restored as %s",
                    registry_name(request->registry), request->repository->target, tag->name,
                    digest == NULL ? "not there" : digest, tag->image->digest);
    return 0;
}

static int push_manifests(const struct push_request *request, const struct image_list *images,
                          struct push_counts *counts, struct firn_error **err)
{
    const struct repository *repository = request->repository;
    for (size_t i = 0; i < images->count; i++)
        if (push_image(request, images->list[i], counts, err) < 0)
            return -1;
    for (size_t i = 0; i < repository->tag_count; i++)
        if (push_tag(request, &repository->tags[i], counts, err) < 0)
            return -1;
    for (size_t i = 0; i < images->count; i++)
        if (prove_image(request, images->list[i], err) < 0)
            return -1;
    for (size_t i = 0; i < repository->tag_count; i++)
        if (prove_tag(request, &repository->tags[i], err) < 0)
            return -1;
    return 0;
}

int push_repository(const struct push_request *request, struct push_counts *counts,
                    struct firn_error **err)
{
    struct image_list images;
    inventory_walk(request->inventory, request->repository, &images);
    int result = push_blobs(request, &images, counts, err);
    if (result == 0)
        result = push_manifests(request, &images, counts, err);
    free(images.list);
    return result;
}
