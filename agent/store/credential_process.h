/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that a program prints, as the setting credential_process of a profile names it.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
 */
#ifndef STORE_CREDENTIAL_PROCESS_H
#define STORE_CREDENTIAL_PROCESS_H

struct credentials;
struct firn_error;

/* Runs the command by the shell, for a minute at most. DENIED: it fails; INVALID: what it prints is not the document;
 * CANCELLED. */
int credential_process(const char *command, struct credentials *out, struct firn_error **err);

#endif
