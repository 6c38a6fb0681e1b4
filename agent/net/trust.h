/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust: certificates that a connection may be verified with, the system's and those of one file
 * more, as one PEM text. libcurl takes its CA file in place of the system's; and it compares this
 * text when it decides whether a connection or TLS session may be used again, so that what was
 * verified with more trust never serves a request with less.
 */
#ifndef NET_TRUST_H
#define NET_TRUST_H

#include <stddef.h>

struct firn_error;
struct trust; /* a cache of such texts; any thread may use it */

struct trust *trust_new(void);
void trust_free(struct trust *trust); /* NULL is fine */
/* The system's certificates and those in ca_file, as a new string. The file is read again when it
 * has changed. INVALID if there is no certificate in it. */
int trust_text(struct trust *trust, const char *ca_file, char **out, size_t *length,
               struct firn_error **err);

#endif
