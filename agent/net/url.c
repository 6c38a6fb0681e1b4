/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

static void free_handle(CURLU **handle)
{
    curl_url_cleanup(*handle);
}
#define auto_handle __attribute__((cleanup(free_handle)))

/* Any scheme is taken: repositories have URLs, too. */
static CURLUcode set_url(CURLU *handle, const char *text)
{
    if (handle == NULL)
        return CURLUE_OUT_OF_MEMORY;
    return curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
}

/* One part as the caller's own string; NULL if the URL has none. */
static CURLUcode get_part(CURLU *handle, CURLUPart part, unsigned flags, char **out)
{
    static const CURLUcode absent[] = {CURLUE_NO_PORT, CURLUE_NO_QUERY, CURLUE_NO_USER,
                                       CURLUE_NO_PASSWORD, CURLUE_NO_FRAGMENT};
    char *text = NULL;
    CURLUcode code = curl_url_get(handle, part, &text, flags);
    for (size_t i = 0; i < array_length(absent); i++)
        if (code == absent[i])
            code = CURLUE_OK;
    *out = mem_strdup(text);
    curl_free(text);
    return code;
}

static CURLUcode get_parts(CURLU *handle, struct url *out)
{
    const struct {
        CURLUPart part;
        unsigned flags;
        char **out;
    } parts[] = {
        {CURLUPART_SCHEME, 0, &out->scheme},
        {CURLUPART_HOST, 0, &out->host},
        {CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, &out->port},
        {CURLUPART_PATH, 0, &out->path},
        {CURLUPART_QUERY, 0, &out->query},
        {CURLUPART_USER, CURLU_URLDECODE, &out->user},
        {CURLUPART_PASSWORD, CURLU_URLDECODE, &out->password},
    };
    CURLUcode code = CURLUE_OK;
    for (size_t i = 0; i < array_length(parts) && code == CURLUE_OK; i++)
        code = get_part(handle, parts[i].part, parts[i].flags, parts[i].out);
    return code;
}

/* Up to the query: what stands behind "?" may be a signature, and before "@" a password, and errors go to logs. */
static int refuse(const char *text, CURLUcode code, struct firn_error **err)
{
    const char *at = strchr(text, '@');
    const char *shown = at == NULL ? text : at + 1;
    return fail(err, FIRN_INVALID, "%.*s: %s", (int)strcspn(shown, "?#"), shown,
                curl_url_strerror(code));
}

int url_parse(const char *text, struct url *out, struct firn_error **err)
{
    *out = (struct url){0};
    auto_handle CURLU *handle = curl_url();
    CURLUcode code = set_url(handle, text);
    if (code == CURLUE_OK)
        code = get_parts(handle, out);
    if (code == CURLUE_OK)
        return 0;
    url_free(out);
    return refuse(text, code, err);
}

void url_free(struct url *url)
{
    free(url->scheme);
    free(url->host);
    free(url->port);
    free(url->path);
    free(url->query);
    free(url->user);
    free(url->password);
    *url = (struct url){0};
}

int url_resolve(const char *base, const char *reference, char **out, struct firn_error **err)
{
    auto_handle CURLU *handle = curl_url();
    CURLUcode code = set_url(handle, base);
    if (code != CURLUE_OK)
        return refuse(base, code, err);
    code =
        curl_url_set(handle, CURLUPART_URL, reference, CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME);
    auto_free char *scheme = NULL;
    if (code == CURLUE_OK)
        code = get_part(handle, CURLUPART_SCHEME, 0, &scheme);
    if (code == CURLUE_OK && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        code = CURLUE_UNSUPPORTED_SCHEME;
    if (code == CURLUE_OK)
        code = get_part(handle, CURLUPART_URL, 0, out);
    return code == CURLUE_OK ? 0 : refuse(reference, code, err);
}

/* "scheme://host:port", the port always written out; NULL if text is no URL with a known port. */
static char *origin_of(const char *text)
{
    auto_handle CURLU *handle = curl_url();
    auto_free char *scheme = NULL;
    auto_free char *host = NULL;
    auto_free char *port = NULL;
    if (set_url(handle, text) != CURLUE_OK ||
        get_part(handle, CURLUPART_SCHEME, 0, &scheme) != CURLUE_OK ||
        get_part(handle, CURLUPART_HOST, 0, &host) != CURLUE_OK ||
        get_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) != CURLUE_OK || port == NULL)
        return NULL;
    return mem_printf("%s://%s:%s", scheme, host, port);
}

int url_same_origin(const char *a, const char *b)
{
    auto_free char *first = origin_of(a);
    auto_free char *second = origin_of(b);
    return first != NULL && second != NULL && strcasecmp(first, second) == 0;
}

void url_escape(struct buf *buf, const char *text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL)
            buf_putc(buf, *text);
        else
            buf_printf(buf, "%%%02X", (unsigned)(unsigned char)*text);
    }
}
