/* SPDX-License-Identifier: Apache-2.0 */
#include "credential_endpoint.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "credentials.h"
#include "net/http.h"
#include "net/url.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST  "http://169.254.169.254"
#define ROLES          "latest/meta-data/iam/security-credentials/"
#define TOKEN_LIMIT    20000u
#define ANSWER_LIMIT   65536u
#define TIMEOUT        5000u /* these endpoints are on the machine itself */

/* ------------------------------------------------------------------------------------------------ over the wire */

static bool is_link_local(const char *host)
{
    static const char *const hosts[] = {"localhost",      "[::1]",          "169.254.170.2",
                                        "169.254.170.23", "[fd00:ec2::23]", "169.254.169.254",
                                        "[fd00:ec2::254]"};
    for (size_t i = 0; i < array_length(hosts); i++)
        if (strcasecmp(host, hosts[i]) == 0)
            return true;
    return strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0';
}

int credential_url_check(const char *text, const char *what, struct firn_error **err)
{
    auto_url struct url url = {.host = NULL};
    if (url_parse(text, &url, err) < 0)
        return wrap(err, "%s", what);
    if (strcmp(url.scheme, "https") == 0 ||
        (strcmp(url.scheme, "http") == 0 && is_link_local(url.host)))
        return 0;
    return fail(err, FIRN_INVALID,
                "%s: %s: credentials travel over https, or within the machine only", what, text);
}

struct question {
    const struct credential_search *search;
    const char *method;
    const char *url;
    struct firn_header header; /* one more; without a name: none */
    unsigned retries;
};

/* The body of a 200. *status: of any answer. */
static int ask(const struct question *question, char **body, int *status, struct firn_error **err)
{
    struct firn_http_request request = {
        .size = sizeof(request),
        .method = question->method,
        .url = question->url,
        .headers = &question->header,
        .header_count = question->header.name == NULL ? 0 : 1,
        .ca_file = question->search->ca_file,
        .body_limit = ANSWER_LIMIT,
        .idle_timeout = TIMEOUT,
        .retries = question->retries,
    };
    struct firn_http_response *response = NULL;
    *status = 0;
    *body = NULL;
    if (http_exchange(question->search->http, &request, &response, err) < 0)
        return -1;
    *status = response->status;
    if (response->status == 200)
        *body = steal(response->body);
    http_response_free(response);
    return *status == 200 ? 0
                          : fail(err, *status >= 500 ? FIRN_RETRY : FIRN_DENIED, "%s answered %d",
                                 question->url, *status);
}

static int ask_credentials(const struct question *question, struct credentials *out,
                           struct firn_error **err)
{
    int status;
    auto_free char *body = NULL;
    if (ask(question, &body, &status, err) < 0)
        return -1;
    int result = credentials_parse(body, strlen(body), out, err);
    OPENSSL_cleanse(body, strlen(body));
    return result < 0 ? wrap(err, "%s", question->url) : 1;
}

static void cut_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
}

/* ------------------------------------------------------------------------------------------------ containers */

/* The file is read each time: what renews the token writes it anew. */
static int authorization(char **out, struct firn_error **err)
{
    const char *file = credentials_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    *out = mem_strdup(credentials_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    if (file == NULL)
        return 0;
    struct buf token = buf_new(TOKEN_LIMIT);
    int result = file_read(file, TOKEN_LIMIT, &token, err);
    free(*out);
    *out = buf_take(&token);
    cut_end(*out);
    if (result < 0 && err != NULL && error_code(*err) == FIRN_NOTFOUND)
        (*err)->code = FIRN_INVALID; /* a file: not the repository */
    return result < 0 ? wrap(err, "the authorization token of the container") : 0;
}

int credential_container(const struct credential_search *search, struct credentials *out,
                         struct firn_error **err)
{
    const char *relative = credentials_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = credentials_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative == NULL && full == NULL)
        return 0;
    auto_free char *token = NULL;
    auto_free char *url =
        relative != NULL ? mem_printf(CONTAINER_HOST "%s", relative) : mem_strdup(full);
    if (credential_url_check(url, "the container's credentials", err) < 0 ||
        authorization(&token, err) < 0)
        return -1;
    struct question question = {.search = search, .method = "GET", .url = url, .retries = 3};
    if (token != NULL)
        question.header = (struct firn_header){"authorization", token};
    int result = ask_credentials(&question, out, err);
    if (token != NULL)
        OPENSSL_cleanse(token, strlen(token));
    return result < 0 ? wrap(err, "the container's credentials") : result;
}

/* ------------------------------------------------------------------------------------------------ instances */

/* A session of IMDSv2, without which nothing is asked: version 1 answers whoever can make this machine fetch a URL. */
static int instance_token(const struct credential_search *search, const char *base, char **out,
                          struct firn_error **err)
{
    int status;
    auto_free char *url = mem_printf("%slatest/api/token", base);
    struct question question = {
        .search = search,
        .method = "PUT",
        .url = url,
        .header = {"x-aws-ec2-metadata-token-ttl-seconds", "300"},
    };
    if (ask(&question, out, &status, err) == 0)
        return 0;
    if (err != NULL && error_code(*err) == FIRN_RETRY && status == 0)
        (*err)->code = FIRN_NOTFOUND; /* this machine is no instance */
    return -1;
}

static int instance_role(const struct question *base, char **role, struct firn_error **err)
{
    int status;
    if (ask(base, role, &status, err) == 0) {
        (*role)[strcspn(*role, "\r\n")] = '\0';
        if (**role != '\0')
            return 0;
        return fail(err, FIRN_NOTFOUND, "%s names no role", base->url);
    }
    if (status != 404)
        return -1;
    error_clear(err);
    return fail(err, FIRN_NOTFOUND, "the instance has no role");
}

static int from_instance(const struct credential_search *search, const char *base,
                         struct credentials *out, struct firn_error **err)
{
    auto_free char *token = NULL;
    auto_free char *role = NULL;
    auto_free char *roles = mem_printf("%s" ROLES, base);
    if (instance_token(search, base, &token, err) < 0)
        return -1;
    struct question question = {
        .search = search,
        .method = "GET",
        .url = roles,
        .header = {"x-aws-ec2-metadata-token", token},
        .retries = 3,
    };
    if (instance_role(&question, &role, err) < 0)
        return -1;
    auto_buf struct buf url = buf_new(TOKEN_LIMIT);
    buf_puts(&url, roles);
    url_escape(&url, role);
    if (buf_check(&url, "name of the role", err) < 0)
        return -1;
    question.url = buf_text(&url);
    return ask_credentials(&question, out, err);
}

int credential_instance(const struct credential_search *search, struct credentials *out,
                        struct firn_error **err)
{
    const char *disabled = credentials_variable("AWS_EC2_METADATA_DISABLED");
    const char *own = credentials_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (disabled != NULL && strcasecmp(disabled, "true") == 0)
        return 0;
    const char *host = own == NULL ? INSTANCE_HOST : own;
    auto_free char *base = mem_printf("%s%s", host, host[strlen(host) - 1] == '/' ? "" : "/");
    if (credential_url_check(base, "the instance's metadata", err) < 0)
        return -1;
    return from_instance(search, base, out, err);
}
