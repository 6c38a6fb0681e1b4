/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile of the AWS tools: what the credentials file ($AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials) and the config
 * file ($AWS_CONFIG_FILE or ~/.aws/config) say under its name. The first of them to say something counts; keys come from one
 * file together.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 */
#ifndef STORE_AWS_PROFILE_H
#define STORE_AWS_PROFILE_H

#include <stdbool.h>

struct firn_error;

/* Each is NULL where the files do not have it. */
struct aws_profile {
    char *access_key;
    char *secret_key;
    char *session_token;
    char *region;
    char *role_arn; /* to assume, as whom: */
    char *source_profile;
    char *credential_source;
    char *web_identity_token_file;
    char *role_session_name;
    char *external_id;
    char *duration_seconds;
    char *mfa_serial;
    char *credential_process;
    char *sso_session;
    char *sso_start_url;
    bool found; /* a file has a section of its name */
};

/* INVALID or DENIED: a file is there and cannot be read. A profile that is in neither is no error. */
int aws_profile_read(const char *name, struct aws_profile *out, struct firn_error **err);
void aws_profile_wipe(struct aws_profile *profile);
#define auto_profile __attribute__((cleanup(aws_profile_wipe)))

#endif
