/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

#include "auth.h"
#include "credentials.h"
#include "digest.h"
#include "location.h"
#include "manifest.h"
#include "reference.h"

#include <core/error.h>
#include <core/mem.h>

#include <string.h>

/* No credentials, an expired token, a fresh one: nobody needs more tries. */
#define TRIES_MOST    4
#define STALL_TIMEOUT 60000

struct registry {
    struct transport transport;
    char *name;
    char *base; /* "https://HOST[:PORT]" */
    struct auth *auth;
};

int registry_open(const struct firn_host *host, const char *name, const char *path,
                  struct registry **out, struct firn_error **err)
{
    struct credentials credentials;
    if (credentials_find(host, name, path, &credentials, err) < 0)
        return -1;
    struct registry *registry = mem_zalloc(sizeof(*registry));
    int64_t stall = host->param_integer(host, "stall-timeout");
    registry->transport = (struct transport){
        .host = host,
        .plain_http = host->param_integer(host, "plain-http") != 0,
        .ca_file = mem_strdup(host->param(host, "ca-file")),
        .stall_timeout = stall > 0 && stall <= UINT32_MAX ? stall : STALL_TIMEOUT,
    };
    registry->name = mem_strdup(name);
    registry->base = mem_printf("%s://%s", registry->transport.plain_http ? "http" : "https", name);
    registry->auth = auth_new_take(&registry->transport, registry->name, &credentials);
    *out = registry;
    return 0;
}

void registry_close(struct registry *registry)
{
    if (registry == NULL)
        return;
    auth_free(registry->auth);
    free(registry->transport.ca_file);
    free(registry->name);
    free(registry->base);
    free(registry);
}

const char *registry_name(const struct registry *registry)
{
    return registry->name;
}

const struct firn_host *registry_host(const struct registry *registry)
{
    return registry->transport.host;
}

char *registry_pull_scope(const char *repository)
{
    return mem_printf("repository:%s:pull", repository);
}

char *registry_push_scope(const char *repository)
{
    return mem_printf("repository:%s:pull,push", repository);
}

int registry_call(struct registry *registry, const char *scope, const struct call *call,
                  struct answer *out, struct firn_error **err)
{
    *out = (struct answer){0};
    auto_free char *url =
        call->url[0] == '/' ? mem_printf("%s%s", registry->base, call->url) : mem_strdup(call->url);
    bool own = location_same_origin(url, registry->base);
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        auto_authorization struct authorization authorization = {0};
        if (own && auth_authorize(registry->auth, scope, &authorization, err) < 0)
            return -1;
        struct call attempt = *call;
        attempt.url = url;
        attempt.authorization = authorization.value;
        if (transport_exchange(&registry->transport, &attempt, out, err) < 0)
            return -1;
        /* A 401 from where a redirect led is not about our credentials. */
        if (out->status != 401 || !location_same_origin(out->url, registry->base))
            return 0;
        int refused = auth_refused(registry->auth, scope, out, &authorization, err);
        answer_free(out);
        if (refused < 0)
            return -1;
        if (call->read_body != NULL)
            return fail(err, FIRN_RETRY, "%s %s: the credentials expired while data was sent",
                        call->method, url);
    }
    return fail(err, FIRN_DENIED, "%s asks for other credentials over and over", registry->name);
}

void served_free(struct served *served)
{
    free(served->bytes);
    free(served->digest);
    free(served->media_type);
    *served = (struct served){0};
}

static char *type_without_parameters(const char *content_type)
{
    return content_type == NULL ? NULL : mem_dup(content_type, strcspn(content_type, "; \t"));
}

/* Proves the bytes against the digest that was asked for, or else against the one that the registry
 * announces. */
static int prove(const struct answer *answer, const char *reference, struct served *out,
                 struct firn_error **err)
{
    const char *announced = answer_header(answer, "docker-content-digest");
    const char *wanted = digest_valid(reference)   ? reference
                         : digest_valid(announced) ? announced
                                                   : NULL;
    if (wanted != NULL &&
        digest_check(wanted, answer->body, answer->body_length, "what was served", err) < 0)
        return -1;
    out->digest =
        wanted != NULL ? mem_strdup(wanted) : digest_of(NULL, answer->body, answer->body_length);
    return 0;
}

int registry_manifest_get(struct registry *registry, const char *repository, const char *reference,
                          struct served *out, struct firn_error **err)
{
    *out = (struct served){0};
    auto_free char *path = mem_printf("/v2/%s/manifests/%s", repository, reference);
    auto_free char *scope = registry_pull_scope(repository);
    auto_free char *what = mem_printf("%s/%s, manifest %s", registry->name, repository, reference);
    auto_answer struct answer answer = {0};
    struct call call = {
        .method = "GET", .url = path, .accept = manifest_accept, .body_limit = MANIFEST_LIMIT};
    if (registry_call(registry, scope, &call, &answer, err) < 0)
        return wrap(err, "%s", what);
    if (answer.status != 200)
        return answer_fail(&answer, what, err);
    if (prove(&answer, reference, out, err) < 0)
        return wrap(err, "%s", what);
    out->media_type = type_without_parameters(answer_header(&answer, "content-type"));
    out->length = answer.body_length;
    out->bytes = steal(answer.body);
    return 0;
}

int registry_manifest_digest(struct registry *registry, const char *repository, const char *tag,
                             char **out, struct firn_error **err)
{
    *out = NULL;
    auto_free char *path = mem_printf("/v2/%s/manifests/%s", repository, tag);
    auto_free char *scope = registry_pull_scope(repository);
    auto_answer struct answer answer = {0};
    struct call call = {.method = "HEAD", .url = path, .accept = manifest_accept};
    if (registry_call(registry, scope, &call, &answer, err) < 0)
        return wrap(err, "%s/%s:%s", registry->name, repository, tag);
    if (answer.status == 404)
        return 0;
    const char *digest = answer_header(&answer, "docker-content-digest");
    if (answer.status == 200 && digest_valid(digest)) {
        *out = mem_strdup(digest);
        return 0;
    }
    /* The header is optional, and so is HEAD to some. */
    auto_served struct served served = {0};
    if (registry_manifest_get(registry, repository, tag, &served, err) < 0)
        return -1;
    *out = steal(served.digest);
    return 0;
}

int registry_manifest_put(struct registry *registry, const char *repository, const char *reference,
                          const struct served *manifest, bool *subject_known,
                          struct firn_error **err)
{
    auto_free char *path = mem_printf("/v2/%s/manifests/%s", repository, reference);
    auto_free char *scope = registry_push_scope(repository);
    auto_free char *what = mem_printf("%s/%s, manifest %s", registry->name, repository, reference);
    auto_answer struct answer answer = {0};
    struct call call = {
        .method = "PUT",
        .url = path,
        .content_type = manifest->media_type,
        .body = manifest->bytes,
        .body_length = manifest->length,
    };
    if (registry_call(registry, scope, &call, &answer, err) < 0)
        return wrap(err, "%s", what);
    if (answer.status / 100 != 2)
        return answer_fail(&answer, what, err);
    const char *digest = answer_header(&answer, "docker-content-digest");
    if (digest != NULL && strcmp(digest, manifest->digest) != 0)
        return fail(err, FIRN_CORRUPT, "%s: the registry stored it as %.140s", what, digest);
    if (subject_known != NULL)
        *subject_known = answer_header(&answer, "oci-subject") != NULL;
    return 0;
}
