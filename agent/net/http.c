/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include "backoff.h"
#include "lane.h"
#include "transfer.h"
#include "trust.h"

#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define PAUSE_ON_ASK 300000 /* a server that asks for more has given its answer */

struct http_client {
    char *user_agent;
    struct lanes *lanes;
    struct trust *trust;
};

/* OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that hangs up must not end the process. */
static void initialise(void)
{
    struct sigaction action;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

struct http_client *http_client_new(const char *user_agent)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise);
    struct http_client *client = mem_zalloc(sizeof(*client));
    client->user_agent = mem_strdup(user_agent);
    client->lanes = lanes_new();
    client->trust = trust_new();
    return client;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    lanes_free(client->lanes);
    trust_free(client->trust);
    free(client->user_agent);
    free(client);
}

const char *http_header(const struct firn_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

/* "scheme://host:port" of a URL: where its path begins. */
static size_t origin_length(const char *url)
{
    const char *host = strstr(url, "://");
    size_t scheme = host == NULL ? 0 : (size_t)(host + 3 - url);
    return scheme + strcspn(url + scheme, "/?#");
}

/* The URL as messages may show it: a query may hold a signature, the part before '@' a password. */
static char *shown_url(const char *url)
{
    size_t origin = origin_length(url);
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    const char *at = memrchr(url, '@', origin);
    const char *rest = at != NULL && at >= host ? at + 1 : host;
    return mem_printf("%.*s%.*s", (int)(host - url), url, (int)strcspn(rest, "?#"), rest);
}

/* Connections that differ in any of this cannot serve for one another. */
static char *lane_key(const struct transfer *transfer)
{
    const struct firn_http_request *request = transfer->request;
    const struct http_terms *terms = transfer->terms;
    uint64_t serial = terms == NULL || terms->identity == NULL ? 0 : terms->identity->serial;
    return mem_printf("%.*s %s %s %llu", (int)origin_length(request->url), request->url,
                      request->ca_file == NULL ? "" : request->ca_file,
                      request->client_cert == NULL ? "" : request->client_cert,
                      (unsigned long long)serial);
}

static int try_once(struct http_client *client, struct transfer *transfer, struct firn_error **err)
{
    auto_free char *key = lane_key(transfer);
    struct lane *lane = NULL;
    if (lanes_borrow(client->lanes, key, &lane, err) < 0)
        return -1;
    int result = transfer_run(transfer, lane, err);
    lanes_return(client->lanes, lane);
    return result;
}

static bool may_repeat(const struct transfer *transfer, uint32_t attempt)
{
    return transfer->transient && !transfer->consumed && attempt < transfer->request->retries &&
           transfer->request->read_body == NULL && transfer->retry_after <= PAUSE_ON_ASK;
}

static int exchange(struct http_client *client, struct transfer *transfer, const char *shown,
                    struct firn_error **err)
{
    for (uint32_t attempt = 0;; attempt++) {
        auto_error struct firn_error *failure = NULL;
        int result = try_once(client, transfer, &failure);
        if (!may_repeat(transfer, attempt)) {
            if (err != NULL)
                *err = steal(failure);
            return result;
        }
        int64_t pause = backoff_pause(attempt, transfer->retry_after);
        if (transfer->response != NULL)
            log_debug("%s: answered %d, again in %lld ms", shown, transfer->response->status,
                      (long long)pause);
        else
            log_debug("%s: %s, again in %lld ms", shown, error_message(failure), (long long)pause);
        http_response_free(steal(transfer->response));
        if (backoff_wait(pause, transfer->terms, err) < 0)
            return -1;
    }
}

int http_exchange(struct http_client *client, const struct firn_http_request *request,
                  struct firn_http_response **out, struct firn_error **err)
{
    return http_exchange_on(client, request, NULL, out, err);
}

int http_exchange_on(struct http_client *client, const struct firn_http_request *request,
                     const struct http_terms *terms, struct firn_http_response **out,
                     struct firn_error **err)
{
    struct transfer transfer = {
        .request = request, .terms = terms, .user_agent = client->user_agent};
    auto_free char *shown = shown_url(request->url);
    auto_free char *trust = NULL;
    int result = 0;
    *out = NULL;
    if (request->ca_file != NULL)
        result = trust_text(client->trust, request->ca_file, &trust, &transfer.trust_length, err);
    transfer.trust = trust;
    if (result == 0)
        result = exchange(client, &transfer, shown, err);
    if (result < 0)
        return wrap(err, "%s %s", request->method, shown);
    *out = transfer.response;
    return 0;
}
