/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of a cluster's API: one request, with credentials, rate limit, retries and typed
 * errors. What the verbs do stands in object.h, list.h, watch.h. Any thread; connections are pooled.
 *
 *     struct kube_client *client = NULL;
 *     auto_json struct json_object *job = NULL;
 *     const struct kube_target target = {&kube_jobs, "backup", "run-1", NULL};
 *     if (kube_client_open(&options, NULL, &client, err) < 0 || kube_get(client, &target, &job, err) < 0)
 *         return -1;
 *
 * Repeated by itself, three times at most, with pauses that grow, never shorter than Retry-After:
 * what was answered 429; 5xx with a Retry-After; and reads, and what its caller calls repeatable, after any other 5xx or a
 * broken connection. After 401 the credentials are renewed, if they can be, and the request is made once more.
 */
#ifndef KUBE_CLIENT_H
#define KUBE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct json_object;
struct kube_client;
struct kube_config;
struct kube_options;
struct kube_target;

struct kube_limits {
    double per_second;     /* requests in the long run; 0: 20 */
    unsigned burst;        /* at once; 0: 40 */
    uint32_t idle_timeout; /* ms without a byte; 0: 60,000 */
};

/* Loads the configuration (config.h). limits NULL: the defaults. */
int kube_client_open(const struct kube_options *options, const struct kube_limits *limits,
                     struct kube_client **out, struct firn_error **err);
struct kube_client *kube_client_new_take(struct kube_config *config,
                                         const struct kube_limits *limits);
void kube_client_free(struct kube_client *client); /* no request may be running; NULL is fine */
#define auto_kube_client __attribute__((cleanup(kube_client_free_pointer)))
void kube_client_free_pointer(struct kube_client **client);

const struct kube_config *kube_client_config(const struct kube_client *client);
/* The namespace to use where none is named. Borrowed. */
const char *kube_client_namespace(const struct kube_client *client);
/* Requests sent so far, tries included. */
uint64_t kube_client_requests(const struct kube_client *client);

/* One request. What is not set is NULL or 0. */
struct kube_request {
    const char *verb; /* RBAC's, for messages: get, list, watch, create, update, patch, delete … */
    const char *method; /* HTTP's */
    const struct kube_target *target;
    const char *path;  /* in place of target: "/version" */
    const char *query; /* without "?", escaped */
    const char *accept;
    const char *content_type; /* of body; NULL: application/json */
    struct json_object *body;
    bool repeatable; /* doing it twice does what once does */
    /* Receives the body of a 2xx answer as it arrives; 0, or -1 to stop (CANCELLED). Nothing is repeated after that. */
    int (*receive)(void *context, const void *data, size_t length);
    bool (*stopped)(
        void *context); /* looked at several times a second; true ends it with CANCELLED */
    void *context;
    uint64_t body_limit;   /* most bytes of answer; 0: 64 MiB */
    uint32_t idle_timeout; /* 0: the client's */
};

/* *out: the answer, the caller's; NULL pointer: it is not wanted. Errors as in status.h, and RETRY
 * (no answer), DENIED (server not trusted, or credentials not to be had), CORRUPT. */
int kube_request(struct kube_client *client, const struct kube_request *request,
                 struct json_object **out, struct firn_error **err);
/* The same, the answer's body as it is. */
int kube_request_text(struct kube_client *client, const struct kube_request *request, char **out,
                      size_t *length, struct firn_error **err);
/* The same; *status: HTTP's status of the answer, whatever it was; 0 if none came. */
int kube_request_status(struct kube_client *client, const struct kube_request *request,
                        struct json_object **out, int *status, struct firn_error **err);

/* ---- WebSocket, for the subresources that speak it (pod_exec.h) */

struct kube_channel;
struct websocket;

/* request: verb, target, query, stopped, context and idle_timeout count. Tried once; after 401 once more. */
int kube_channel_open(struct kube_client *client, const struct kube_request *request,
                      const char *subprotocol, struct kube_channel **out, struct firn_error **err);
struct websocket *kube_channel_socket(struct kube_channel *channel); /* borrowed */
void kube_channel_close(struct kube_channel *channel);               /* NULL is fine */

#endif
