/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include "core/file.h"
#include "core/mem.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

/* A session daemon keeps it with the user's configuration, the system's daemon in one place. */
static char *base_directory(const struct connection *connection)
{
    const char *given = connection->host->param(connection->host, "tpm-directory");
    if (given != NULL && *given != '\0')
        return mem_strdup(given);
    if (strstr(connection->uri, "/session") == NULL)
        return mem_strdup("/var/lib/libvirt/swtpm");
    const char *configuration = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (configuration != NULL && *configuration != '\0')
        return mem_printf("%s/libvirt/qemu/swtpm", configuration);
    return mem_printf("%s/.config/libvirt/qemu/swtpm", home == NULL ? "" : home);
}

char *tpm_directory(const struct connection *connection, const char *uuid)
{
    auto_free char *base = base_directory(connection);
    return file_join(base, uuid);
}

/* The files of one folder ("tpm2") of the domain's. */
static void each_in(const char *directory, const char *folder, tpm_callback *each, void *context,
                    bool *refused)
{
    auto_free char *path = file_join(directory, folder);
    DIR *stream = opendir(path);
    if (stream == NULL)
        return;
    for (struct dirent *entry; !*refused && (entry = readdir(stream)) != NULL;) {
        /* swtpm locks a file named .lock while it runs. */
        if (entry->d_name[0] == '.' || entry->d_type != DT_REG)
            continue;
        auto_free char *name = file_join(folder, entry->d_name);
        auto_free char *file = file_join(directory, name);
        *refused = each(context, name, file) < 0;
    }
    closedir(stream);
}

int tpm_each_file(const char *directory, tpm_callback *each, void *context, bool *refused,
                  struct firn_error **err)
{
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return fail_errno(err, "open %s", directory);
    for (struct dirent *entry; !*refused && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR)
            each_in(directory, entry->d_name, each, context, refused);
    }
    closedir(stream);
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void tpm_remove(const char *directory)
{
    nftw(directory, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}
