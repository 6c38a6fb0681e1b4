/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include "http.h"
#include "url.h"

#include "core/error.h"
#include "core/mem.h"

#include <string.h>

/* libcurl copies it. */
void identity_set_pem(CURL *easy, CURLoption option, const char *pem, size_t length)
{
    struct curl_blob blob = {
        .data = (char *)(uintptr_t)pem, .len = length, .flags = CURL_BLOB_COPY};
    if (pem != NULL)
        curl_easy_setopt(easy, option, &blob);
}

/* The URL names the server as its certificate does, and the connection goes where the caller's URL said. */
static int rename_server(const char *name, const char *text, CURL *easy,
                         struct curl_slist **direction, char **host, struct firn_error **err)
{
    auto_url struct url url;
    if (url_parse(text, &url, err) < 0)
        return -1;
    const char *port = url.port == NULL ? "" : url.port;
    const char *colon = url.port == NULL ? "" : ":";
    auto_free char *target = mem_printf("::%s:%s", url.host, port);
    auto_free char *renamed =
        mem_printf("%s://%s%s%s%s%s%s", url.scheme, name, colon, port, url.path,
                   url.query == NULL ? "" : "?", url.query == NULL ? "" : url.query);
    *host = mem_printf("Host: %s%s%s", url.host, colon, port);
    *direction = curl_slist_append(NULL, target);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, *direction);
    curl_easy_setopt(easy, CURLOPT_URL, renamed);
    return 0;
}

static void set_text(CURL *easy, CURLoption option, const char *pem)
{
    identity_set_pem(easy, option, pem, pem == NULL ? 0 : strlen(pem));
}

int identity_apply(const struct http_identity *identity, const char *url, CURL *easy,
                   struct curl_slist **direction, char **host, struct firn_error **err)
{
    *host = NULL;
    set_text(easy, CURLOPT_CAINFO_BLOB, identity->trust);
    set_text(easy, CURLOPT_SSLCERT_BLOB, identity->certificate);
    set_text(easy, CURLOPT_SSLKEY_BLOB, identity->key);
    if (identity->proxy != NULL) {
        curl_easy_setopt(easy, CURLOPT_PROXY, identity->proxy);
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    }
    if (identity->unverified) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return identity->server_name == NULL
               ? 0
               : rename_server(identity->server_name, url, easy, direction, host, err);
}
