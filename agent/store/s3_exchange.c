/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to S3, until it succeeds or is known to fail:
 *
 *     sign → send ─┬─ 2xx ──────────────────────────────────▶ done
 *                  ├─ clock, region or credentials put right ▶ at once again, three times at most
 *                  ├─ transport, 5xx, 429, SlowDown … ───────▶ again after a pause, while the budget lasts
 *                  └─ the rest ──────────────────────────────▶ failed, said in the user's terms
 */
#include "s3.h"

#include "core/buf.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "net/http.h"

#include <curl/curl.h>
#include <strings.h>
#include <sys/random.h>

#define URL_MOST    16384u
#define PAUSE_FIRST 200
#define PAUSE_MOST  10000
#define PAUSE_SLICE 100
#define WARN_AFTER  4u /* repeats that nobody is told of */
#define CORRECTIONS 3u
#define SKEW_TOLERATED                                                                             \
    240000 /* S3 refuses at fifteen minutes; below this a 403 has another reason */
#define EMPTY_PAYLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum verdict { DONE, AT_ONCE, AGAIN, FAILED };

struct attempt {
    struct s3 *s3;
    const struct s3_request *request;
    struct s3_answer *answer;
    bool overflow;     /* more came than was asked for */
    int64_t signed_at; /* by the server's clock, as far as we know it */
    struct credentials credentials;
    char *region;
    int64_t retry_after; /* ms */
};

void s3_answer_free(struct s3_answer *answer)
{
    http_response_free(steal(answer->response));
}

/* ------------------------------------------------------------------------------------------------ sending */

static int receive(void *context, const void *data, size_t length)
{
    struct attempt *attempt = context;
    struct s3_answer *answer = attempt->answer;
    if (length > attempt->request->into_length - answer->received) {
        attempt->overflow = true;
        return -1;
    }
    memcpy(attempt->request->into + answer->received, data, length);
    answer->received += length;
    return 0;
}

struct signing {
    char time[SIGV4_TIME_LENGTH];
    struct firn_header headers[SIGV4_HEADERS_MAX];
    size_t count;
};

static void add_header(struct signing *signing, const char *name, const char *value)
{
    signing->headers[signing->count++] = (struct firn_header){.name = name, .value = value};
}

/* The headers of the request with its signature, which goes to `authorization`. `host` comes last: libcurl sends it itself. */
static int sign(struct attempt *attempt, const char *path, const char *query,
                struct signing *signing, struct buf *authorization, struct firn_error **err)
{
    const struct s3_request *request = attempt->request;
    const char *payload = request->payload == NULL ? EMPTY_PAYLOAD : request->payload;
    sigv4_time(attempt->signed_at, signing->time);
    add_header(signing, "x-amz-date", signing->time);
    add_header(signing, "x-amz-content-sha256", payload);
    if (attempt->credentials.session_token != NULL)
        add_header(signing, "x-amz-security-token", attempt->credentials.session_token);
    for (size_t i = 0; i < request->header_count; i++)
        add_header(signing, request->headers[i].name, request->headers[i].value);
    add_header(signing, "host", attempt->s3->location.host);
    struct sigv4_scope scope = {
        .access_key = attempt->credentials.access_key,
        .secret_key = attempt->credentials.secret_key,
        .region = attempt->region,
        .service = "s3",
    };
    struct sigv4_request canonical = {
        .method = request->method,
        .path = path,
        .query = query,
        .headers = signing->headers,
        .header_count = signing->count,
        .payload = payload,
    };
    if (sigv4_authorization(&scope, &canonical, signing->time, authorization, err) < 0)
        return -1;
    signing->headers[signing->count - 1] =
        (struct firn_header){.name = "authorization", .value = buf_text(authorization)};
    return 0;
}

static int send_request(struct attempt *attempt, struct firn_error **err)
{
    const struct s3_request *request = attempt->request;
    auto_buf struct buf path = buf_new(URL_MOST);
    auto_buf struct buf query = buf_new(URL_MOST);
    auto_buf struct buf authorization = buf_new(URL_MOST);
    struct signing signing = {.count = 0};
    s3_location_path(&attempt->s3->location, request->name, &path);
    sigv4_query(&query, request->query, request->query_count);
    if (buf_check(&path, "path", err) < 0 || buf_check(&query, "query", err) < 0 ||
        sign(attempt, buf_text(&path), buf_text(&query), &signing, &authorization, err) < 0)
        return -1;
    auto_free char *url =
        mem_printf("https://%s%s%s%s", attempt->s3->location.host, buf_text(&path),
                   query.length == 0 ? "" : "?", buf_text(&query));
    struct firn_http_request wire = {
        .size = sizeof(wire),
        .method = request->method,
        .url = url,
        .headers = signing.headers,
        .header_count = signing.count,
        .ca_file = attempt->s3->location.ca_file,
        .body = request->body,
        .body_length = request->body_length,
        .write_body = request->into == NULL ? NULL : receive,
        .context = attempt,
    };
    return http_exchange(attempt->s3->http, &wire, &attempt->answer->response, err);
}

/* ------------------------------------------------------------------------------------------------ what can be put right */

int64_t s3_header_time(const struct firn_http_response *response, const char *name)
{
    const char *date = http_header(response, name);
    time_t seconds = date == NULL ? -1 : curl_getdate(date, NULL);
    return seconds <= 0 ? 0 : (int64_t)seconds * 1000;
}

/* A HEAD has no body that would name the reason, so that the clock is looked at after every 403. */
static bool correct_clock(struct attempt *attempt, const struct firn_http_response *response)
{
    int64_t theirs = s3_header_time(response, "date");
    if (response->status != 403 || theirs == 0)
        return false;
    int64_t off = theirs - attempt->signed_at;
    if (off > -SKEW_TOLERATED && off < SKEW_TOLERATED)
        return false;
    atomic_store(&attempt->s3->skew, theirs - clock_now());
    log_warning("the clock of this machine is %lld s %s that of %s: requests are signed with the "
                "server's time",
                (long long)llabs(off / 1000), off < 0 ? "ahead of" : "behind",
                attempt->s3->location.server);
    return true;
}

static bool correct_region(struct attempt *attempt, const struct s3_fault *fault)
{
    struct s3 *s3 = attempt->s3;
    if (strcmp(fault->code, "AuthorizationHeaderMalformed") != 0 || fault->region[0] == '\0' ||
        strcmp(fault->region, attempt->region) == 0)
        return false;
    pthread_mutex_lock(&s3->mutex);
    free(s3->region);
    s3->region = mem_strdup(fault->region);
    pthread_mutex_unlock(&s3->mutex);
    return true;
}

static bool is_code(const struct s3_fault *fault, const char *const codes[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fault->code, codes[i]) == 0)
            return true;
    return false;
}

/* Not every server has a word of its own for a token that has ended, and the answer to a HEAD has none. */
static bool correct_credentials(struct attempt *attempt, int status, const struct s3_fault *fault)
{
    static const char *const ended[] = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken",
                                        "InvalidClientTokenId", "TokenRefreshRequired"};
    int64_t expires = attempt->credentials.expires;
    bool over = status == 403 && expires != 0 && attempt->signed_at >= expires;
    return (over || is_code(fault, ended, array_length(ended))) &&
           s3_credentials_renew(attempt->s3, &attempt->credentials);
}

/* ------------------------------------------------------------------------------------------------ judging */

static bool is_passing(int status, const struct s3_fault *fault)
{
    static const char *const codes[] = {
        "SlowDown",        "RequestTimeout",     "OperationAborted",
        "BadDigest",       "IncompleteBody",     "ConditionalRequestConflict",
        "InternalError",   "ServiceUnavailable", "XAmzContentSHA256Mismatch",
        "TooManyRequests", "Throttling",
    };
    return status == 429 || (status >= 500 && status != 501 && status != 505 && status != 507) ||
           is_code(fault, codes, array_length(codes));
}

/* What the server said, as it goes into a message: "403 AccessDenied (why)". */
static char *said(int status, const struct s3_fault *fault)
{
    bool told = fault->message[0] != '\0';
    return mem_printf("%d%s%s%s%s%s", status, fault->code[0] == '\0' ? "" : " ", fault->code,
                      told ? " (" : "", fault->message, told ? ")" : "");
}

static int explain_denial(const struct s3 *s3, const struct s3_fault *fault, const char *answer,
                          struct firn_error **err)
{
    static const char *const secrets[] = {"SignatureDoesNotMatch"};
    static const char *const keys[] = {"InvalidAccessKeyId"};
    static const char *const ended[] = {"ExpiredToken", "InvalidToken", "InvalidClientTokenId"};
    static const char *const full[] = {"QuotaExceeded"};
    const char *server = s3->location.server;
    if (is_code(fault, secrets, 1))
        return fail(err, FIRN_DENIED,
                    "%s does not accept the signature: the secret access key is wrong: %s", server,
                    answer);
    if (is_code(fault, keys, 1))
        return fail(err, FIRN_DENIED, "%s does not know the access key: %s", server, answer);
    if (is_code(fault, ended, array_length(ended)))
        return fail(err, FIRN_DENIED, "the session token has expired or is none of %s's: %s",
                    server, answer);
    if (is_code(fault, full, 1))
        return fail(err, FIRN_INTERNAL, "no space left in bucket %s on %s: its quota is used up",
                    s3->location.bucket, server);
    return fail(err, FIRN_DENIED, "the credentials have no right to do this in bucket %s on %s: %s",
                s3->location.bucket, server, answer);
}

static int explain_missing(const struct s3 *s3, const struct s3_fault *fault,
                           struct firn_error **err)
{
    if (strcmp(fault->code, "NoSuchBucket") == 0)
        return fail(err, FIRN_NOTFOUND, "there is no bucket %s on %s (Firn makes none)",
                    s3->location.bucket, s3->location.server);
    return fail(err, FIRN_NOTFOUND, "there is no such object in %s", s3->base.location);
}

static int explain_redirect(const struct s3 *s3, const struct firn_http_response *response,
                            const char *answer, struct firn_error **err)
{
    const char *region = http_header(response, "x-amz-bucket-region");
    if (region != NULL && !utf8_is_printable(region))
        region = NULL;
    return fail(err, FIRN_INVALID,
                "%s sends requests for bucket %s elsewhere (%s%s%.64s), which is not followed: "
                "name the server that holds the bucket",
                s3->location.server, s3->location.bucket, answer, region == NULL ? "" : ", region ",
                region == NULL ? "" : region);
}

static int explain(const struct s3 *s3, const struct firn_http_response *response,
                   const struct s3_fault *fault, struct firn_error **err)
{
    int status = response->status;
    auto_free char *answer = said(status, fault);
    if (is_passing(status, fault))
        return fail(err, FIRN_RETRY, "%s cannot do it now: %s", s3->location.server, answer);
    if (status == 401 || status == 403)
        return explain_denial(s3, fault, answer, err);
    if (status == 404)
        return explain_missing(s3, fault, err);
    if (status == 412)
        return fail(err, FIRN_CONFLICT, "it is already in %s", s3->base.location);
    if (status == 416)
        return fail(err, FIRN_CORRUPT, "it is shorter than the part asked for");
    if (status == 507)
        return fail(err, FIRN_INTERNAL, "no space left on %s: %s", s3->location.server, answer);
    if (status >= 300 && status < 400)
        return explain_redirect(s3, response, answer, err);
    return fail(err, FIRN_INVALID, "%s refuses: %s", s3->location.server, answer);
}

/* ms that the answer asks to wait; 0 if it does not, or names a date. */
static int64_t asked_pause(const struct firn_http_response *response)
{
    const char *after = http_header(response, "retry-after");
    long long seconds = after == NULL ? 0 : strtoll(after, NULL, 10);
    if (seconds < 0)
        return 0;
    return seconds > INT32_MAX ? INT64_C(1000) * INT32_MAX : seconds * 1000;
}

int64_t s3_clock(const struct s3 *s3)
{
    return clock_monotonic() + atomic_load(&s3->ahead);
}

/* What every answer tells besides. */
static void observe(struct s3 *s3, const struct firn_http_response *response)
{
    int64_t theirs = s3_header_time(response, "date");
    const char *version = http_header(response, "x-amz-version-id");
    if (theirs != 0)
        atomic_store(&s3->ahead, theirs - clock_monotonic());
    if (version != NULL && version[0] != '\0' && strcmp(version, "null") != 0)
        atomic_store(&s3->versioned, true);
}

/* An answer came. */
static enum verdict judge(struct attempt *attempt, struct firn_error **err)
{
    struct s3_answer *answer = attempt->answer;
    struct firn_http_response *response = answer->response;
    observe(attempt->s3, response);
    if (response->status >= 200 && response->status < 300)
        return DONE;
    s3_xml_fault(response->body, response->body_length, &answer->fault);
    explain(attempt->s3, response, &answer->fault, err);
    enum verdict verdict = FAILED;
    if (correct_clock(attempt, response) || correct_region(attempt, &answer->fault) ||
        correct_credentials(attempt, response->status, &answer->fault))
        verdict = AT_ONCE;
    else if (is_passing(response->status, &answer->fault))
        verdict = AGAIN;
    attempt->retry_after = asked_pause(response);
    s3_answer_free(answer);
    return verdict;
}

/* None came. What http.h calls CORRUPT is an answer that ended early: the connection's fault, not the object's. */
static enum verdict judge_transport(struct attempt *attempt, struct firn_error **err)
{
    if (attempt->overflow) {
        error_clear(err);
        error_set(err, FIRN_CORRUPT, "%s sent more than the part asked for",
                  attempt->s3->location.server);
        return FAILED;
    }
    if (error_code(*err) == FIRN_CORRUPT)
        (*err)->code = FIRN_RETRY;
    if (error_code(*err) == FIRN_NOTFOUND) /* a file of certificates: not the repository */
        (*err)->code = FIRN_INVALID;
    return error_code(*err) == FIRN_RETRY ? AGAIN : FAILED;
}

static enum verdict try_once(struct attempt *attempt, struct firn_error **err)
{
    struct s3 *s3 = attempt->s3;
    attempt->answer->received = 0;
    attempt->answer->fault = (struct s3_fault){.code = ""};
    attempt->retry_after = 0;
    attempt->signed_at = clock_now() + atomic_load(&s3->skew);
    s3_credentials_take(s3, &attempt->credentials);
    pthread_mutex_lock(&s3->mutex);
    attempt->region = mem_strdup(s3->region);
    pthread_mutex_unlock(&s3->mutex);
    enum verdict verdict =
        send_request(attempt, err) < 0 ? judge_transport(attempt, err) : judge(attempt, err);
    credentials_wipe(&attempt->credentials);
    free(steal(attempt->region));
    return verdict;
}

/* ------------------------------------------------------------------------------------------------ again */

/* Doubles; the upper half is random, so that writers do not come back all at once. */
static int64_t pause_before(unsigned repeat, int64_t asked)
{
    int64_t longest = repeat < 6 ? (int64_t)PAUSE_FIRST << repeat : PAUSE_MOST;
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = 0;
    int64_t pause = longest / 2 + random % (longest / 2 + 1);
    return pause > asked ? pause : asked;
}

static int wait_for(int64_t pause, struct firn_error **err)
{
    int64_t until = clock_monotonic() + pause;
    for (int64_t left = pause; left > 0; left = until - clock_monotonic()) {
        if (cancel_check(err) < 0)
            return -1;
        clock_sleep(left < PAUSE_SLICE ? left : PAUSE_SLICE);
    }
    return cancel_check(err);
}

struct patience {
    unsigned repeats;
    unsigned corrections;
    int64_t deadline; /* by the monotonic clock; from the first failure on */
};

/* Whether to go on, after the pause if there is one. *failure stays if not; it makes room for CANCELLED. */
static bool go_on(struct patience *patience, const struct attempt *attempt, enum verdict verdict,
                  struct firn_error **failure)
{
    if (verdict == FAILED)
        return false;
    if (verdict == AT_ONCE)
        return patience->corrections++ < CORRECTIONS;
    if (patience->repeats == 0)
        patience->deadline = clock_monotonic() + attempt->s3->location.retry;
    int64_t pause = pause_before(patience->repeats, attempt->retry_after);
    if (clock_monotonic() + pause > patience->deadline)
        return false;
    if (++patience->repeats == WARN_AFTER)
        log_warning("%s; going on trying", error_message(*failure));
    else
        log_debug("%s; again in %lld ms", error_message(*failure), (long long)pause);
    struct firn_error *cancelled = NULL;
    if (wait_for(pause, &cancelled) == 0)
        return true;
    error_clear(failure);
    *failure = cancelled;
    return false;
}

int s3_exchange(struct s3 *s3, const struct s3_request *request, struct s3_answer *answer,
                struct firn_error **err)
{
    struct attempt attempt = {.s3 = s3, .request = request, .answer = answer};
    struct patience patience = {.repeats = 0};
    *answer = (struct s3_answer){.response = NULL};
    for (;;) {
        auto_error struct firn_error *failure = NULL;
        enum verdict verdict = try_once(&attempt, &failure);
        if (verdict == DONE)
            return 0;
        if (!go_on(&patience, &attempt, verdict, &failure)) {
            if (err != NULL)
                *err = steal(failure);
            return -1;
        }
    }
}
