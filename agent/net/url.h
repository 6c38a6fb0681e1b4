/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs by libcurl's parser (RFC 3986): taken apart, put together, percent-encoded, resolved.
 */
#ifndef NET_URL_H
#define NET_URL_H

struct firn_error;
struct buf;

struct url {
    char *scheme; /* lower case */
    char *host;   /* IPv6 in brackets */
    char *port;   /* NULL: the scheme's own */
    char *path;   /* "/" at least, still encoded */
    char *query;  /* NULL: none; still encoded */
    char *user;   /* decoded; NULL: none */
    char *password;
};
#define auto_url __attribute__((cleanup(url_free)))

int url_parse(const char *text, struct url *out, struct firn_error **err);
void url_free(struct url *url);
/* Resolves a Location against the URL that it came from: a new string. */
int url_resolve(const char *base, const char *reference, char **out, struct firn_error **err);
/* Same scheme, host and port: credentials for the one may go to the other. Returns 1 or 0; 0 if either cannot be parsed. */
int url_same_origin(const char *a, const char *b);
/* Appends text percent-encoded as one path segment or query value (only unreserved characters stay). */
void url_escape(struct buf *buf, const char *text);

#endif
