/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_exec.h"

#include "client.h"
#include "type.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/url.h"
#include "net/websocket.h"

#include <string.h>

#define SUBPROTOCOL  "v4.channel.k8s.io"
#define QUERY_LIMIT  (256u << 10)
#define IDLE_DEFAULT 3600000

/* The first byte of a message. */
enum channel { OUTPUT = 1, ERRORS = 2, RESULT = 3 };

static int make_query(const struct kube_pod_exec *exec, struct buf *query, struct firn_error **err)
{
    buf_printf(query, "stdout=%s&stderr=%s", exec->output == NULL ? "false" : "true",
               exec->errors == NULL ? "false" : "true");
    if (exec->container != NULL) {
        buf_puts(query, "&container=");
        url_escape(query, exec->container);
    }
    for (const char *const *word = exec->command; *word != NULL; word++) {
        buf_puts(query, "&command=");
        url_escape(query, *word);
    }
    return buf_check(query, "command", err);
}

/* The Status at the end: Success, or Failure with the exit code among its causes. */
static int take_result(const char *text, size_t length, int *code, struct firn_error **err)
{
    auto_json struct json_object *status = NULL;
    if (json_parse(text, length, "result of the command", &status, err) < 0)
        return -1;
    if (strcmp(json_string_or(status, "status", ""), "Success") == 0) {
        *code = 0;
        return 0;
    }
    struct json_object *causes = json_at(status, "details.causes");
    for (size_t i = 0;
         json_object_is_type(causes, json_type_array) && i < json_object_array_length(causes);
         i++) {
        struct json_object *cause = json_object_array_get_idx(causes, i);
        if (strcmp(json_string_or(cause, "reason", ""), "ExitCode") != 0)
            continue;
        *code = atoi(json_string_or(cause, "message", "-1"));
        return 0;
    }
    return fail(err, FIRN_INVALID, "%.2000s",
                json_string_or(status, "message", "the command could not be started"));
}

static int give(const struct kube_pod_exec *exec,
                int (*receive)(void *context, const void *data, size_t length), const char *data,
                size_t length, struct firn_error **err)
{
    if (receive == NULL || length == 0 || receive(exec->context, data, length) == 0)
        return 0;
    return fail(err, FIRN_CANCELLED, "stopped by the receiver of the output");
}

static int follow(struct websocket *socket, const struct kube_pod_exec *exec, int *code,
                  struct firn_error **err)
{
    for (;;) {
        const void *data = NULL;
        size_t length = 0;
        int more = websocket_receive(socket, &data, &length, err);
        if (more < 0)
            return -1;
        if (more == 0)
            return fail(err, FIRN_RETRY, "the connection broke before the command ended");
        if (length == 0)
            continue;
        const char *text = data;
        int result = 0;
        if (text[0] == RESULT && length > 1)
            return take_result(text + 1, length - 1, code, err);
        if (text[0] == OUTPUT)
            result = give(exec, exec->output, text + 1, length - 1, err);
        else if (text[0] == ERRORS)
            result = give(exec, exec->errors, text + 1, length - 1, err);
        if (result < 0)
            return -1;
    }
}

int kube_pod_exec(struct kube_client *client, const struct kube_pod_exec *exec, int *code,
                  struct firn_error **err)
{
    const struct kube_target target = {
        &kube_pods, exec->namespace == NULL ? kube_client_namespace(client) : exec->namespace,
        exec->pod, "exec"};
    auto_buf struct buf query = buf_new(QUERY_LIMIT);
    if (make_query(exec, &query, err) < 0)
        return -1;
    const struct kube_request request = {
        .verb = "get",
        .accept = "*/*",
        .method = "GET",
        .target = &target,
        .query = buf_text(&query),
        .stopped = exec->stopped,
        .context = exec->context,
        .idle_timeout = exec->idle_timeout == 0 ? IDLE_DEFAULT : exec->idle_timeout,
    };
    struct kube_channel *channel = NULL;
    if (kube_channel_open(client, &request, SUBPROTOCOL, &channel, err) < 0)
        return -1;
    int result = follow(kube_channel_socket(channel), exec, code, err);
    kube_channel_close(channel);
    if (result == 0)
        return 0;
    auto_free char *text = kube_target_text(&target);
    return wrap(err, "%s", text);
}
