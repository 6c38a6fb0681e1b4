/* SPDX-License-Identifier: Apache-2.0 */
#include "s3.h"

#include "s3_lock.h"
#include "s3_versions.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "net/http.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>

#define COMPARE_MOST (16u << 20) /* objects that are put whole are small */

/* ------------------------------------------------------------------------------------------------ stat, get, remove */

static int s3_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
                   struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    if (s3_versioned(s3) && !s3_pins_cover(s3, name))
        return s3_versions_stat(s3, name, length, modified, err);
    auto_free char *version = s3_pinned(s3, name);
    const struct sigv4_parameter query[] = {{"versionId", version}};
    struct s3_request request = {
        .method = "HEAD", .name = name, .query = query, .query_count = version == NULL ? 0 : 1};
    auto_answer struct s3_answer answer = {.response = NULL};
    if (s3_exchange(s3, &request, &answer, err) < 0)
        return wrap(err, "look up %s", name);
    const char *text = http_header(answer.response, "content-length");
    char *end = NULL;
    errno = 0;
    *length = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || !isdigit((unsigned char)*text) || *end != '\0' || errno != 0)
        return fail(err, FIRN_CORRUPT, "look up %s: the server does not tell its length", name);
    *modified = s3_header_time(answer.response, "last-modified");
    if (*modified == 0)
        return fail(err, FIRN_CORRUPT, "look up %s: the server does not tell when it was put",
                    name);
    return 0;
}

/* A server that ignores the range sends the object from its beginning. */
static int check_part(const struct s3_request *request, const struct s3_answer *answer,
                      uint64_t offset, struct firn_error **err)
{
    const char *range = http_header(answer->response, "content-range");
    auto_free char *begin = mem_printf("bytes %llu-", (unsigned long long)offset);
    bool whole = answer->response->status == 200 && offset == 0;
    bool part = answer->response->status == 206 && range != NULL &&
                strncasecmp(range, begin, strlen(begin)) == 0;
    if (!whole && !part)
        return fail(err, FIRN_CORRUPT, "the server sent another part than the one asked for");
    if (answer->received != request->into_length)
        return fail(err, FIRN_CORRUPT, "it ends at byte %llu, %zu bytes early",
                    (unsigned long long)offset + answer->received,
                    request->into_length - answer->received);
    return 0;
}

static int s3_get(struct store *store, const char *name, uint64_t offset, void *data, size_t length,
                  struct firn_error **err)
{
    uint64_t there;
    if (length == 0)
        return store_stat(store, name, &there, NULL, err);
    auto_free char *range = mem_printf("bytes=%llu-%llu", (unsigned long long)offset,
                                       (unsigned long long)(offset + length - 1));
    struct firn_header header = {.name = "range", .value = range};
    auto_free char *version = s3_pinned((struct s3 *)store, name);
    const struct sigv4_parameter query[] = {{"versionId", version}};
    struct s3_request request = {
        .method = "GET",
        .name = name,
        .query = query,
        .query_count = version == NULL ? 0 : 1,
        .headers = &header,
        .header_count = 1,
        .into = data,
        .into_length = length,
    };
    auto_answer struct s3_answer answer = {.response = NULL};
    if (s3_exchange((struct s3 *)store, &request, &answer, err) < 0 ||
        check_part(&request, &answer, offset, err) < 0)
        return wrap(err, "read %s", name);
    return 0;
}

/* S3 does not tell whether there was anything to delete, so it is looked up first. */
static int s3_remove(struct store *store, const char *name, struct firn_error **err)
{
    uint64_t length;
    if (s3_versioned((struct s3 *)store))
        return s3_versions_remove((struct s3 *)store, name, err);
    if (store_stat(store, name, &length, NULL, err) < 0)
        return -1;
    struct s3_request request = {.method = "DELETE", .name = name};
    auto_answer struct s3_answer answer = {.response = NULL};
    if (s3_exchange((struct s3 *)store, &request, &answer, err) < 0)
        return wrap(err, "remove %s", name);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ put */

static bool holds(struct store *store, const char *name, const void *data, size_t length)
{
    uint64_t there = 0;
    if (length > COMPARE_MOST || store_stat(store, name, &there, NULL, NULL) < 0 || there != length)
        return false;
    auto_free void *own = mem_alloc(length + 1);
    return s3_get(store, name, 0, own, length, NULL) == 0 && memcmp(own, data, length) == 0;
}

static int put_new(struct s3 *s3, const char *name, const void *data, size_t length,
                   struct firn_error **err)
{
    static const struct firn_header unless_there = {.name = "if-none-match", .value = "*"};
    char payload[SIGV4_HASH_LENGTH];
    if (sigv4_hash(length == 0 ? "" : data, length, payload, err) < 0)
        return -1;
    bool conditional = !atomic_load(&s3->unconditional);
    struct s3_lock_headers lock;
    struct firn_header headers[S3_LOCK_HEADERS + 1] = {unless_there};
    size_t lock_count = s3_lock_headers(s3, name, payload, &lock, headers + 1);
    struct s3_request request = {
        .method = "PUT",
        .name = name,
        .headers = conditional ? headers : headers + 1,
        .header_count = conditional ? lock_count + 1 : lock_count,
        .body = length == 0 ? "" : data,
        .body_length = length,
        .payload = payload,
    };
    auto_answer struct s3_answer answer = {.response = NULL};
    auto_error struct firn_error *why = NULL;
    if (s3_exchange(s3, &request, &answer, &why) == 0)
        return 0;
    if (conditional && strcmp(answer.fault.code, "NotImplemented") == 0) {
        atomic_store(&s3->unconditional, true);
        return put_new(s3, name, data, length, err);
    }
    /* It may be the one of a try whose answer was lost: ours, or libcurl's, which says nothing of those that it repeats. */
    if (error_code(why) == FIRN_CONFLICT && holds(&s3->base, name, data, length))
        return 0;
    if (err != NULL)
        *err = steal(why);
    return wrap(err, "write %s", name);
}

/* Looked up first, because some servers ignore the condition of a PUT. */
static int s3_put(struct store *store, const char *name, const void *data, size_t length,
                  struct firn_error **err)
{
    uint64_t there;
    auto_error struct firn_error *why = NULL;
    if (store_stat(store, name, &there, NULL, &why) == 0)
        return fail(err, FIRN_CONFLICT, "%s is already in %s", name, store->location);
    if (error_code(why) == FIRN_NOTFOUND)
        return put_new((struct s3 *)store, name, data, length, err);
    if (err != NULL)
        *err = steal(why);
    return -1;
}

/* ------------------------------------------------------------------------------------------------ list */

static int fetch_page(struct s3 *s3, const char *prefix, const char *token, const char *most,
                      struct s3_answer *answer, struct firn_error **err)
{
    struct sigv4_parameter query[] = {
        {"list-type", "2"}, {"encoding-type", "url"},      {"prefix", prefix},
        {"max-keys", most}, {"continuation-token", token},
    };
    struct s3_request request = {
        .method = "GET",
        .query = query,
        .query_count = array_length(query) - (token == NULL ? 1 : 0),
    };
    return s3_exchange(s3, &request, answer, err);
}

/* By the date of an answer, which is in whole seconds. */
static int s3_now(struct store *store, int64_t *now, struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    auto_answer struct s3_answer answer = {.response = NULL};
    if (fetch_page(s3, s3->location.prefix, NULL, "1", &answer, err) < 0)
        return wrap(err, "ask %s for its time", s3->location.server);
    *now = s3_header_time(answer.response, "date");
    if (*now == 0)
        return fail(err, FIRN_CORRUPT, "%s does not tell its time", s3->location.server);
    return 0;
}

static int list_from(struct s3 *s3, const char *prefix, store_list_callback *each, void *context,
                     struct firn_error **err)
{
    auto_free char *whole = mem_printf("%s%s", s3->location.prefix, prefix);
    auto_free char *token = NULL;
    do {
        auto_answer struct s3_answer answer = {.response = NULL};
        auto_free char *before = steal(token);
        if (fetch_page(s3, whole, before, "1000", &answer, err) < 0)
            return wrap(err, "list %s", whole);
        if (s3_xml_page(answer.response->body, answer.response->body_length, s3->location.prefix,
                        each, context, &token, err) < 0)
            return -1;
        if (token != NULL && before != NULL && strcmp(token, before) == 0)
            return fail(err, FIRN_CORRUPT, "the server's listing of %s goes in circles", whole);
    } while (token != NULL);
    return 0;
}

struct listing {
    const char *prefix;
    store_list_callback *each;
    void *context;
};

/* The server was asked for the prefix; a wrong one must not be taken. */
static int take_entry(void *context, const struct store_entry *entry, struct firn_error **err)
{
    const struct listing *listing = context;
    if (strncmp(entry->name, listing->prefix, strlen(listing->prefix)) != 0)
        return 0;
    return listing->each(listing->context, entry, err);
}

static int s3_list(struct store *store, const char *prefix, store_list_callback *each,
                   void *context, struct firn_error **err)
{
    struct listing listing = {.prefix = prefix, .each = each, .context = context};
    if (s3_versioned((struct s3 *)store))
        return s3_versions_list((struct s3 *)store, prefix, each, context, err);
    return list_from((struct s3 *)store, prefix, take_entry, &listing, err);
}

/* ------------------------------------------------------------------------------------------------ open */

static void s3_close(struct store *store)
{
    struct s3 *s3 = (struct s3 *)store;
    http_client_free(s3->http);
    credentials_wipe(&s3->credentials);
    s3_location_free(&s3->location);
    s3_pins_free(s3->pins);
    pthread_cond_destroy(&s3->renewed);
    pthread_mutex_destroy(&s3->mutex);
    free(s3->region);
    free(s3->base.location);
    free(s3);
}

static const struct store_operations s3_operations = {
    /* A little more than 4 MiB, so that four sealed MiB fit. Each writer holds a pack of 32 MiB. */
    .manner = {.range = (4 << 20) + 4096, .gap = 512 << 10, .readers = 6, .writers = 2},
    .put = s3_put,
    .writer_open = s3_writer_open,
    .get = s3_get,
    .stat = s3_stat,
    .list = s3_list,
    .remove = s3_remove,
    .now = s3_now,
    .close = s3_close,
    .list_overlaid = s3_list_overlaid,
    .uncover = s3_uncover,
    .probe = s3_probe,
    .can_lock = s3_can_lock,
    .set_lock_rule = s3_set_lock_rule,
    .lock_read = s3_lock_read,
    .lock_extend = s3_lock_extend,
    .hold = s3_hold,
    .release = s3_release,
};

static int start(struct s3 *s3, const char *location, struct firn_error **err)
{
    s3->http = http_client_new("firn/" FIRN_VERSION);
    if (s3_location_parse(location, &s3->location, err) < 0 || s3_credentials_begin(s3, err) < 0)
        return -1;
    const char *region = s3->location.region;
    region = region != NULL ? region : s3->credentials.region;
    s3->region = mem_strdup(region != NULL ? region : "us-east-1");
    auto_answer struct s3_answer answer = {.response = NULL};
    int known = s3_versions_open(s3, err);
    if (known != 0)
        return known < 0 ? -1 : 0;
    return fetch_page(s3, s3->location.prefix, NULL, "1", &answer, err);
}

int s3_open(const char *location, struct store **out, struct firn_error **err)
{
    xmlInitParser(); /* threads come later */
    struct s3 *s3 = mem_zalloc(sizeof(*s3));
    s3->base.operations = &s3_operations;
    s3->base.location = mem_dup(location, strcspn(location, "?"));
    s3->pins = s3_pins_new();
    pthread_mutex_init(&s3->mutex, NULL);
    pthread_cond_init(&s3->renewed, NULL);
    if (start(s3, location, err) < 0) {
        s3_close(&s3->base);
        return wrap(err, "open the repository");
    }
    *out = &s3->base;
    return 0;
}
