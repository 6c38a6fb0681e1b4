/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"

#include "location.h"

#include <core/file.h>
#include <core/mem.h>

#include <dirent.h>
#include <string.h>
#include <unistd.h>

void certificates_free(struct certificates *certificates)
{
    free(certificates->ca_file);
    free(certificates->client_cert);
    free(certificates->client_key);
    *certificates = (struct certificates){0};
}

/* The first file of that suffix by name, or NULL. */
static char *first_with_suffix(const char *folder, const char *suffix)
{
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return NULL;
    auto_free char *best = NULL;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        size_t length = strlen(entry->d_name);
        size_t tail = strlen(suffix);
        if (length <= tail || strcmp(entry->d_name + length - tail, suffix) != 0)
            continue;
        if (best != NULL && strcmp(entry->d_name, best) >= 0)
            continue;
        free(best);
        best = mem_strdup(entry->d_name);
    }
    closedir(directory);
    return best == NULL ? NULL : file_join(folder, best);
}

static void look_into(const char *base, const char *host, struct certificates *out)
{
    auto_free char *folder = file_join(base, host);
    if (out->ca_file == NULL)
        out->ca_file = first_with_suffix(folder, ".crt");
    if (out->client_cert != NULL)
        return;
    auto_free char *cert = first_with_suffix(folder, ".cert");
    if (cert == NULL)
        return;
    auto_free char *key = mem_printf("%.*s.key", (int)(strlen(cert) - strlen(".cert")), cert);
    if (access(key, R_OK) != 0)
        return;
    out->client_cert = steal(cert);
    out->client_key = steal(key);
}

static char *user_folder(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    if (config != NULL && config[0] == '/')
        return file_join(config, "containers/certs.d");
    const char *home = getenv("HOME");
    return home == NULL ? NULL : file_join(home, ".config/containers/certs.d");
}

void certificates_find(const char *url, const char *ca_file, struct certificates *out)
{
    *out = (struct certificates){.ca_file = mem_strdup(ca_file)};
    auto_free char *host = location_host(url);
    if (host == NULL)
        return;
    auto_free char *own = user_folder();
    if (own != NULL)
        look_into(own, host, out);
    look_into("/etc/containers/certs.d", host, out);
    look_into("/etc/docker/certs.d", host, out);
}
