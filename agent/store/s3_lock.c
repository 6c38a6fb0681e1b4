/* SPDX-License-Identifier: Apache-2.0 */
#include "s3_lock.h"

#include "lock.h"
#include "s3.h"
#include "s3_versions.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "net/http.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define NAMESPACE "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

void s3_set_lock_rule(struct store *store, const struct lock_rule *rule, int64_t since)
{
    struct s3 *s3 = (struct s3 *)store;
    s3->lock = *rule;
    s3->lock_since = since;
}

/* ------------------------------------------------------------------------------------------------ locking */

static const char *mode_word(enum store_lock_mode mode)
{
    return mode == STORE_COMPLIANCE ? "COMPLIANCE" : "GOVERNANCE";
}

void s3_checksum(const char *payload, char out[S3_CHECKSUM_LENGTH])
{
    uint8_t bytes[SIGV4_HASH_LENGTH / 2];
    out[0] = '\0';
    if (hex_decode(payload, bytes, sizeof(bytes)))
        EVP_EncodeBlock((unsigned char *)out, bytes, sizeof(bytes));
}

size_t s3_lock_headers(struct s3 *s3, const char *name, const char *payload,
                       struct s3_lock_headers *out, struct firn_header *headers)
{
    size_t count = 0;
    if (payload != NULL) {
        s3_checksum(payload, out->checksum);
        headers[count++] = (struct firn_header){"x-amz-checksum-sha256", out->checksum};
    }
    if (s3->lock.mode == STORE_UNLOCKED)
        return count;
    int64_t since = s3->lock_since != 0 ? s3->lock_since : s3_clock(s3);
    clock_format(lock_until(&s3->lock, name, since), out->until);
    headers[count++] = (struct firn_header){"x-amz-object-lock-mode", mode_word(s3->lock.mode)};
    headers[count++] = (struct firn_header){"x-amz-object-lock-retain-until-date", out->until};
    return count;
}

/* PUT of a small document about an object: its first version, if there are several. */
static int put_document(struct s3 *s3, const char *name, const char *what, const char *text,
                        struct firn_error **err)
{
    char payload[SIGV4_HASH_LENGTH], sum[S3_CHECKSUM_LENGTH];
    if (sigv4_hash(text, strlen(text), payload, err) < 0)
        return -1;
    s3_checksum(payload, sum);
    auto_free char *version = s3_pinned(s3, name);
    const struct sigv4_parameter query[] = {{what, ""}, {"versionId", version}};
    const struct firn_header headers[] = {{"x-amz-checksum-sha256", sum},
                                          {"content-type", "application/xml"}};
    struct s3_request request = {
        .method = "PUT",
        .name = name,
        .query = query,
        .query_count = version == NULL ? 1 : 2,
        .headers = headers,
        .header_count = array_length(headers),
        .body = text,
        .body_length = strlen(text),
        .payload = payload,
    };
    auto_answer struct s3_answer answer = {.response = NULL};
    return s3_exchange(s3, &request, &answer, err);
}

int s3_lock_extend(struct store *store, const char *name, enum store_lock_mode mode, int64_t until,
                   struct firn_error **err)
{
    char date[CLOCK_TEXT_LENGTH];
    clock_format(until, date);
    auto_free char *text = mem_printf("<Retention " NAMESPACE "><Mode>%s</Mode>"
                                      "<RetainUntilDate>%s</RetainUntilDate></Retention>",
                                      mode_word(mode), date);
    if (put_document((struct s3 *)store, name, "retention", text, err) < 0)
        return wrap(err, "lock %s until %s", name, date);
    return 0;
}

static int set_hold(struct s3 *s3, const char *name, const char *status, struct firn_error **err)
{
    auto_free char *text =
        mem_printf("<LegalHold " NAMESPACE "><Status>%s</Status></LegalHold>", status);
    return put_document(s3, name, "legal-hold", text, err);
}

int s3_hold(struct store *store, const char *name, struct firn_error **err)
{
    return set_hold((struct s3 *)store, name, "ON", err) < 0 ? wrap(err, "hold %s", name) : 0;
}

int s3_release(struct store *store, const char *name, struct firn_error **err)
{
    return set_hold((struct s3 *)store, name, "OFF", err) < 0 ? wrap(err, "release %s", name) : 0;
}

/* ------------------------------------------------------------------------------------------------ reading locks */

static int read_headers(const struct firn_http_response *response, struct store_lock *out,
                        struct firn_error **err)
{
    const char *mode = http_header(response, "x-amz-object-lock-mode");
    const char *until = http_header(response, "x-amz-object-lock-retain-until-date");
    const char *held = http_header(response, "x-amz-object-lock-legal-hold");
    *out = (struct store_lock){.held = held != NULL && strcasecmp(held, "ON") == 0};
    if (mode == NULL || until == NULL)
        return 0;
    out->mode = store_lock_mode_parse(mode);
    if (out->mode == STORE_UNLOCKED || clock_parse(until, &out->until, NULL) < 0)
        return fail(err, FIRN_CORRUPT, "the server states a lock that makes no sense");
    return 0;
}

/* The headers of a HEAD say nothing both where there is no lock and where it may not be known. */
static int ask_retention(struct s3 *s3, const char *name, const char *version,
                         struct firn_error **err)
{
    const struct sigv4_parameter query[] = {{"retention", ""}, {"versionId", version}};
    struct s3_request request = {
        .method = "GET", .name = name, .query = query, .query_count = version == NULL ? 1 : 2};
    auto_answer struct s3_answer answer = {.response = NULL};
    auto_error struct firn_error *why = NULL;
    if (s3_exchange(s3, &request, &answer, &why) == 0 || error_code(why) != FIRN_DENIED)
        return 0;
    return fail(err, FIRN_DENIED, "%s (s3:GetObjectRetention)", error_message(why));
}

static int read_lock(struct s3 *s3, const char *name, const char *version, struct store_lock *out,
                     struct firn_error **err)
{
    const struct sigv4_parameter query[] = {{"versionId", version}};
    struct s3_request request = {
        .method = "HEAD", .name = name, .query = query, .query_count = version == NULL ? 0 : 1};
    auto_answer struct s3_answer answer = {.response = NULL};
    if (s3_exchange(s3, &request, &answer, err) < 0 || read_headers(answer.response, out, err) < 0)
        return -1;
    return out->mode != STORE_UNLOCKED ? 0 : ask_retention(s3, name, version, err);
}

int s3_lock_read(struct store *store, const char *name, struct store_lock *out,
                 struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    uint64_t length;
    int64_t modified;
    if (s3_versioned(s3) && !s3_pins_cover(s3, name) &&
        s3_versions_stat(s3, name, &length, &modified, err) < 0)
        return -1;
    auto_free char *version = s3_pinned(s3, name);
    if (read_lock(s3, name, version, out, err) < 0)
        return wrap(err, "read the lock of %s", name);
    return 0;
}

int s3_lock_explain(struct s3 *s3, const char *name, const char *version, struct firn_error **err)
{
    struct store_lock lock;
    if (err == NULL || error_code(*err) != FIRN_DENIED ||
        read_lock(s3, name, version, &lock, NULL) < 0 || (lock.until == 0 && !lock.held))
        return wrap(err, "remove %s", name);
    char until[CLOCK_TEXT_LENGTH];
    clock_format(lock.until, until);
    error_clear(err);
    if (lock.held)
        return fail(err, FIRN_DENIED, "remove %s: it is under a legal hold", name);
    return fail(err, FIRN_DENIED, "remove %s: it is locked until %s (%s)", name, until,
                store_lock_mode_name(lock.mode));
}
