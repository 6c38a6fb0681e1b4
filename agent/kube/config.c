/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "incluster.h"
#include "kubeconfig.h"

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

static void wipe(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void kube_config_free(struct kube_config *config)
{
    if (config == NULL)
        return;
    char *const plain[] = {config->source,      config->server,           config->namespace,
                           config->ca,          config->ca_file,          config->server_name,
                           config->certificate, config->certificate_file, config->key_file,
                           config->token_file,  config->username,         config->impersonate,
                           config->exec_folder};
    char *const secret[] = {config->key, config->token, config->password, config->proxy};
    for (size_t i = 0; i < array_length(plain); i++)
        free(plain[i]);
    for (size_t i = 0; i < array_length(secret); i++)
        wipe(secret[i]);
    json_free(&config->impersonate_groups);
    json_free(&config->exec);
    json_free(&config->exec_config);
    free(config);
}

void kube_config_free_pointer(struct kube_config **config)
{
    kube_config_free(steal(*config));
}

static void free_files(struct kubeconfig **files)
{
    kubeconfig_free(*files);
}
#define auto_files __attribute__((cleanup(free_files)))

/* Each file of the list once; those that are missing are passed over, as kubectl does. */
static int add_list(struct kubeconfig *files, const char *list, struct firn_error **err)
{
    auto_free char *copy = mem_strdup(list);
    char *rest = copy;
    for (char *path = strsep(&rest, ":"); path != NULL; path = strsep(&rest, ":"))
        if (*path != '\0' && access(path, F_OK) == 0 && kubeconfig_add_file(files, path, err) < 0)
            return -1;
    return 0;
}

static char *home_file(void)
{
    const char *home = getenv("HOME");
    return home == NULL || *home == '\0' ? NULL : file_join(home, ".kube/config");
}

static int load_pod(const struct kube_options *options, struct kube_config **out,
                    struct firn_error **err)
{
    if (incluster_load(INCLUSTER_FOLDER, out, err) < 0)
        return -1;
    if (options->namespace != NULL) {
        free((*out)->namespace);
        (*out)->namespace = mem_strdup(options->namespace);
    }
    return 0;
}

static int find(const struct kube_options *options, struct kube_config **out,
                struct firn_error **err)
{
    auto_files struct kubeconfig *files = kubeconfig_new();
    const char *list = getenv("KUBECONFIG");
    auto_free char *home = home_file();
    if (options->kubeconfig != NULL) {
        if (kubeconfig_add_file(files, options->kubeconfig, err) < 0)
            return -1;
    } else if (list != NULL && *list != '\0') {
        if (add_list(files, list, err) < 0)
            return -1;
    } else if (home != NULL && access(home, F_OK) == 0) {
        if (kubeconfig_add_file(files, home, err) < 0)
            return -1;
    } else if (incluster_present(INCLUSTER_FOLDER)) {
        return load_pod(options, out, err);
    } else {
        return fail(err, FIRN_NOTFOUND,
                    "no cluster is known: there is no --kubeconfig, no $KUBECONFIG, no "
                    "~/.kube/config, and this is no pod with a ServiceAccount's token");
    }
    return kubeconfig_resolve(files, options, out, err);
}

int kube_config_load(const struct kube_options *options, struct kube_config **out,
                     struct firn_error **err)
{
    static const struct kube_options none;
    if (find(options == NULL ? &none : options, out, err) < 0)
        return -1;
    if ((*out)->unverified)
        log_warning("%s: insecure-skip-tls-verify is set: WHOEVER ANSWERS AT %s IS TRUSTED, and "
                    "gets the credentials",
                    (*out)->source, (*out)->server);
    return 0;
}

int kube_config_parse(const char *text, const char *folder, const struct kube_options *options,
                      struct kube_config **out, struct firn_error **err)
{
    static const struct kube_options none;
    auto_files struct kubeconfig *files = kubeconfig_new();
    if (kubeconfig_add(files, text, strlen(text), "kubeconfig", folder, err) < 0)
        return -1;
    return kubeconfig_resolve(files, options == NULL ? &none : options, out, err);
}
