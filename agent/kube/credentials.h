/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: what a kube_config comes to on the wire, kept fresh. Files (token, certificates, CA)
 * are looked at before every use, so that what was rotated is used at once; an exec plugin runs
 * again when its credential has expired, or was not accepted. Any thread.
 */
#ifndef KUBE_CREDENTIALS_H
#define KUBE_CREDENTIALS_H

#include "net/http.h"

struct firn_error;
struct kube_config;
struct kube_credentials;

/* One state of them, shared by whoever uses it. */
struct kube_identity {
    struct http_identity wire;
    char *authorization; /* value of the header, or NULL */
};

/* The config must outlive it. */
struct kube_credentials *kube_credentials_new(const struct kube_config *config);
void kube_credentials_free(struct kube_credentials *credentials); /* NULL is fine */
/* The current state; give it back with kube_identity_put(). */
int kube_credentials_get(struct kube_credentials *credentials, const struct kube_identity **out,
                         struct firn_error **err);
void kube_identity_put(const struct kube_identity *identity); /* NULL is fine */
/* The server did not accept this state: what can be had anew, is. Returns whether there is anything
 * else to try. */
bool kube_credentials_reject(struct kube_credentials *credentials,
                             const struct kube_identity *identity);

#endif
