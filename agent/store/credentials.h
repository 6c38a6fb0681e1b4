/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials for S3, from where the AWS tools have them. The first of these that is there counts:
 *
 *     1. $AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_SESSION_TOKEN
 *     2. a role by web identity: $AWS_WEB_IDENTITY_TOKEN_FILE, $AWS_ROLE_ARN      sts.h
 *     3. the profile $AWS_PROFILE, or "default": a role, keys, or a program      aws_profile.h
 *     4. the container's: $AWS_CONTAINER_CREDENTIALS_…_URI                        credential_endpoint.h
 *     5. the instance's (IMDSv2)                                                  credential_endpoint.h
 *
 * A profile that the location names comes alone, before all of them.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers"; the order is that of the SDKs for Go and PHP.
 */
#ifndef STORE_CREDENTIALS_H
#define STORE_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

struct firn_error;
struct http_client;

struct credentials {
    char *access_key;
    char *secret_key;
    char *session_token; /* NULL: none */
    char *region;        /* that the profile names; NULL: none */
    int64_t expires;     /* ms since 1970, by the issuer's clock; 0: nobody says */
};

/* Where to look, and with what. All is borrowed. */
struct credential_search {
    struct http_client *http;
    const char *profile; /* the location's; NULL: none */
    const char *region;  /* of the bucket, if it is known: that of STS, too; else NULL */
    const char *ca_file; /* trusted besides the system's; NULL: none */
    int64_t skew;        /* ms that the server's clock is ahead of ours */
};

/* DENIED: there are none (the message says what was tried), or they are refused; INVALID: half of them, or settings that
 * cannot be; RETRY: who has them does not answer. */
int credentials_load(const struct credential_search *search, struct credentials *out,
                     struct firn_error **err);
bool credentials_equal(const struct credentials *a, const struct credentials *b);
void credentials_copy(struct credentials *to, const struct credentials *from);
void credentials_wipe(struct credentials *credentials);
#define auto_credentials __attribute__((cleanup(credentials_wipe)))

/* The document in which containers, instances and programs hand out credentials: JSON with AccessKeyId, SecretAccessKey,
 * Token (or SessionToken) and Expiration. INVALID. */
int credentials_parse(const char *text, uint64_t length, struct credentials *out,
                      struct firn_error **err);
/* The variable of the environment, NULL if it is empty. */
const char *credentials_variable(const char *name);

#endif
