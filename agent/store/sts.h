/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STS, which gives temporary credentials for a role. Amazon's of the region, or $AWS_ENDPOINT_URL_STS, $AWS_ENDPOINT_URL
 * (Ceph's gateway is its own).
 *
 * Source: AWS Security Token Service API Reference, version 2011-06-15.
 */
#ifndef STORE_STS_H
#define STORE_STS_H

struct credential_search;
struct credentials;
struct firn_error;

struct sts_role {
    const char *arn;
    const char *session;     /* its name; NULL: one is made up */
    const char *external_id; /* NULL: none */
    const char *duration;    /* in seconds; NULL: as long as the server likes */
    const char *region;      /* of the profile; NULL: that of the search */
};

/* AssumeRole, as `own`. DENIED: refused; RETRY: no answer; INVALID: the settings cannot be. */
int sts_assume(const struct credential_search *search, const struct sts_role *role,
               const struct credentials *own, struct credentials *out, struct firn_error **err);
/* AssumeRoleWithWebIdentity, with the token that is in the file now. */
int sts_assume_with_token(const struct credential_search *search, const struct sts_role *role,
                          const char *token_file, struct credentials *out, struct firn_error **err);

#endif
