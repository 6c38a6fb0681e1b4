/* SPDX-License-Identifier: Apache-2.0 */
#include "sts.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "credential_endpoint.h"
#include "credentials.h"
#include "net/http.h"
#include "net/url.h"
#include "s3_xml.h"
#include "sigv4.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <string.h>

#define VERSION      "2011-06-15"
#define TOKEN_LIMIT  20000u
#define BODY_LIMIT   65536u
#define ANSWER_LIMIT (1u << 20)
#define TIMEOUT      30000u
#define RETRIES      4u

struct call {
    const struct credential_search *search;
    const struct sts_role *role;
    const struct credentials *own; /* who signs; NULL: nobody */
    char *url;
    const char *region; /* that it is signed for */
    struct buf body;
};

static const char *first(const char *a, const char *b)
{
    return a != NULL ? a : b;
}

/* Amazon's own has an address for each region, and an old one for all, which knows regions that are on by default only. */
static int find_endpoint(struct call *call, struct firn_error **err)
{
    const char *region = first(call->role->region, call->search->region);
    const char *own = first(credentials_variable("AWS_ENDPOINT_URL_STS"),
                            credentials_variable("AWS_ENDPOINT_URL"));
    const char *legacy = credentials_variable("AWS_STS_REGIONAL_ENDPOINTS");
    call->region = first(region, "us-east-1");
    if (own != NULL) {
        size_t length = strlen(own);
        call->url = mem_printf("%s%s", own, own[length - 1] == '/' ? "" : "/");
        return credential_url_check(call->url, "the endpoint of STS", err);
    }
    if (region == NULL || (legacy != NULL && strcmp(legacy, "legacy") == 0)) {
        call->region = "us-east-1";
        call->url = mem_strdup("https://sts.amazonaws.com/");
    } else {
        call->url = mem_printf("https://sts.%s.amazonaws.com%s/", region,
                               strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    }
    return 0;
}

static void add(struct call *call, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(&call->body, "%s%s=", call->body.length == 0 ? "" : "&", name);
    url_escape(&call->body, value);
}

static void compose(struct call *call, const char *action, const char *token)
{
    auto_free char *made_up = mem_printf("firn-%lld", (long long)clock_now());
    add(call, "Action", action);
    add(call, "Version", VERSION);
    add(call, "RoleArn", call->role->arn);
    add(call, "RoleSessionName", first(call->role->session, made_up));
    add(call, "DurationSeconds", call->role->duration);
    add(call, "ExternalId", call->role->external_id);
    add(call, "WebIdentityToken", token);
}

/* The header Host as libcurl sends it. */
static char *host_of(const struct url *url)
{
    return mem_printf("%s%s%s", url->host, url->port == NULL ? "" : ":",
                      url->port == NULL ? "" : url->port);
}

static int sign(const struct call *call, struct firn_header *headers, size_t *count,
                struct buf *authorization, struct firn_error **err)
{
    auto_url struct url url = {.host = NULL};
    char payload[SIGV4_HASH_LENGTH];
    if (url_parse(call->url, &url, err) < 0 ||
        sigv4_hash(call->body.data, call->body.length, payload, err) < 0)
        return -1;
    auto_free char *host = host_of(&url);
    if (call->own->session_token != NULL)
        headers[(*count)++] =
            (struct firn_header){"x-amz-security-token", call->own->session_token};
    headers[*count] = (struct firn_header){"host", host}; /* is sent by libcurl itself */
    struct sigv4_scope scope = {.access_key = call->own->access_key,
                                .secret_key = call->own->secret_key,
                                .region = call->region,
                                .service = "sts"};
    struct sigv4_request request = {.method = "POST",
                                    .path = url.path,
                                    .query = "",
                                    .headers = headers,
                                    .header_count = *count + 1,
                                    .payload = payload};
    if (sigv4_authorization(&scope, &request, headers[0].value, authorization, err) < 0)
        return -1;
    headers[(*count)++] = (struct firn_header){"authorization", buf_text(authorization)};
    return 0;
}

/* What the answer says under that name, if it can be shown. */
static char *said(const struct firn_http_response *response, const char *name)
{
    char *text = s3_xml_find(response->body, response->body_length, name);
    if (text != NULL && (text[0] == '\0' || strlen(text) > 500 || !utf8_is_printable(text)))
        free(steal(text));
    return text;
}

static int explain(const struct call *call, const struct firn_http_response *response,
                   struct firn_error **err)
{
    auto_free char *code = said(response, "Code");
    auto_free char *message = said(response, "Message");
    bool passing = response->status == 429 || response->status >= 500;
    return fail(err, passing ? FIRN_RETRY : FIRN_DENIED, "%s answered %d%s%s%s%s%s", call->url,
                response->status, code == NULL ? "" : " ", code == NULL ? "" : code,
                message == NULL ? "" : " (", message == NULL ? "" : message,
                message == NULL ? "" : ")");
}

static int take_answer(const struct call *call, const struct firn_http_response *response,
                       struct credentials *out, struct firn_error **err)
{
    if (response->status != 200)
        return explain(call, response, err);
    auto_credentials struct credentials found = {
        .access_key = s3_xml_find(response->body, response->body_length, "AccessKeyId"),
        .secret_key = s3_xml_find(response->body, response->body_length, "SecretAccessKey"),
        .session_token = s3_xml_find(response->body, response->body_length, "SessionToken"),
    };
    auto_free char *expires = s3_xml_find(response->body, response->body_length, "Expiration");
    if (found.access_key == NULL || found.secret_key == NULL || found.session_token == NULL ||
        (expires != NULL && clock_parse(expires, &found.expires, NULL) < 0))
        return fail(err, FIRN_INVALID, "%s answered without credentials", call->url);
    *out = found;
    found = (struct credentials){.region = NULL};
    return 0;
}

static int send_call(struct call *call, struct credentials *out, struct firn_error **err)
{
    char time[SIGV4_TIME_LENGTH];
    auto_buf struct buf authorization = buf_new(BODY_LIMIT);
    struct firn_header headers[6] = {
        {"x-amz-date", time},
        {"content-type", "application/x-www-form-urlencoded"},
    };
    size_t count = 2;
    sigv4_time(clock_now() + call->search->skew, time);
    if (buf_check(&call->body, "request to STS", err) < 0 ||
        (call->own != NULL && sign(call, headers, &count, &authorization, err) < 0))
        return -1;
    struct firn_http_request request = {
        .size = sizeof(request),
        .method = "POST",
        .url = call->url,
        .headers = headers,
        .header_count = count,
        .ca_file = call->search->ca_file,
        .body = call->body.data,
        .body_length = call->body.length,
        .body_limit = ANSWER_LIMIT,
        .idle_timeout = TIMEOUT,
        .retries = RETRIES,
    };
    struct firn_http_response *response = NULL;
    if (http_exchange(call->search->http, &request, &response, err) < 0)
        return -1;
    int result = take_answer(call, response, out, err);
    OPENSSL_cleanse(response->body, response->body_length);
    http_response_free(response);
    return result;
}

static int run(struct call *call, const char *action, const char *token, struct credentials *out,
               struct firn_error **err)
{
    *out = (struct credentials){.region = NULL};
    call->body = buf_new(BODY_LIMIT);
    int result = find_endpoint(call, err);
    if (result == 0) {
        compose(call, action, token);
        result = send_call(call, out, err);
    }
    if (call->body.data != NULL)
        OPENSSL_cleanse(call->body.data, call->body.capacity);
    buf_free(&call->body);
    free(call->url);
    return result < 0 ? wrap(err, "%s for %s", action, call->role->arn) : 0;
}

int sts_assume(const struct credential_search *search, const struct sts_role *role,
               const struct credentials *own, struct credentials *out, struct firn_error **err)
{
    struct call call = {.search = search, .role = role, .own = own};
    return run(&call, "AssumeRole", NULL, out, err);
}

int sts_assume_with_token(const struct credential_search *search, const struct sts_role *role,
                          const char *token_file, struct credentials *out, struct firn_error **err)
{
    struct call call = {.search = search, .role = role};
    auto_buf struct buf token = buf_new(TOKEN_LIMIT);
    *out = (struct credentials){.region = NULL};
    if (file_read(token_file, TOKEN_LIMIT, &token, err) < 0) {
        if (err != NULL && error_code(*err) == FIRN_NOTFOUND) /* a file: not the repository */
            (*err)->code = FIRN_INVALID;
        return wrap(err, "the token of the web identity");
    }
    while (token.length > 0 && isspace((unsigned char)token.data[token.length - 1]))
        token.data[--token.length] = '\0';
    if (token.length == 0)
        return fail(err, FIRN_INVALID, "%s: there is no token in it", token_file);
    int result = run(&call, "AssumeRoleWithWebIdentity", token.data, out, err);
    OPENSSL_cleanse(token.data, token.capacity);
    return result;
}
