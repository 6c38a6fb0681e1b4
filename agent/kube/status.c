/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "type.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

#include <stdio.h>

#define MESSAGE_LIMIT 2000
#define RETRY_MOST    86400

/* One line: what stands in a proxy's page or in a webhook's answer may be anything. */
static char *one_line(const char *text, size_t length)
{
    char *line = mem_dup(text, length < MESSAGE_LIMIT ? length : MESSAGE_LIMIT);
    size_t end = 0;
    for (const char *at = line; *at != '\0'; at++) {
        bool blank = (unsigned char)*at <= ' ' || *at == 0x7f;
        if (!blank)
            line[end++] = *at;
        else if (end > 0 && line[end - 1] != ' ')
            line[end++] = ' ';
    }
    while (end > 0 && line[end - 1] == ' ')
        end--;
    line[end] = '\0';
    return line;
}

void kube_status_take(struct json_object *status, struct kube_status *out)
{
    const char *message = json_string_or(status, "message", "");
    int64_t code = json_int_or(status, "code", 0);
    int64_t seconds = json_int_or(status, "details.retryAfterSeconds", 0);
    *out = (struct kube_status){
        .code = code >= 100 && code <= 999 ? (int)code : 0,
        .message = one_line(message, strlen(message)),
        .retry_ms = seconds > 0 && seconds <= RETRY_MOST ? seconds * 1000 : 0,
    };
    snprintf(out->reason, sizeof(out->reason), "%s", json_string_or(status, "reason", ""));
}

void kube_status_read(int http_status, const char *body, size_t length, struct kube_status *out)
{
    auto_json struct json_object *value = NULL;
    if (json_parse(body, length, "status", &value, NULL) == 0 &&
        strcmp(json_string_or(value, "kind", ""), "Status") == 0) {
        kube_status_take(value, out);
        out->code = http_status;
        return;
    }
    *out = (struct kube_status){.code = http_status, .message = one_line(body, length)};
}

void kube_status_free(struct kube_status *status)
{
    free(steal(status->message));
}

enum firn_code kube_status_code(const struct kube_status *status)
{
    switch (status->code) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
        return FIRN_INVALID;
    case 401:
    case 403:
        return FIRN_DENIED;
    case 404:
        return FIRN_NOTFOUND;
    case 409:
        return FIRN_CONFLICT;
    case 408:
    case 410:
    case 429:
        return FIRN_RETRY;
    default:
        return status->code >= 500 ? FIRN_RETRY : FIRN_INTERNAL;
    }
}

/* What the user can do. A 403 also comes from quotas and admission, whose messages do not say "cannot". */
static char *advice(const struct kube_status *status, const char *verb,
                    const struct kube_target *target)
{
    if (status->code == 401)
        return mem_strdup(" (the credentials are not accepted: expired, revoked, or of another "
                          "cluster)");
    if (status->code != 403 || target == NULL || strstr(status->message, "cannot ") == NULL)
        return mem_strdup("");
    const struct kube_type *type = target->type;
    bool spread = type->cluster || target->namespace == NULL;
    return mem_printf(
        " (a %s with the verb \"%s\" for \"%s%s%s\" in the API group \"%s\"%s%s would "
        "allow it)",
        spread ? "ClusterRole" : "Role", verb, type->resource,
        target->subresource == NULL ? "" : "/",
        target->subresource == NULL ? "" : target->subresource, type->group,
        spread ? "" : ", in the namespace ", spread ? "" : target->namespace);
}

int kube_status_fail(const struct kube_status *status, const char *verb,
                     const struct kube_target *target, const char *what, struct firn_error **err)
{
    auto_free char *shown = target == NULL ? mem_strdup(what) : kube_target_text(target);
    auto_free char *hint = advice(status, verb, target);
    const char *reason = *status->reason == '\0' ? "no reason given" : status->reason;
    const char *message = *status->message == '\0' ? reason : status->message;
    return fail(err, kube_status_code(status), "%s %s: %s (HTTP %d)%s", verb, shown, message,
                status->code, hint);
}
