/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the API server says when it refuses: a Status object, or the bare HTTP status of whatever stands
 * before it, as an error whose code tells the caller's next move.
 *
 *     400 405 406 413 415 422   INVALID    change the request
 *     401 403                   DENIED     get credentials or rights: the message names verb, resource, namespace
 *     404                       NOTFOUND
 *     409                       CONFLICT   it exists already, or was changed meanwhile
 *     408 410 429 5xx           RETRY      later; a list or a watch begins anew after 410
 *
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
#ifndef KUBE_STATUS_H
#define KUBE_STATUS_H

#include <firn/error.h>

#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct json_object;
struct kube_target;

struct kube_status {
    int code; /* HTTP's */
    char
        reason[64]; /* "NotFound", "AlreadyExists", "Conflict", "Expired" …; "" if none was given */
    char *message;    /* never NULL */
    int64_t retry_ms; /* asked to wait; 0: not */
};

/* The Status in a body, or what can be made of a body that is none. */
void kube_status_read(int http_status, const char *body, size_t length, struct kube_status *out);
/* The same of an object that was parsed already, such as that of a watch event of type ERROR. */
void kube_status_take(struct json_object *status, struct kube_status *out);
void kube_status_free(struct kube_status *status);
enum firn_code kube_status_code(const struct kube_status *status);
/* -1 with the error that it is; `verb` is RBAC's. target NULL: `what` says it all. */
int kube_status_fail(const struct kube_status *status, const char *verb,
                     const struct kube_target *target, const char *what, struct firn_error **err);

#endif
