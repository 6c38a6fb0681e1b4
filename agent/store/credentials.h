/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials for S3, from where the AWS tools have them:
 *
 *     1. without a profile: $AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_SESSION_TOKEN
 *     2. the profile (as asked for, $AWS_PROFILE, "default") in $AWS_SHARED_CREDENTIALS_FILE or
 *        ~/.aws/credentials, then in $AWS_CONFIG_FILE or ~/.aws/config
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 */
#ifndef STORE_CREDENTIALS_H
#define STORE_CREDENTIALS_H

#include <stdbool.h>

struct firn_error;

struct credentials {
    char *access_key;
    char *secret_key;
    char *session_token; /* NULL: none */
    char *region;        /* that the profile names; NULL: none */
};

/* profile: NULL for none asked for. DENIED: there are none; INVALID: half of them, or an unreadable file. */
int credentials_load(const char *profile, struct credentials *out, struct firn_error **err);
bool credentials_equal(const struct credentials *a, const struct credentials *b);
void credentials_copy(struct credentials *to, const struct credentials *from);
void credentials_wipe(struct credentials *credentials);

#endif
