/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locations: URLs that a registry sends (redirects, upload sessions, next pages, token services).
 * They are read by libcurl's parser, the one that will also connect, so that nobody can make the
 * two disagree about the host.
 */
#ifndef IMAGESTREAM_LOCATION_H
#define IMAGESTREAM_LOCATION_H

#include <stdbool.h>

struct firn_error;
struct buf;

/* Resolves a reference against the URL that it came from: a new string. -1 with INVALID. */
int location_resolve(const char *base, const char *reference, char **out, struct firn_error **err);
/* Same scheme, host and port: what is secret to the one may go to the other. false if either is no
 * URL. */
bool location_same_origin(const char *a, const char *b);
/* -1 with DENIED unless the URL is https, or http to a loopback address, or http and plain_http;
 * and with INVALID if it carries a user or is no URL. */
int location_check(const char *url, bool plain_http, struct firn_error **err);
/* "host:port" of a URL, the port left out if the scheme implies it; NULL if it is no URL. */
char *location_host(const char *url);
/* Adds name=value to the URL's query, escaped. */
void location_add_query(struct buf *url, const char *name, const char *value);

#endif
