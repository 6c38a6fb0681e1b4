/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include "crawl.h"
#include "digest.h"
#include "inventory.h"
#include "reference.h"
#include "registry.h"

#include <core/buf.h>
#include <core/clock.h>
#include <core/error.h>
#include <core/mem.h>

#include <string.h>

struct capture {
    const struct firn_host *host;
    struct firn_sink *sink;
    struct reference reference;
    struct registry *registry;
    struct inventory *inventory;
    struct crawl *crawl;
    struct names tags; /* of the repository of a single tag or digest */
    int64_t started;
};

static bool below(const char *name, const char *path)
{
    size_t length = strlen(path);
    return length == 0 ||
           (strncmp(name, path, length) == 0 && (name[length] == '/' || name[length] == '\0'));
}

static void filter(struct names *names, const char *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (below(names->list[i], path))
            names->list[kept++] = names->list[i];
        else
            free(names->list[i]);
    }
    names->count = kept;
}

/* A registry that does not show its list may still have a repository of that very name. */
static int as_repository(struct registry *registry, const char *path, struct names *out)
{
    auto_names struct names tags = {0};
    if (path[0] == '\0' || registry_tags(registry, path, &tags, NULL) < 0)
        return -1;
    out->list = mem_array(1, sizeof(*out->list));
    out->list[0] = mem_strdup(path);
    out->count = out->capacity = 1;
    return 0;
}

int capture_repositories(struct registry *registry, const struct reference *reference,
                         struct names *out, struct firn_error **err)
{
    *out = (struct names){0};
    auto_error struct firn_error *failure = NULL;
    if (registry_catalog(registry, out, &failure) < 0) {
        if (as_repository(registry, reference->path, out) == 0)
            return 0;
        if (error_code(failure) == FIRN_UNSAID)
            return fail(err, FIRN_UNSAID, "catalog");
        return fail(
            err, error_code(failure),
            "%s does not show which repositories it has; name one (HOST/NAMESPACE/NAME): %s",
            reference->host, error_message(failure));
    }
    filter(out, reference->path);
    if (out->count == 0)
        return fail(err, FIRN_NOTFOUND, "%s lists no repository%s%s", reference->host,
                    reference->path[0] == '\0' ? "" : " below ", reference->path);
    return 0;
}

/* Digests that the user names besides. */
static int seed_digests(struct capture *capture, struct repository *repository, size_t *count,
                        struct firn_error **err)
{
    const char *text = capture->host->param(capture->host, "digests");
    auto_free char *list = mem_strdup(text == NULL ? "" : text);
    char *rest = NULL;
    for (char *digest = strtok_r(list, ", \n", &rest); digest != NULL;
         digest = strtok_r(NULL, ", \n", &rest)) {
        if (!digest_valid(digest))
            return fail(err, FIRN_INVALID, "digests: '%s' is not a digest", digest);
        crawl_digest(capture->crawl, repository, digest);
        (*count)++;
    }
    return 0;
}

static int seed_all_tags(struct capture *capture, const char *name, const char *relative,
                         struct firn_error **err)
{
    auto_names struct names tags = {0};
    size_t count = 0;
    if (registry_tags(capture->registry, name, &tags, err) < 0)
        return -1;
    struct repository *repository = inventory_add_repository(capture->inventory, name, relative);
    for (size_t i = 0; i < tags.count; i++)
        crawl_tag(capture->crawl, repository, tags.list[i], false);
    if (capture->reference.kind != REFERENCE_REPOSITORY)
        return 0;
    if (seed_digests(capture, repository, &count, err) < 0)
        return -1;
    if (tags.count + count == 0)
        return fail(err, FIRN_NOTFOUND,
                    "%s/%s has no tags, and a registry does not list what has none: name an image "
                    "by digest (@sha256:…)",
                    capture->reference.host, name);
    return 0;
}

static int seed_namespace(struct capture *capture, struct firn_error **err)
{
    auto_names struct names names = {0};
    const char *path = capture->reference.path;
    if (capture_repositories(capture->registry, &capture->reference, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        const char *relative = names.list[i] + strlen(path);
        auto_error struct firn_error *failure = NULL;
        if (seed_all_tags(capture, names.list[i], relative[0] == '/' ? relative + 1 : relative,
                          &failure) == 0)
            continue;
        /* Registries go on listing a repository whose last image was deleted. */
        if (error_code(failure) != FIRN_NOTFOUND)
            return fail(err, error_code(failure), "%s", error_message(failure));
        capture->host->log(capture->host, FIRN_LOG_INFO, "%s is empty", names.list[i]);
    }
    return 0;
}

static int seed_one(struct capture *capture, struct firn_error **err)
{
    const struct reference *reference = &capture->reference;
    auto_error struct firn_error *failure = NULL;
    size_t count = 0;
    struct repository *repository =
        inventory_add_repository(capture->inventory, reference->path, "");
    if (registry_tags(capture->registry, reference->path, &capture->tags, &failure) == 0)
        crawl_know_tags(capture->crawl, repository, &capture->tags);
    else
        capture->host->log(capture->host, FIRN_LOG_DEBUG,
                           "no list of tags, so no search for signatures: %s",
                           error_message(failure));
    if (reference->tag != NULL)
        crawl_tag(capture->crawl, repository, reference->tag, true);
    else
        crawl_digest(capture->crawl, repository, reference->digest);
    return seed_digests(capture, repository, &count, err);
}

static int seed(struct capture *capture, struct firn_error **err)
{
    switch (capture->reference.kind) {
    case REFERENCE_REGISTRY:
    case REFERENCE_NAMESPACE:
        return seed_namespace(capture, err);
    case REFERENCE_REPOSITORY:
        return seed_all_tags(capture, capture->reference.path, "", err);
    default:
        return seed_one(capture, err);
    }
}

static int write_documents(struct capture *capture, struct firn_error **err)
{
    for (size_t i = 0; i < capture->inventory->repository_count; i++) {
        const struct repository *repository = capture->inventory->repositories[i];
        auto_free char *name = mem_printf(INVENTORY_PREFIX "%s" INVENTORY_SUFFIX, repository->name);
        auto_buf struct buf text = buf_new(0);
        if (inventory_write(capture->inventory, repository, &text, err) < 0)
            return -1;
        if (capture->sink->document(capture->sink, name, INVENTORY_MEDIA_TYPE, text.data,
                                    text.length) < 0)
            return fail(err, FIRN_UNSAID, "%s", name);
    }
    return 0;
}

static int tell_outcome(struct capture *capture, const struct firn_capture *request,
                        struct firn_error **err)
{
    struct crawl_counts counts;
    crawl_counts(capture->crawl, &counts);
    auto_free char *missing =
        mem_printf("%zu tags, manifests or layers are not in the registry", counts.missing);
    struct firn_outcome outcome = {
        .size = sizeof(outcome),
        /* Each image is whole and proven by its digest; tags were read one after another. */
        .consistency = FIRN_FILESYSTEM_CONSISTENT,
        .method = request->parent_id == NULL ? "full" : "incremental",
        .reason = counts.missing == 0 ? NULL : missing,
        .point_in_time = capture->started,
        .frozen = -1,
    };
    capture->host->log(capture->host, FIRN_LOG_INFO,
                       "%zu manifests; %zu blobs fetched, %zu known, %zu kept elsewhere by their "
                       "makers, %zu missing",
                       counts.images, counts.blobs, counts.known, counts.foreign, counts.missing);
    return capture->sink->outcome(capture->sink, &outcome) < 0 ? fail(err, FIRN_UNSAID, "outcome")
                                                               : 0;
}

static unsigned thread_count(const struct firn_host *host)
{
    int64_t threads = host->param_integer(host, "parallel");
    return threads < 1 ? 1 : threads > 32 ? 32 : (unsigned)threads;
}

static int run(struct capture *capture, const struct firn_capture *request, struct firn_error **err)
{
    const struct firn_host *host = capture->host;
    if (registry_open(host, capture->reference.host, capture->reference.path, &capture->registry,
                      err) < 0)
        return -1;
    capture->inventory = inventory_new(capture->reference.host);
    struct crawl_options options = {
        .registry = capture->registry,
        .sink = capture->sink,
        .inventory = capture->inventory,
        .threads = thread_count(host),
        .referrers = host->param_integer(host, "referrers") != 0,
    };
    capture->crawl = crawl_new(&options);
    host->step(host, "listing images");
    if (seed(capture, err) < 0)
        return -1;
    host->step(host, "fetching images");
    if (crawl_run(capture->crawl, err) < 0 || write_documents(capture, err) < 0)
        return -1;
    return tell_outcome(capture, request, err);
}

int capture_images(const struct firn_host *host, const struct firn_capture *request,
                   struct firn_sink *sink, struct firn_error **err)
{
    struct capture capture = {.host = host, .sink = sink, .started = clock_now()};
    if (reference_parse(request->reference, &capture.reference, err) < 0)
        return -1;
    int result = run(&capture, request, err);
    crawl_free(capture.crawl);
    inventory_free(capture.inventory);
    registry_close(capture.registry);
    names_free(&capture.tags);
    reference_free(&capture.reference);
    return result;
}
