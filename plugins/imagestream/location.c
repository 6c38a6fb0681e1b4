/* SPDX-License-Identifier: Apache-2.0 */
#include "location.h"

#include "reference.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/mem.h>

#include <ctype.h>
#include <curl/curl.h>
#include <string.h>

static void handle_free(CURLU **handle)
{
    curl_url_cleanup(*handle);
}
#define auto_handle __attribute__((cleanup(handle_free)))

static void text_free(char **text)
{
    curl_free(*text);
}
#define auto_text __attribute__((cleanup(text_free)))

static CURLU *parse(const char *url)
{
    auto_handle CURLU *handle = curl_url();
    if (handle == NULL || curl_url_set(handle, CURLUPART_URL, url, 0) != CURLUE_OK)
        return NULL;
    return steal(handle);
}

static char *part(CURLU *handle, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(handle, what, &text, flags) == CURLUE_OK ? text : NULL;
}

int location_resolve(const char *base, const char *reference, char **out, struct firn_error **err)
{
    auto_handle CURLU *handle = parse(base);
    if (handle == NULL || curl_url_set(handle, CURLUPART_URL, reference, 0) != CURLUE_OK)
        return fail(err, FIRN_INVALID, "%s sends an address that cannot be understood", base);
    auto_text char *url = part(handle, CURLUPART_URL, 0);
    if (url == NULL)
        return fail(err, FIRN_INVALID, "%s sends an address that cannot be understood", base);
    *out = mem_strdup(url);
    return 0;
}

/* "scheme://host:port", the port always there. */
static char *origin(const char *url)
{
    auto_handle CURLU *handle = parse(url);
    if (handle == NULL)
        return NULL;
    auto_text char *scheme = part(handle, CURLUPART_SCHEME, 0);
    auto_text char *host = part(handle, CURLUPART_HOST, 0);
    auto_text char *port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (scheme == NULL || host == NULL || port == NULL)
        return NULL;
    return mem_printf("%s://%s:%s", scheme, host, port);
}

bool location_same_origin(const char *a, const char *b)
{
    auto_free char *first = origin(a);
    auto_free char *second = origin(b);
    return first != NULL && second != NULL && strcasecmp(first, second) == 0;
}

int location_check(const char *url, bool plain_http, struct firn_error **err)
{
    auto_handle CURLU *handle = parse(url);
    auto_text char *scheme = handle == NULL ? NULL : part(handle, CURLUPART_SCHEME, 0);
    auto_text char *host = handle == NULL ? NULL : part(handle, CURLUPART_HOST, 0);
    if (scheme == NULL || host == NULL)
        return fail(err, FIRN_INVALID, "an address that cannot be understood");
    auto_text char *user = part(handle, CURLUPART_USER, 0);
    if (user != NULL)
        return fail(err, FIRN_INVALID, "an address on %s that carries a user name", host);
    if (strcmp(scheme, "https") == 0)
        return 0;
    if (strcmp(scheme, "http") == 0 && (plain_http || reference_is_loopback(host)))
        return 0;
    return fail(err, FIRN_DENIED, "%s://%s would not be protected by TLS", scheme, host);
}

char *location_host(const char *url)
{
    auto_handle CURLU *handle = parse(url);
    if (handle == NULL)
        return NULL;
    auto_text char *host = part(handle, CURLUPART_HOST, 0);
    auto_text char *port = part(handle, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    if (host == NULL)
        return NULL;
    return mem_printf("%s%s%s", host, port == NULL ? "" : ":", port == NULL ? "" : port);
}

void location_add_query(struct buf *url, const char *name, const char *value)
{
    buf_printf(url, "%c%s=", strchr(buf_text(url), '?') == NULL ? '?' : '&', name);
    for (const unsigned char *byte = (const unsigned char *)value; *byte != '\0'; byte++) {
        if (isalnum(*byte) || strchr("-._~", *byte) != NULL)
            buf_putc(url, (char)*byte);
        else
            buf_printf(url, "%%%02X", *byte);
    }
}
