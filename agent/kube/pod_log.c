/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_log.h"

#include "client.h"
#include "type.h"

#include "core/buf.h"
#include "core/error.h"
#include "net/url.h"

#define QUERY_LIMIT 4096u

int kube_pod_log(struct kube_client *client, const struct kube_pod_log *log,
                 struct firn_error **err)
{
    const struct kube_target target = {
        &kube_pods, log->namespace == NULL ? kube_client_namespace(client) : log->namespace,
        log->pod, "log"};
    auto_buf struct buf query = buf_new(QUERY_LIMIT);
    buf_printf(&query, "follow=%s", log->follow ? "true" : "false");
    if (log->previous)
        buf_puts(&query, "&previous=true");
    if (log->timestamps)
        buf_puts(&query, "&timestamps=true");
    if (log->tail > 0)
        buf_printf(&query, "&tailLines=%lld", (long long)log->tail);
    if (log->container != NULL) {
        buf_puts(&query, "&container=");
        url_escape(&query, log->container);
    }
    if (buf_check(&query, "query of a log", err) < 0)
        return -1;
    const struct kube_request request = {
        .verb = "get",
        .method = "GET",
        .target = &target,
        .query = buf_text(&query),
        .accept = "*/*",
        .receive = log->receive,
        .stopped = log->stopped,
        .context = log->context,
        .idle_timeout = log->follow ? UINT32_MAX : 0,
    };
    return kube_request(client, &request, NULL, err);
}
