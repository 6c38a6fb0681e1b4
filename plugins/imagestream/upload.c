/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     HEAD ─200─► there
 *      └404─► POST ?mount=&from= ─201─► mounted
 *                  └202─► session ─► PUT of all                        (small)
 *                             └────► PATCH, PATCH … PUT ?digest=       (larger)
 *                                      └ break ─► GET session ─204 Range: 0-N─► PATCH from N + 1
 *                                                    └404─► a new session
 */
#include "upload.h"

#include "inventory.h"
#include "location.h"
#include "registry.h"

#include <core/buf.h>
#include <core/clock.h>
#include <core/error.h>
#include <core/mem.h>

#include <string.h>

#define FAILURES_MOST 6
/* What is sent in one PUT cannot be continued when it breaks off; it saves a request. */
#define SINGLE_MOST (8u << 20)
#define PAUSE_FIRST 200 /* ms; doubles with each failure */
#define PAUSE_STEP  100
#define URL_LIMIT   65536
#define OCTETS      "application/octet-stream"

struct upload {
    const struct upload_request *request;
    char *location;  /* of the session; NULL: none */
    uint64_t offset; /* what the registry has */
    uint64_t chunk;
    struct firn_reader *reader;
    uint64_t position; /* of the reader */
    uint64_t left;     /* of the piece that is being sent */
    uint64_t counted;  /* bytes told to the progress display */
    bool source_failed;
    int failures;
    uint64_t progress_mark; /* offset, when failures was last reset */
};

static const struct firn_host *host_of(const struct upload *upload)
{
    return registry_host(upload->request->registry);
}

static char *push_scope(const struct upload_request *request, bool mount)
{
    auto_free char *push = registry_push_scope(request->repository);
    if (!mount)
        return steal(push);
    auto_free char *pull = registry_pull_scope(request->from);
    return mem_printf("%s %s", push, pull);
}

static int exchange(struct upload *upload, const struct call *call, struct answer *answer,
                    struct firn_error **err)
{
    auto_free char *scope = push_scope(upload->request, false);
    return registry_call(upload->request->registry, scope, call, answer, err);
}

/* 1: the registry has the blob; 0: it has not. */
static int present(struct upload *upload, struct firn_error **err)
{
    const struct blob *blob = upload->request->blob;
    auto_free char *path = mem_printf("/v2/%s/blobs/%s", upload->request->repository, blob->digest);
    auto_answer struct answer answer = {0};
    struct call call = {.method = "HEAD", .url = path};
    if (exchange(upload, &call, &answer, err) < 0)
        return -1;
    if (answer.status == 404)
        return 0;
    if (answer.status != 200)
        return answer_fail(&answer, "looking for it", err);
    const char *digest = answer_header(&answer, "docker-content-digest");
    if (digest != NULL && strcmp(digest, blob->digest) != 0)
        return fail(err, FIRN_CORRUPT, "the registry has %.140s in its place", digest);
    const char *length = answer_header(&answer, "content-length");
    if (length != NULL && strtoull(length, NULL, 10) != blob->size)
        return fail(err, FIRN_CORRUPT, "the registry has it with %.20s bytes instead of %llu",
                    length, (unsigned long long)blob->size);
    return 1;
}

/* ---- the session */

static int set_location(struct upload *upload, const struct answer *answer, struct firn_error **err)
{
    const char *location = answer_header(answer, "location");
    if (location == NULL)
        return upload->location != NULL
                   ? 0
                   : fail(err, FIRN_INVALID,
                          "the registry begins an upload and does not say where");
    char *resolved = NULL;
    if (location_resolve(answer->url, location, &resolved, err) < 0)
        return -1;
    free(upload->location);
    upload->location = resolved;
    return 0;
}

/* Begins a session, or mounts. 1: mounted. */
static int begin(struct upload *upload, bool mount, struct firn_error **err)
{
    const struct upload_request *request = upload->request;
    auto_buf struct buf path = buf_new(URL_LIMIT);
    buf_printf(&path, "/v2/%s/blobs/uploads/", request->repository);
    if (mount) {
        location_add_query(&path, "mount", request->blob->digest);
        location_add_query(&path, "from", request->from);
    }
    auto_free char *scope = push_scope(request, mount);
    auto_answer struct answer answer = {0};
    struct call call = {.method = "POST", .url = buf_text(&path), .content_type = OCTETS};
    if (registry_call(request->registry, scope, &call, &answer, err) < 0)
        return -1;
    if (mount && answer.status == 201)
        return 1;
    if (answer.status != 202)
        return answer_fail(&answer, "beginning the upload", err);
    const char *least = answer_header(&answer, "oci-chunk-min-length");
    uint64_t wanted = least == NULL ? 0 : strtoull(least, NULL, 10);
    upload->chunk =
        wanted > request->chunk_size && wanted < INT64_MAX ? wanted : request->chunk_size;
    upload->offset = 0;
    return set_location(upload, &answer, err);
}

/* What the registry has so far: "0-N". An empty upload and one of a single byte look the same:
 * nothing is the safe guess, because the digest proves the whole in the end. */
static uint64_t received(const struct answer *answer, uint64_t fallback)
{
    const char *range = answer_header(answer, "range");
    if (range != NULL && strncmp(range, "bytes=", 6) == 0)
        range += 6;
    if (range == NULL || strncmp(range, "0-", 2) != 0)
        return fallback;
    uint64_t last = strtoull(range + 2, NULL, 10);
    return last == 0 ? 0 : last + 1;
}

/* Asks how far a broken session came; without one, upload->location is NULL afterwards. */
static int look_at_session(struct upload *upload, struct firn_error **err)
{
    auto_answer struct answer answer = {0};
    struct call call = {.method = "GET", .url = upload->location};
    if (exchange(upload, &call, &answer, err) < 0)
        return -1;
    uint64_t offset = received(&answer, 0);
    if (answer.status / 100 == 2 && offset <= upload->request->blob->size) {
        upload->offset = offset;
        return set_location(upload, &answer, err);
    }
    if (answer.status >= 500 || answer.status == 429)
        return answer_fail(&answer, "asking for the upload's state", err);
    free(steal(upload->location));
    upload->offset = 0;
    return 0;
}

/* ---- the data */

static void close_reader(struct upload *upload)
{
    if (upload->reader != NULL)
        upload->request->source->close(upload->reader);
    upload->reader = NULL;
}

static int open_reader(struct upload *upload, struct firn_error **err)
{
    struct firn_source *source = upload->request->source;
    if (upload->reader != NULL && upload->position == upload->offset)
        return 0;
    close_reader(upload);
    auto_free char *name = mem_printf("blobs/%s", upload->request->blob->digest);
    if (source->open(source, name, upload->offset, &upload->reader) < 0) {
        upload->reader = NULL;
        upload->source_failed = true;
        return fail(err, FIRN_UNSAID, "%s", name);
    }
    upload->position = upload->offset;
    return 0;
}

static int64_t feed(void *context, void *data, size_t capacity)
{
    struct upload *upload = context;
    if (atomic_load(upload->request->stop))
        return -1;
    if (upload->left == 0)
        return 0;
    size_t wanted = upload->left < capacity ? (size_t)upload->left : capacity;
    int64_t length = upload->request->source->read(upload->reader, data, wanted);
    if (length <= 0 || (uint64_t)length > wanted) {
        upload->source_failed = true;
        return -1;
    }
    upload->position += (uint64_t)length;
    upload->left -= (uint64_t)length;
    if (upload->position > upload->counted) {
        host_of(upload)->progress(host_of(upload), 0, upload->position - upload->counted);
        upload->counted = upload->position;
    }
    return length;
}

/* Sends the next piece: PATCH, or the PUT that ends the upload. */
static int send_piece(struct upload *upload, const char *method, const char *url, uint64_t length,
                      struct answer *answer, struct firn_error **err)
{
    if (length > 0 && open_reader(upload, err) < 0)
        return -1;
    bool patch = strcmp(method, "PATCH") == 0;
    auto_free char *range = mem_printf("%llu-%llu", (unsigned long long)upload->offset,
                                       (unsigned long long)(upload->offset + length - 1));
    upload->left = length;
    struct call call = {
        .method = method,
        .url = url,
        .content_type = OCTETS,
        .content_range = patch ? range : NULL,
        .body = length > 0 ? NULL : "",
        .body_length = length,
        .read_body = length > 0 ? feed : NULL,
        .context = upload,
    };
    return exchange(upload, &call, answer, err);
}

static int send_chunk(struct upload *upload, uint64_t length, struct firn_error **err)
{
    auto_answer struct answer answer = {0};
    if (send_piece(upload, "PATCH", upload->location, length, &answer, err) < 0)
        return -1;
    if (answer.status / 100 != 2)
        return answer_fail(&answer, "sending a chunk", err);
    uint64_t expected = upload->offset + length;
    uint64_t offset = received(&answer, expected);
    if (offset > expected)
        return fail(err, FIRN_CORRUPT, "the registry claims to have more than was sent");
    upload->offset = offset;
    return set_location(upload, &answer, err);
}

/* The last request: what is left (all, or nothing) and the digest. */
static int finish(struct upload *upload, struct firn_error **err)
{
    const struct blob *blob = upload->request->blob;
    auto_buf struct buf url = buf_new(URL_LIMIT);
    buf_puts(&url, upload->location);
    location_add_query(&url, "digest", blob->digest);
    if (buf_check(&url, "upload's address", err) < 0)
        return -1;
    auto_answer struct answer answer = {0};
    if (send_piece(upload, "PUT", buf_text(&url), blob->size - upload->offset, &answer, err) < 0)
        return -1;
    if (answer.status / 100 != 2)
        return answer_fail(&answer, "ending the upload", err);
    const char *digest = answer_header(&answer, "docker-content-digest");
    if (digest != NULL && strcmp(digest, blob->digest) != 0)
        return fail(err, FIRN_CORRUPT, "the registry stored it as %.140s", digest);
    return 0;
}

/* Sends all that the registry does not have yet. */
static int send_rest(struct upload *upload, struct firn_error **err)
{
    uint64_t size = upload->request->blob->size;
    if (upload->location == NULL && begin(upload, false, err) < 0)
        return -1;
    bool single = size <= upload->chunk && size <= SINGLE_MOST;
    while (upload->offset < size && (!single || upload->offset > 0)) {
        uint64_t left = size - upload->offset;
        if (send_chunk(upload, left < upload->chunk ? left : upload->chunk, err) < 0)
            return -1;
    }
    return finish(upload, err);
}

/* Whether it makes sense to look at the session and go on. Waits longer after each failure without
 * progress. */
static bool patience(struct upload *upload, const struct firn_error *failure)
{
    const struct firn_host *host = host_of(upload);
    enum firn_code code = error_code(failure);
    if (upload->source_failed ||
        (code != FIRN_RETRY && code != FIRN_UNSAID && code != FIRN_INVALID))
        return false;
    if (upload->offset > upload->progress_mark) {
        upload->failures = 0;
        upload->progress_mark = upload->offset;
    }
    if (++upload->failures > FAILURES_MOST || (code == FIRN_INVALID && upload->failures > 2))
        return false;
    int64_t pause = PAUSE_FIRST << upload->failures;
    for (; pause > 0 && !host->cancelled(host) && !atomic_load(upload->request->stop);
         pause -= PAUSE_STEP)
        clock_sleep(PAUSE_STEP);
    return !host->cancelled(host) && !atomic_load(upload->request->stop);
}

static int send_all(struct upload *upload, struct firn_error **err)
{
    for (;;) {
        auto_error struct firn_error *failure = NULL;
        if (send_rest(upload, &failure) == 0)
            return 0;
        if (!patience(upload, failure))
            return fail(err, error_code(failure), "%s", error_message(failure));
        /* The answer may have been lost, and not the request. */
        int there = present(upload, NULL);
        if (there > 0)
            return 0;
        /* Refused as wrong, or as another digest: what the session holds is not to be trusted. */
        if (error_code(failure) == FIRN_INVALID)
            free(steal(upload->location));
        upload->offset = upload->location == NULL ? 0 : upload->offset;
        if (upload->location != NULL && look_at_session(upload, NULL) < 0)
            continue;
    }
}

static int mount_or_send(struct upload *upload, enum upload_result *out, struct firn_error **err)
{
    /* A registry that cannot mount begins an upload instead, or refuses: then it is sent. */
    if (upload->request->from != NULL && begin(upload, true, NULL) > 0) {
        host_of(upload)->progress(host_of(upload), 0, upload->request->blob->size);
        *out = UPLOAD_MOUNTED;
    } else {
        if (send_all(upload, err) < 0)
            return -1;
        *out = UPLOAD_SENT;
    }
    int there = present(upload, err);
    if (there == 0)
        return fail(err, FIRN_CORRUPT, "the registry took it and does not have it");
    return there < 0 ? -1 : 0;
}

int upload_blob(const struct upload_request *request, enum upload_result *out,
                struct firn_error **err)
{
    struct upload upload = {.request = request};
    int result = present(&upload, err);
    if (result > 0) {
        registry_host(request->registry)
            ->progress(registry_host(request->registry), 0, request->blob->size);
        *out = UPLOAD_PRESENT;
    } else if (result == 0) {
        result = mount_or_send(&upload, out, err);
    }
    close_reader(&upload);
    free(upload.location);
    if (result < 0)
        return wrap(err, "%s/%s, blob %s", registry_name(request->registry), request->repository,
                    request->blob->digest);
    return 0;
}
