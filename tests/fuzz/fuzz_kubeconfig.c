/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubeconfig files, split at a line of "%" into several that are merged, and what exec plugins answer. Whatever is taken has a
 * server and a namespace, and a client certificate only together with its key.
 */
#include "core/error.h"
#include "core/mem.h"
#include "kube/config.h"
#include "kube/exec.h"
#include "kube/kubeconfig.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resolve(const struct kubeconfig *files, const char *context)
{
    const struct kube_options options = {.context = context};
    auto_kube_config struct kube_config *config = NULL;
    if (kubeconfig_resolve(files, &options, &config, NULL) < 0)
        return;
    bool certificate = config->certificate != NULL || config->certificate_file != NULL;
    bool key = config->key != NULL || config->key_file != NULL;
    if (config->server == NULL || config->namespace == NULL || config->source == NULL ||
        certificate != key)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kubeconfig *files = kubeconfig_new();
    struct exec_credential credential = {0};
    const char *rest = (const char *)data;
    const char *version = "client.authentication.k8s.io/v1";
    size_t left = size;
    while (left > 0) {
        const char *end = memmem(rest, left, "\n%\n", 3);
        size_t length = end == NULL ? left : (size_t)(end - rest);
        kubeconfig_add(files, rest, length, "file", "/folder", NULL);
        length += end == NULL ? 0 : 3;
        rest += length;
        left -= length;
    }
    resolve(files, NULL);
    resolve(files, "c");
    kubeconfig_free(files);
    if (exec_credential_parse((const char *)data, size, version, &credential, NULL) == 0 &&
        credential.token == NULL && credential.certificate == NULL)
        abort();
    exec_credential_free(&credential);
    return 0;
}
