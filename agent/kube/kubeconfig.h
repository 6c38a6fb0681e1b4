/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubeconfig files (v1, kind Config): read, merged, and resolved to one context's cluster and user.
 * The entries are kept as JSON, each with the folder that its relative paths start from.
 * Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
#ifndef KUBE_KUBECONFIG_H
#define KUBE_KUBECONFIG_H

#include <stddef.h>

struct firn_error;
struct kube_config;
struct kube_options;
struct kubeconfig; /* what one or more files say together */

struct kubeconfig *kubeconfig_new(void);
void kubeconfig_free(struct kubeconfig *files); /* NULL is fine */
/* Adds a file's text: YAML or JSON. What is there already counts before what is added. `name` is for messages. */
int kubeconfig_add(struct kubeconfig *files, const char *text, size_t length, const char *name,
                   const char *folder, struct firn_error **err);
/* The same with a file. NOTFOUND if there is none. */
int kubeconfig_add_file(struct kubeconfig *files, const char *path, struct firn_error **err);
/* The context that options name, or else the current one. */
int kubeconfig_resolve(const struct kubeconfig *files, const struct kube_options *options,
                       struct kube_config **out, struct firn_error **err);

#endif
