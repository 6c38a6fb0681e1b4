/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec credential plugins: a program that prints an ExecCredential (client.authentication.k8s.io/v1
 * or v1beta1) with a token or a client certificate, and until when it is good.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
#ifndef KUBE_EXEC_H
#define KUBE_EXEC_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;
struct json_object;
struct kube_config;

struct exec_credential {
    char *token; /* NULL: none; secrets are wiped by exec_credential_free() */
    char *certificate;
    char *key;
    int64_t expires; /* ms since 1970; 0: it does not say */
};

/* Runs the plugin of config->exec. INVALID what is wrong with its configuration or its answer;
 * DENIED if it fails; RETRY if it does not end within a minute (of a plugin that may ask the user: no limit). */
int exec_credential_get(const struct kube_config *config, struct exec_credential *out,
                        struct firn_error **err);
/* What a plugin printed; `version` is the apiVersion that it was asked for. */
int exec_credential_parse(const char *text, size_t length, const char *version,
                          struct exec_credential *out, struct firn_error **err);
void exec_credential_free(struct exec_credential *credential);

#endif
