/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential helpers: the programs docker-credential-NAME that keep passwords in a system's key
 * store. Protocol: the registry's name on standard input of `docker-credential-NAME get`, JSON with
 * Username and Secret on its standard output.
 */
#ifndef IMAGESTREAM_HELPER_H
#define IMAGESTREAM_HELPER_H

struct credentials;
struct firn_error;

/* 1 and *out: it has credentials for the registry; 0: it has none; -1: it cannot be asked. Waits 30
 * seconds at most. */
int helper_get(const char *name, const char *registry, struct credentials *out,
               struct firn_error **err);

#endif
