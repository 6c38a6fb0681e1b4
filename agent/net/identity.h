/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An identity (http.h) as options of a libcurl handle.
 */
#ifndef NET_IDENTITY_H
#define NET_IDENTITY_H

#include <curl/curl.h>

struct firn_error;
struct http_identity;

/* Sets the handle's URL, too, where the server goes by another name; then *host is the Host header that belongs to the URL given (a
 * new string), else NULL. *direction: to be freed when the handle is done. */
int identity_apply(const struct http_identity *identity, const char *url, CURL *easy,
                   struct curl_slist **direction, char **host, struct firn_error **err);
/* PEM text as an option that takes a blob; NULL: not set. */
void identity_set_pem(CURL *easy, CURLoption option, const char *pem, size_t length);

#endif
