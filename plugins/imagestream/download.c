/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     GET ──► bytes … break ──► GET of a probe at the break ──206──► GET of the rest ──► …
 *                                                          └─else──► abandon; from the start
 *
 * The probe is there because the body of an answer arrives before its status is known here: only
 * what was asked for as a collected answer can be told to be the range that was wanted, and not the
 * whole blob from its beginning.
 */
#include "download.h"

#include "digest.h"
#include "inventory.h"
#include "registry.h"

#include <core/clock.h>
#include <core/error.h>
#include <core/mem.h>

#include <string.h>

#define PROBE_LENGTH   65536u
#define RESTARTS_MOST  2
#define FAILURES_MOST  5          /* breaks in a row without PROGRESS_LEAST between them */
#define PROGRESS_LEAST (1u << 20) /* bytes */
#define PAUSE_FIRST    200        /* ms; doubles with each failure */
#define PAUSE_STEP     100

struct download {
    const struct download_request *request;
    struct firn_object *object;
    struct digest_run *run;
    uint64_t received;
    int failures;
    uint64_t progress_mark; /* received, when failures was last reset */
    bool sink_failed;
    bool excess;
};

struct firn_object_info download_object(const struct blob *blob, const char *name)
{
    return (struct firn_object_info){
        .size = sizeof(struct firn_object_info),
        .kind = FIRN_OBJECT_STREAM,
        .name = name,
        .media_type = blob->media_type,
        .length = blob->size,
        /* The sink knows sha256 alone; the digest is proven here, whichever it is. */
        .digest = strncmp(blob->digest, "sha256:", 7) == 0 ? blob->digest : NULL,
    };
}

static int take(void *context, const void *data, size_t length)
{
    struct download *download = context;
    const struct download_request *request = download->request;
    if (atomic_load(request->stop))
        return -1;
    if (length > request->blob->size - download->received) {
        download->excess = true;
        return -1;
    }
    if (request->sink->stream(download->object, data, length) < 0) {
        download->sink_failed = true;
        return -1;
    }
    digest_run_add(download->run, data, length);
    download->received += length;
    const struct firn_host *host = registry_host(request->registry);
    host->progress(host, 0, length);
    return 0;
}

static int request_from(struct download *download, const char *range, bool stream,
                        struct answer *answer, struct firn_error **err)
{
    const struct download_request *request = download->request;
    auto_free char *path =
        mem_printf("/v2/%s/blobs/%s", request->repository, request->blob->digest);
    auto_free char *scope = registry_pull_scope(request->repository);
    struct call call = {
        .method = "GET",
        .url = path,
        .range = range,
        .write_body = stream ? take : NULL,
        .context = download,
        .body_limit = PROBE_LENGTH,
    };
    return registry_call(request->registry, scope, &call, answer, err);
}

/* Asks for a little at the place where the transfer broke. 1: got and taken; 0: this registry
 * cannot do that; -1: error. */
static int probe(struct download *download, struct firn_error **err)
{
    uint64_t left = download->request->blob->size - download->received;
    uint64_t length = left < PROBE_LENGTH ? left : PROBE_LENGTH;
    auto_free char *range = mem_printf("bytes=%llu-%llu", (unsigned long long)download->received,
                                       (unsigned long long)(download->received + length - 1));
    auto_free char *begin = mem_printf("bytes %llu-", (unsigned long long)download->received);
    auto_answer struct answer answer = {0};
    auto_error struct firn_error *failure = NULL;
    if (request_from(download, range, false, &answer, &failure) < 0) {
        if (error_code(failure) == FIRN_CORRUPT) /* longer than a probe: the whole blob */
            return 0;
        return fail(err, error_code(failure), "%s", error_message(failure));
    }
    const char *content_range =
        answer.status == 206 ? answer_header(&answer, "content-range") : NULL;
    if (answer.status >= 500 || answer.status == 429)
        return answer_fail(&answer, "range of a blob", err);
    if (content_range == NULL || strncmp(content_range, begin, strlen(begin)) != 0 ||
        answer.body_length > length)
        return 0;
    return take(download, answer.body, answer.body_length) < 0 ? -1 : 1;
}

/* One transfer of what is still to come. */
static int transfer(struct download *download, struct firn_error **err)
{
    auto_free char *range = NULL;
    if (download->received > 0)
        range = mem_printf("bytes=%llu-", (unsigned long long)download->received);
    auto_answer struct answer answer = {0};
    if (request_from(download, range, true, &answer, err) < 0)
        return -1;
    if (answer.status / 100 != 2)
        return answer_fail(&answer, "blob", err);
    return 0;
}

static bool resumable(const struct download *download, const struct firn_error *failure)
{
    const struct firn_host *host = registry_host(download->request->registry);
    if (download->sink_failed || download->excess || atomic_load(download->request->stop) ||
        host->cancelled(host))
        return false;
    return error_code(failure) == FIRN_RETRY || error_code(failure) == FIRN_UNSAID;
}

/* Waits longer after each failure; counts only those between which nothing was gained. */
static bool patience(struct download *download)
{
    const struct firn_host *host = registry_host(download->request->registry);
    if (download->received >= download->progress_mark + PROGRESS_LEAST) {
        download->failures = 0;
        download->progress_mark = download->received;
    }
    if (++download->failures > FAILURES_MOST)
        return false;
    int64_t pause = PAUSE_FIRST << download->failures;
    for (; pause > 0 && !host->cancelled(host) && !atomic_load(download->request->stop);
         pause -= PAUSE_STEP)
        clock_sleep(PAUSE_STEP);
    return true;
}

/* Takes up a transfer that broke off. 0: all is there; 1: the registry cannot continue it. */
static int take_up(struct download *download, struct firn_error **err)
{
    uint64_t size = download->request->blob->size;
    if (download->received == size)
        return 0;
    if (download->received == 0)
        return transfer(download, err);
    int result = probe(download, err);
    if (result <= 0)
        return result == 0 ? 1 : -1;
    return download->received == size ? 0 : transfer(download, err);
}

static int check(struct download *download, struct firn_error **err)
{
    uint64_t size = download->request->blob->size;
    if (download->received != size)
        return fail(err, FIRN_CORRUPT, "the registry sends %llu bytes where the manifest says %llu",
                    (unsigned long long)download->received, (unsigned long long)size);
    if (!digest_run_matches(download->run))
        return fail(err, FIRN_CORRUPT, "the registry sends other bytes than the digest says");
    return 0;
}

/* Gets the blob into the object that was begun. 1: it has to be done again from the start. */
static int fill(struct download *download, struct firn_error **err)
{
    auto_error struct firn_error *failure = NULL;
    int result = transfer(download, &failure);
    while (result < 0) {
        if (download->excess)
            return fail(err, FIRN_CORRUPT,
                        "the registry sends more than the %llu bytes that the manifest says",
                        (unsigned long long)download->request->blob->size);
        if (!resumable(download, failure) || !patience(download))
            return fail(err, failure == NULL ? FIRN_UNSAID : error_code(failure), "%s",
                        error_message(failure));
        error_clear(&failure);
        result = take_up(download, &failure);
    }
    return result > 0 ? 1 : check(download, err);
}

/* One object from its beginning to its end. */
static int attempt(const struct download_request *request, const struct firn_object_info *info,
                   struct firn_error **err)
{
    auto_digest_run struct digest_run *run = digest_run_new(request->blob->digest);
    struct download download = {.request = request, .run = run};
    if (request->sink->object_begin(request->sink, info, &download.object) < 0)
        return fail(err, FIRN_UNSAID, "object");
    int result = fill(&download, err);
    if (result == 0)
        return request->sink->object_end(download.object) < 0 ? fail(err, FIRN_UNSAID, "object")
                                                              : 0;
    request->sink->object_abandon(download.object);
    return result;
}

int download_blob(const struct download_request *request, struct firn_error **err)
{
    auto_free char *name = mem_printf("blobs/%s", request->blob->digest);
    struct firn_object_info info = download_object(request->blob, name);
    for (int restart = 0; restart <= RESTARTS_MOST; restart++) {
        int result = attempt(request, &info, err);
        if (result < 0)
            return wrap(err, "%s/%s, blob %s", registry_name(request->registry),
                        request->repository, request->blob->digest);
        if (result == 0)
            return 0;
    }
    return fail(err, FIRN_RETRY,
                "%s/%s, blob %s: the transfer breaks off again and again, and the registry cannot "
                "continue it",
                registry_name(request->registry), request->repository, request->blob->digest);
}
