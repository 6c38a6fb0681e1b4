/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include "challenge.h"
#include "credentials.h"
#include "location.h"
#include "transport.h"

#include <core/buf.h>
#include <core/clock.h>
#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

#define URL_LIMIT      65536
#define TOKEN_LIMIT    65536
#define LIFETIME_USUAL 60 /* s; the token specification's default */
#define LIFETIME_MOST  86400

struct token {
    char *value;     /* "Bearer …" */
    int64_t renewal; /* monotonic ms from which on it is not used any more */
};

struct auth {
    const struct transport *transport;
    const char *registry;
    struct credentials credentials;
    pthread_mutex_t lock;
    struct challenge challenge; /* the last that the registry sent */
    struct lh_table *tokens;    /* scope -> struct token */
};

static void token_entry_free(struct lh_entry *entry)
{
    struct token *token = lh_entry_v(entry);
    credentials_wipe(&token->value);
    free(token);
    free(lh_entry_k(entry));
}

void authorization_free(struct authorization *authorization)
{
    credentials_wipe(&authorization->value);
}

struct auth *auth_new_take(const struct transport *transport, const char *registry,
                           struct credentials *credentials)
{
    struct auth *auth = mem_zalloc(sizeof(*auth));
    auth->transport = transport;
    auth->registry = registry;
    auth->credentials = *credentials;
    *credentials = (struct credentials){0};
    pthread_mutex_init(&auth->lock, NULL);
    auth->tokens = lh_kchar_table_new(16, token_entry_free);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    lh_table_free(auth->tokens);
    challenge_free(&auth->challenge);
    credentials_free(&auth->credentials);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

static bool has_credentials(const struct auth *auth)
{
    return auth->credentials.username != NULL || auth->credentials.identity_token != NULL;
}

/* Calls each(buf, name, value) for service and every scope. */
static void append_scopes(struct buf *out, const char *service, const char *scope)
{
    if (service != NULL)
        location_add_query(out, "service", service);
    auto_free char *scopes = mem_strdup(scope);
    char *rest = NULL;
    for (char *one = strtok_r(scopes, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
        location_add_query(out, "scope", one);
}

/* The plain way: GET realm?service=…&scope=… with Basic. */
static int ask_with_password(struct auth *auth, const char *scope, struct answer *answer,
                             struct firn_error **err)
{
    auto_buf struct buf url = buf_new(URL_LIMIT);
    buf_puts(&url, auth->challenge.realm);
    append_scopes(&url, auth->challenge.service, scope);
    if (auth->credentials.username != NULL)
        location_add_query(&url, "account", auth->credentials.username);
    if (buf_check(&url, "token service's address", err) < 0)
        return -1;
    auto_secret char *basic = NULL;
    if (credentials_basic(&auth->credentials, &basic, err) < 0)
        return -1;
    struct call call = {.method = "GET", .url = buf_text(&url), .authorization = basic};
    return transport_exchange(auth->transport, &call, answer, err);
}

/* OAuth2's way, for an identity token: POST of a form. A query without its '?' is a form. */
static int ask_with_identity(struct auth *auth, const char *scope, struct answer *answer,
                             struct firn_error **err)
{
    auto_buf struct buf form = buf_new(URL_LIMIT);
    location_add_query(&form, "grant_type", "refresh_token");
    location_add_query(&form, "client_id", "firn");
    location_add_query(&form, "refresh_token", auth->credentials.identity_token);
    if (auth->challenge.service != NULL)
        location_add_query(&form, "service", auth->challenge.service);
    location_add_query(&form, "scope", scope);
    if (buf_check(&form, "token request", err) < 0)
        return -1;
    struct call call = {
        .method = "POST",
        .url = auth->challenge.realm,
        .content_type = "application/x-www-form-urlencoded",
        .body = buf_text(&form) + 1,
        .body_length = form.length - 1,
    };
    return transport_exchange(auth->transport, &call, answer, err);
}

static int read_token(const struct answer *answer, struct token *out, struct firn_error **err)
{
    auto_json struct json_object *json = NULL;
    if (json_parse(answer->body, answer->body_length, "token", &json, err) < 0)
        return -1;
    const char *value = json_string_or(json, "token", NULL);
    if (value == NULL)
        value = json_string_or(json, "access_token", NULL);
    if (value == NULL || value[0] == '\0' || strlen(value) > TOKEN_LIMIT)
        return fail(err, FIRN_DENIED, "the answer holds no token");
    for (const char *byte = value; *byte != '\0'; byte++)
        if (*byte <= ' ' || *byte > '~')
            return fail(err, FIRN_DENIED, "the token holds characters that no token has");
    int64_t lifetime = json_int_or(json, "expires_in", LIFETIME_USUAL);
    lifetime = lifetime < 1 ? 1 : lifetime > LIFETIME_MOST ? LIFETIME_MOST : lifetime;
    int64_t margin = lifetime > 50 ? 10000 : lifetime * 200;
    out->value = mem_printf("Bearer %s", value);
    out->renewal = clock_monotonic() + lifetime * 1000 - margin;
    return 0;
}

/* The user has to know whom the password goes to when that is not the registry itself. */
static void tell_token_service(const struct auth *auth)
{
    const struct firn_host *host = auth->transport->host;
    auto_free char *service = location_host(auth->challenge.realm);
    if (service != NULL && strcmp(service, auth->registry) != 0)
        host->log(host, FIRN_LOG_DEBUG, "%s: tokens come from %s", auth->registry, service);
}

static int new_token(struct auth *auth, const char *scope, struct token **out,
                     struct firn_error **err)
{
    auto_answer struct answer answer = {0};
    tell_token_service(auth);
    int asked = auth->credentials.identity_token != NULL
                    ? ask_with_identity(auth, scope, &answer, err)
                    : ask_with_password(auth, scope, &answer, err);
    if (asked < 0)
        return wrap(err, "token for %s", auth->registry);
    if (answer.status != 200) {
        auto_free char *what = mem_printf("token service of %s, asked by %s", auth->registry,
                                          has_credentials(auth) ? "the user's credentials"
                                                                : "nobody (no credentials found)");
        return answer_fail(&answer, what, err);
    }
    struct token token = {0};
    if (read_token(&answer, &token, err) < 0)
        return wrap(err, "token service of %s", auth->registry);
    lh_table_delete(auth->tokens, scope);
    *out = mem_dup(&token, sizeof(token));
    lh_table_insert(auth->tokens, mem_strdup(scope), *out);
    return 0;
}

static int authorize_bearer(struct auth *auth, const char *scope, struct authorization *out,
                            struct firn_error **err)
{
    void *found = NULL;
    struct token *token = lh_table_lookup_ex(auth->tokens, scope, &found) ? found : NULL;
    if (token == NULL || clock_monotonic() >= token->renewal) {
        if (new_token(auth, scope, &token, err) < 0)
            return -1;
        out->fresh = true;
    }
    out->value = mem_strdup(token->value);
    return 0;
}

int auth_authorize(struct auth *auth, const char *scope, struct authorization *out,
                   struct firn_error **err)
{
    *out = (struct authorization){0};
    int result = 0;
    pthread_mutex_lock(&auth->lock);
    if (auth->challenge.scheme == CHALLENGE_BEARER) {
        result = authorize_bearer(auth, scope, out, err);
    } else if (auth->challenge.scheme == CHALLENGE_BASIC) {
        result = credentials_basic(&auth->credentials, &out->value, err);
        out->fresh = true;
    }
    pthread_mutex_unlock(&auth->lock);
    return result;
}

static int deny(const struct auth *auth, const char *scope, const struct answer *answer,
                struct firn_error **err)
{
    auto_free char *what = mem_printf("%s (%s)", auth->registry, scope);
    answer_fail(answer, what, err);
    if (!has_credentials(auth))
        return wrap(err,
                    "no credentials for %s were found: log in with `podman login` or `docker "
                    "login`, or give username "
                    "and registry-password-file, or token-file",
                    auth->registry);
    return wrap(err, "the registry refuses the credentials of %s, or they lack the right",
                auth->credentials.username == NULL ? "the identity token"
                                                   : auth->credentials.username);
}

/* Every WWW-Authenticate of the answer, taken together. */
static void read_challenges(const struct answer *answer, struct challenge *out)
{
    for (size_t i = 0; i < answer->response->header_count; i++)
        if (strcmp(answer->response->headers[i].name, "www-authenticate") == 0)
            challenge_read(answer->response->headers[i].value, out);
}

int auth_refused(struct auth *auth, const char *scope, const struct answer *answer,
                 const struct authorization *sent, struct firn_error **err)
{
    auto_challenge struct challenge challenge = {0};
    read_challenges(answer, &challenge);
    bool bearer_sent = sent->value != NULL && strncmp(sent->value, "Bearer ", 7) == 0;
    bool password = auth->credentials.username != NULL;
    /* A way in is one that was not tried yet: a challenge never answered, or a token that may just
     * have expired. */
    bool way_in = challenge.scheme == CHALLENGE_BEARER
                      ? !(bearer_sent && sent->fresh)
                      : challenge.scheme == CHALLENGE_BASIC && password && sent->value == NULL;
    if (challenge.scheme == CHALLENGE_BASIC && bearer_sent && !sent->fresh)
        way_in = true;
    if (!way_in)
        return deny(auth, scope, answer, err);
    pthread_mutex_lock(&auth->lock);
    if (bearer_sent)
        lh_table_delete(auth->tokens, scope);
    else {
        challenge_free(&auth->challenge);
        auth->challenge = challenge;
        challenge = (struct challenge){0};
    }
    pthread_mutex_unlock(&auth->lock);
    return 0;
}
