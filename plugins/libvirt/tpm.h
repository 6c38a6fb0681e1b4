/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of emulated TPMs (swtpm), which libvirt keeps in a folder for each domain but gives no access to.
 */
#ifndef PLUGIN_LIBVIRT_TPM_H
#define PLUGIN_LIBVIRT_TPM_H

#include "connection.h"

#include <stdbool.h>

/* The documents of a snapshot that hold it are named by this and a path below the domain's folder. */
#define TPM_PREFIX "tpm/"

/* The folder of the domain of that UUID. The caller's. */
char *tpm_directory(const struct connection *connection, const char *uuid);

/* name: relative to the folder, for example "tpm2/tpm2-00.permall". -1: stop. */
typedef int tpm_callback(void *context, const char *name, const char *path);

/* Calls back for every state file. -1 if the folder cannot be read; *refused if a callback stopped. */
int tpm_each_file(const char *directory, tpm_callback *each, void *context, bool *refused,
                  struct firn_error **err);

/* Removes the folder and what is in it. */
void tpm_remove(const char *directory);

#endif
