/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server can do is found out by doing it: what it says of itself is asked only where doing would leave something
 * behind.
 */
#include "s3.h"
#include "s3_lock.h"
#include "s3_versions.h"

#include "core/error.h"
#include "core/mem.h"
#include "net/http.h"

#include <string.h>

#define PROBE_MOST (1u << 20) /* of the object that is written once more */

/* 1: *out is what the server says; 0: it says that there is none, or will not say. */
static int ask_lock(struct s3 *s3, struct s3_lock_default *out, enum firn_code *why,
                    struct firn_error **err)
{
    const struct sigv4_parameter query[] = {{"object-lock", ""}};
    struct s3_request request = {.method = "GET", .query = query, .query_count = 1};
    auto_answer struct s3_answer answer = {.response = NULL};
    auto_error struct firn_error *failure = NULL;
    *out = (struct s3_lock_default){.enabled = false};
    if (s3_exchange(s3, &request, &answer, &failure) == 0)
        return s3_xml_lock(answer.response->body, answer.response->body_length, out, err) < 0 ? -1
                                                                                              : 1;
    *why = error_code(failure);
    if (*why == FIRN_RETRY || *why == FIRN_CANCELLED)
        return fail(err, *why, "%s", error_message(failure));
    return 0;
}

int s3_can_lock(struct store *store, struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    struct s3_lock_default state;
    enum firn_code why = FIRN_NOTFOUND;
    int known = ask_lock(s3, &state, &why, err);
    if (known < 0)
        return -1;
    if (state.enabled || (known == 0 && why == FIRN_DENIED)) /* what may not be asked is tried */
        return 0;
    return fail(err, FIRN_INVALID,
                "bucket %s on %s has no Object Lock%s: it is enabled when a bucket is made",
                s3->location.bucket, s3->location.server,
                known == 0 && why != FIRN_NOTFOUND ? ", or the server does not know it" : "");
}

/* What was written once more is no use to anybody. That it may not be removed is no fault. */
static void remove_copy(struct s3 *s3, const char *name, const struct s3_answer *answer)
{
    const char *version = http_header(answer->response, "x-amz-version-id");
    if (version != NULL && version[0] != '\0' && strcmp(version, "null") != 0)
        s3_remove_version(s3, name, version, NULL);
}

/* The same bytes once more, under the condition that there are none. Without the lock of the store's rule. */
static int try_condition(struct s3 *s3, const char *name, const void *data, size_t length,
                         enum store_condition *out, struct firn_error **err)
{
    char payload[SIGV4_HASH_LENGTH], sum[S3_CHECKSUM_LENGTH];
    if (sigv4_hash(data, length, payload, err) < 0)
        return -1;
    s3_checksum(payload, sum);
    const struct firn_header headers[] = {{"if-none-match", "*"}, {"x-amz-checksum-sha256", sum}};
    struct s3_request request = {
        .method = "PUT",
        .name = name,
        .headers = headers,
        .header_count = array_length(headers),
        .body = data,
        .body_length = length,
        .payload = payload,
    };
    auto_answer struct s3_answer answer = {.response = NULL};
    auto_error struct firn_error *why = NULL;
    *out = STORE_CONDITION_IGNORED;
    if (s3_exchange(s3, &request, &answer, &why) == 0) {
        remove_copy(s3, name, &answer);
        return 0;
    }
    *out = error_code(why) == FIRN_CONFLICT ? STORE_CONDITION_KEPT : STORE_CONDITION_REFUSED;
    if (*out == STORE_CONDITION_KEPT || strcmp(answer.fault.code, "NotImplemented") == 0)
        return 0;
    return fail(err, error_code(why), "%s", error_message(why));
}

int s3_probe(struct store *store, const char *name, struct store_abilities *out,
             struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    struct s3_lock_default state;
    enum firn_code why = FIRN_NOTFOUND;
    uint64_t length = 0;
    if (store_stat(store, name, &length, NULL, err) < 0)
        return -1;
    if (length == 0 || length > PROBE_MOST)
        return fail(err, FIRN_INVALID, "%s is not fit for a probe", name);
    auto_free void *data = mem_alloc(length);
    if (store_get(store, name, 0, data, length, err) < 0 ||
        try_condition(s3, name, data, length, &out->condition, err) < 0 ||
        ask_lock(s3, &state, &why, err) < 0)
        return wrap(err, "find out what %s can do", s3->location.server);
    out->versions = atomic_load(&s3->versioned);
    out->locks = state.enabled;
    out->default_mode = state.mode;
    out->default_period = state.period;
    return 0;
}
