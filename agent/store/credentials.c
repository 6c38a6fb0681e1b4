/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include "aws_profile.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "credential_endpoint.h"
#include "credential_process.h"
#include "sts.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#define PROFILES_DEEP 8u /* profiles that name one another as their source */
#define TRIED_LIMIT   2048u

static void wipe_text(char **text)
{
    if (*text != NULL)
        OPENSSL_cleanse(*text, strlen(*text));
    free(steal(*text));
}

void credentials_wipe(struct credentials *credentials)
{
    wipe_text(&credentials->access_key);
    wipe_text(&credentials->secret_key);
    wipe_text(&credentials->session_token);
    free(steal(credentials->region));
    credentials->expires = 0;
}

void credentials_copy(struct credentials *to, const struct credentials *from)
{
    to->access_key = mem_strdup(from->access_key);
    to->secret_key = mem_strdup(from->secret_key);
    to->session_token = mem_strdup(from->session_token);
    to->region = mem_strdup(from->region);
    to->expires = from->expires;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
    return same_text(a->access_key, b->access_key) && same_text(a->secret_key, b->secret_key) &&
           same_text(a->session_token, b->session_token);
}

const char *credentials_variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static int check_pair(const char *access_key, const char *secret_key, struct firn_error **err)
{
    if (access_key != NULL && secret_key != NULL)
        return 0;
    return fail(err, FIRN_INVALID,
                "the credentials for S3 are incomplete: the %s access key is missing",
                access_key == NULL ? "id of the" : "secret");
}

int credentials_parse(const char *text, uint64_t length, struct credentials *out,
                      struct firn_error **err)
{
    auto_json struct json_object *document = NULL;
    const char *access_key = NULL, *secret_key = NULL;
    *out = (struct credentials){.region = NULL};
    if (json_parse(text, length, "the credentials", &document, err) < 0 ||
        json_get_string(document, "AccessKeyId", &access_key, err) < 0 ||
        json_get_string(document, "SecretAccessKey", &secret_key, err) < 0)
        return -1;
    const char *token = json_string_or(document, "SessionToken", NULL);
    const char *expires = json_string_or(document, "Expiration", NULL);
    int64_t end = 0;
    if (expires != NULL && clock_parse(expires, &end, err) < 0)
        return wrap(err, "the end of the credentials");
    out->access_key = mem_strdup(access_key);
    out->secret_key = mem_strdup(secret_key);
    out->session_token = mem_strdup(json_string_or(document, "Token", token));
    out->expires = end;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the environment */

/* Each source: 1: taken; 0: there are none there; -1. */
static int from_environment(struct credentials *out, struct firn_error **err)
{
    const char *access_key = credentials_variable("AWS_ACCESS_KEY_ID");
    const char *secret_key = credentials_variable("AWS_SECRET_ACCESS_KEY");
    if (access_key == NULL && secret_key == NULL)
        return 0;
    if (check_pair(access_key, secret_key, err) < 0)
        return -1;
    out->access_key = mem_strdup(access_key);
    out->secret_key = mem_strdup(secret_key);
    out->session_token = mem_strdup(credentials_variable("AWS_SESSION_TOKEN"));
    return 1;
}

static int from_web_identity(const struct credential_search *search, struct credentials *out,
                             struct firn_error **err)
{
    const char *file = credentials_variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    struct sts_role role = {
        .arn = credentials_variable("AWS_ROLE_ARN"),
        .session = credentials_variable("AWS_ROLE_SESSION_NAME"),
    };
    if (file == NULL)
        return 0;
    if (role.arn == NULL)
        return fail(err, FIRN_INVALID,
                    "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not: it names the "
                    "role that the token is for");
    return sts_assume_with_token(search, &role, file, out, err) < 0 ? -1 : 1;
}

/* ------------------------------------------------------------------------------------------------ profiles */

static int from_profile(const struct credential_search *search, const char *name, unsigned deep,
                        struct credentials *out, struct firn_error **err);

static int take_keys(const struct aws_profile *profile, struct credentials *out,
                     struct firn_error **err)
{
    if (profile->access_key == NULL && profile->secret_key == NULL)
        return 0;
    if (check_pair(profile->access_key, profile->secret_key, err) < 0)
        return -1;
    out->access_key = mem_strdup(profile->access_key);
    out->secret_key = mem_strdup(profile->secret_key);
    out->session_token = mem_strdup(profile->session_token);
    return 1;
}

static int from_named_source(const struct credential_search *search, const char *source,
                             struct credentials *out, struct firn_error **err)
{
    if (strcasecmp(source, "Environment") == 0)
        return from_environment(out, err);
    if (strcasecmp(source, "EcsContainer") == 0)
        return credential_container(search, out, err);
    if (strcasecmp(source, "Ec2InstanceMetadata") == 0)
        return credential_instance(search, out, err);
    return fail(err, FIRN_INVALID,
                "credential_source is \"%s\", and can be Environment, EcsContainer or "
                "Ec2InstanceMetadata",
                source);
}

/* Who assumes the role. */
static int role_owner(const struct credential_search *search, const char *name,
                      const struct aws_profile *profile, unsigned deep, struct credentials *out,
                      struct firn_error **err)
{
    const char *source = profile->source_profile;
    int found;
    if (source != NULL && strcmp(source, name) == 0)
        found = take_keys(profile, out, err); /* of its own keys */
    else if (source != NULL)
        found = from_profile(search, source, deep + 1, out, err);
    else if (profile->credential_source != NULL)
        found = from_named_source(search, profile->credential_source, out, err);
    else
        return fail(err, FIRN_INVALID,
                    "role_arn needs source_profile, credential_source or web_identity_token_file");
    if (found == 0)
        return fail(err, FIRN_DENIED, "there are no credentials in %s, which assumes %s",
                    source != NULL ? source : profile->credential_source, profile->role_arn);
    return found;
}

static int from_role(const struct credential_search *search, const char *name,
                     const struct aws_profile *profile, unsigned deep, struct credentials *out,
                     struct firn_error **err)
{
    struct sts_role role = {
        .arn = profile->role_arn,
        .session = profile->role_session_name,
        .external_id = profile->external_id,
        .duration = profile->duration_seconds,
        .region = profile->region,
    };
    if (profile->web_identity_token_file != NULL)
        return sts_assume_with_token(search, &role, profile->web_identity_token_file, out, err);
    if (profile->mfa_serial != NULL)
        return fail(err, FIRN_INVALID,
                    "the role asks for a second factor (mfa_serial), for which "
                    "nobody is there");
    auto_credentials struct credentials own = {.region = NULL};
    if (role_owner(search, name, profile, deep, &own, err) < 0)
        return -1;
    return sts_assume(search, &role, &own, out, err);
}

static int take_profile(const struct credential_search *search, const char *name,
                        const struct aws_profile *profile, unsigned deep, struct credentials *out,
                        struct firn_error **err)
{
    if (profile->role_arn != NULL)
        return from_role(search, name, profile, deep, out, err) < 0 ? -1 : 1;
    int found = take_keys(profile, out, err);
    if (found != 0)
        return found;
    if (profile->credential_process != NULL)
        return credential_process(profile->credential_process, out, err) < 0 ? -1 : 1;
    if (profile->sso_session != NULL || profile->sso_start_url != NULL)
        return fail(err, FIRN_INVALID,
                    "Firn does not log in to IAM Identity Center: name a profile with "
                    "credential_process = aws configure export-credentials --format process "
                    "--profile %s",
                    name);
    return 0;
}

static int from_profile(const struct credential_search *search, const char *name, unsigned deep,
                        struct credentials *out, struct firn_error **err)
{
    auto_profile struct aws_profile profile = {.found = false};
    if (deep > PROFILES_DEEP)
        return fail(err, FIRN_INVALID, "profile %s: the source profiles go in circles", name);
    if (aws_profile_read(name, &profile, err) < 0)
        return wrap(err, "credentials");
    int found = take_profile(search, name, &profile, deep, out, err);
    if (found < 0)
        return wrap(err, "profile %s", name);
    free(out->region);
    out->region = steal(profile.region);
    return found;
}

/* ------------------------------------------------------------------------------------------------ all */

/* The last of the chain, where a machine that is no instance ends up. */
static int from_instance(const struct credential_search *search, struct buf *tried,
                         struct credentials *out, struct firn_error **err)
{
    auto_error struct firn_error *why = NULL;
    int found = credential_instance(search, out, &why);
    if (found == 0)
        buf_puts(tried, "; instance metadata are switched off");
    if (found >= 0)
        return found;
    if (error_code(why) != FIRN_NOTFOUND) {
        if (err != NULL)
            *err = steal(why);
        return wrap(err, "the instance's credentials");
    }
    buf_printf(tried, "; instance metadata: %s", error_message(why));
    return 0;
}

static int from_chain(const struct credential_search *search, struct credentials *out,
                      struct firn_error **err)
{
    const char *asked = credentials_variable("AWS_PROFILE");
    const char *name = asked != NULL ? asked : "default";
    auto_buf struct buf tried = buf_new(TRIED_LIMIT);
    int found = from_environment(out, err);
    if (found == 0)
        found = from_web_identity(search, out, err);
    if (found == 0)
        found = from_profile(search, name, 0, out, err);
    if (found == 0)
        found = credential_container(search, out, err);
    if (found == 0)
        found = from_instance(search, &tried, out, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    return fail(err, FIRN_DENIED,
                "there are no credentials for S3: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or name a profile. Tried: AWS_ACCESS_KEY_ID and "
                "AWS_WEB_IDENTITY_TOKEN_FILE are not set; profile \"%s\" has none; no "
                "AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI%s",
                name, buf_text(&tried));
}

int credentials_load(const struct credential_search *search, struct credentials *out,
                     struct firn_error **err)
{
    int result = 0;
    *out = (struct credentials){.region = NULL};
    if (search->profile == NULL) {
        result = from_chain(search, out, err);
    } else {
        int found = from_profile(search, search->profile, 0, out, err);
        result = found > 0 ? 0 : -1;
        if (found == 0)
            error_set(err, FIRN_DENIED, "there are no credentials for S3: profile \"%s\" has none",
                      search->profile);
    }
    if (result < 0)
        credentials_wipe(out);
    return result;
}
