/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_service.h"

#include "core/cancel.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "kube/client.h"
#include "kube/config.h"

#include <pthread.h>
#include <string.h>

struct cluster_service {
    const char *kubeconfig, *context;
    pthread_mutex_t lock;
    struct kube_client *client; /* NULL until the first request */
};

struct cluster_service *cluster_service_new(const char *kubeconfig, const char *context)
{
    struct cluster_service *service = mem_zalloc(sizeof(*service));
    service->kubeconfig = kubeconfig;
    service->context = context;
    pthread_mutex_init(&service->lock, NULL);
    return service;
}

void cluster_service_free(struct cluster_service *service)
{
    if (service == NULL)
        return;
    kube_client_free(service->client);
    pthread_mutex_destroy(&service->lock);
    free(service);
}

static struct kube_client *open_client(struct cluster_service *service, struct firn_error **err)
{
    const struct kube_options options = {.kubeconfig = service->kubeconfig,
                                         .context = service->context};
    pthread_mutex_lock(&service->lock);
    if (service->client == NULL && kube_client_open(&options, NULL, &service->client, err) < 0)
        service->client = NULL;
    struct kube_client *client = service->client;
    pthread_mutex_unlock(&service->lock);
    return client;
}

static bool stopped(void *context)
{
    (void)context;
    return cancel_requested();
}

static bool is_apply(const struct firn_kube_request *request)
{
    return request->content_type != NULL &&
           strcmp(request->content_type, "application/apply-patch+yaml") == 0;
}

int cluster_service_request(struct cluster_service *service,
                            const struct firn_kube_request *request, char **text, size_t *length,
                            struct firn_error **err)
{
    auto_json struct json_object *body = NULL;
    if (request->verb == NULL || request->method == NULL || request->path == NULL ||
        request->path[0] != '/')
        return fail(err, FIRN_INVALID, "a request to the cluster without verb, method or path");
    if (request->body != NULL &&
        json_parse(request->body, request->body_length, "the body of a request", &body, err) < 0)
        return -1;
    struct kube_client *client = open_client(service, err);
    if (client == NULL)
        return -1;
    size_t path_length = strcspn(request->path, "?");
    auto_free char *path = mem_dup(request->path, path_length);
    const struct kube_request wanted = {
        .verb = request->verb,
        .method = request->method,
        .path = path,
        .query = request->path[path_length] == '?' ? request->path + path_length + 1 : NULL,
        .content_type = request->content_type,
        .body = body,
        .repeatable = is_apply(request),
        .stopped = stopped,
        .body_limit = request->answer_limit,
    };
    return kube_request_text(client, &wanted, text, length, err);
}
