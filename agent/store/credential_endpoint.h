/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that the platform hands out over HTTP: to a container (ECS, EKS Pod Identity), to an instance (EC2, by IMDSv2).
 *
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider", "IMDS credential provider".
 */
#ifndef STORE_CREDENTIAL_ENDPOINT_H
#define STORE_CREDENTIAL_ENDPOINT_H

struct credential_search;
struct credentials;
struct firn_error;

/* 1; 0: the environment names no such endpoint; -1: it does, and that fails. */
int credential_container(const struct credential_search *search, struct credentials *out,
                         struct firn_error **err);
/* 1; 0: switched off ($AWS_EC2_METADATA_DISABLED); -1: NOTFOUND: nothing answers, or it has no role to give. */
int credential_instance(const struct credential_search *search, struct credentials *out,
                        struct firn_error **err);
/* HTTPS, or plain HTTP to this machine or an address of the platform that never leaves the link. INVALID. */
int credential_url_check(const char *url, const char *what, struct firn_error **err);

#endif
