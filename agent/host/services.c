/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three reasons are kept apart, because a plugin may survive some failures and try another way:
 *
 *     broken     a call into the repository failed: nothing can save the operation, whatever follows
 *     said       what the plugin said with fail(); what it says after that is context, put before it
 *     refused    the last answer "no" of the host (no such parent volume, HTTP …): the reason only if nobody said another
 */
#include "services.h"

#include "cluster_service.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/http.h"
#include "plugin.h"
#include "progress.h"
#include "settings.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_LONGEST  1024u
#define CONTEXTS_MOST 3u

struct services {
    struct firn_host host;
    struct services_options options;
    void *handle;
    pthread_mutex_t lock; /* what follows */
    struct firn_error *reason;
    struct firn_error *refused;
    unsigned contexts;
    bool broken;
    struct http_client *http;
    struct cluster_service *cluster;
};

static struct services *of(const struct firn_host *host)
{
    return host->context;
}

char *services_clean_text(const char *text)
{
    if (text == NULL)
        return NULL;
    char *clean = mem_dup(text, strnlen(text, TEXT_LONGEST));
    for (char *at = clean; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    return clean;
}

/* Longer texts are cut. */
__attribute__((format(printf, 1, 0))) static char *format_text(const char *format,
                                                               va_list arguments)
{
    char text[TEXT_LONGEST + 1];
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    return services_clean_text(text);
}

/* ------------------------------------------------------------------------------------------------ reasons */

__attribute__((format(printf, 3, 4))) static void host_fail(const struct firn_host *host,
                                                            enum firn_code code, const char *format,
                                                            ...)
{
    struct services *services = of(host);
    va_list arguments;
    va_start(arguments, format);
    auto_free char *text = format_text(format, arguments);
    va_end(arguments);
    if (code < FIRN_NOTFOUND || code > FIRN_INTERNAL)
        code = FIRN_INTERNAL;
    pthread_mutex_lock(&services->lock);
    bool told_to_stop = services->broken && code == FIRN_CANCELLED;
    if (services->reason == NULL)
        error_set(&services->reason, code, "%s", text);
    else if (!told_to_stop && services->contexts++ < CONTEXTS_MOST)
        error_wrap(&services->reason, "%s", text);
    pthread_mutex_unlock(&services->lock);
}

int services_broken_take(struct services *services, struct firn_error *error)
{
    pthread_mutex_lock(&services->lock);
    if (!services->broken) {
        error_clear(&services->reason);
        services->reason = steal(error);
        services->broken = true;
    }
    pthread_mutex_unlock(&services->lock);
    error_clear(&error);
    return -1;
}

int services_refused_take(struct services *services, struct firn_error *error)
{
    pthread_mutex_lock(&services->lock);
    error_clear(&services->refused);
    services->refused = error;
    pthread_mutex_unlock(&services->lock);
    return -1;
}

bool services_is_broken(struct services *services)
{
    pthread_mutex_lock(&services->lock);
    bool broken = services->broken;
    pthread_mutex_unlock(&services->lock);
    return broken;
}

static void forget_reasons(struct services *services)
{
    error_clear(&services->reason);
    error_clear(&services->refused);
    services->contexts = 0;
    services->broken = false;
}

int services_result(struct services *services, int returned, const char *function,
                    struct firn_error **err)
{
    const char *name = services->options.plugin->name;
    if (returned == 0 && !services->broken) {
        forget_reasons(services);
        return 0;
    }
    struct firn_error *reason =
        services->reason != NULL ? steal(services->reason) : steal(services->refused);
    forget_reasons(services);
    if (returned != 0 && returned != -1) {
        error_clear(&reason);
        return fail(err, FIRN_INTERNAL,
                    "plugin %s: %s() returned %d, which means nothing: a fault of the plugin", name,
                    function, returned);
    }
    if (reason == NULL && cancel_requested())
        return fail(err, FIRN_CANCELLED, "interrupted");
    if (reason == NULL)
        return fail(err, FIRN_INTERNAL,
                    "plugin %s: %s() failed and did not say why: a fault of the plugin", name,
                    function);
    if (err != NULL)
        *err = reason;
    else
        error_clear(&reason);
    return -1;
}

/* ------------------------------------------------------------------------------------------------ what is lent */

__attribute__((format(printf, 3, 4))) static void host_log(const struct firn_host *host,
                                                           enum firn_log_level level,
                                                           const char *format, ...)
{
    struct services *services = of(host);
    va_list arguments;
    va_start(arguments, format);
    auto_free char *text = format_text(format, arguments);
    va_end(arguments);
    if (level < FIRN_LOG_DEBUG || level > FIRN_LOG_ERROR)
        level = FIRN_LOG_WARNING;
    /* The line may come from a thread of the plugin, which knows no run and no item. */
    log_context(services->options.run_id, services->options.item);
    log_line(level, "%s", text);
}

static void host_step(const struct firn_host *host, const char *what)
{
    auto_free char *text = services_clean_text(what);
    progress_step(of(host)->options.progress, text);
}

static void host_progress(const struct firn_host *host, uint64_t total_add, uint64_t done_add)
{
    progress_add(of(host)->options.progress, total_add, done_add);
}

static int host_cancelled(const struct firn_host *host)
{
    return cancel_requested() || services_is_broken(of(host));
}

static const char *host_param(const struct firn_host *host, const char *name)
{
    const struct services_options *options = &of(host)->options;
    return name == NULL ? NULL : settings_value(options->settings, options->plugin, name);
}

static int64_t host_param_integer(const struct firn_host *host, const char *name)
{
    const char *value = host_param(host, name);
    if (value == NULL)
        return 0;
    int64_t number;
    const struct firn_param *param = plugin_param(of(host)->options.plugin, name);
    return setting_number(param->type, value, &number, NULL) == 0 ? number : 0;
}

/* The client comes with the first exchange: initialising libcurl would cost every small backup a tenth of its time. */
static struct http_client *client(struct services *services)
{
    pthread_mutex_lock(&services->lock);
    if (services->http == NULL)
        services->http = http_client_new("firn/" FIRN_VERSION);
    struct http_client *http = services->http;
    pthread_mutex_unlock(&services->lock);
    return http;
}

static int host_http(const struct firn_host *host, const struct firn_http_request *request,
                     struct firn_http_response **response)
{
    struct services *services = of(host);
    struct firn_error *err = NULL;
    struct firn_http_request copy = {.size = sizeof(copy)};
    *response = NULL;
    memcpy(&copy, request, request->size < sizeof(copy) ? request->size : sizeof(copy));
    copy.size = sizeof(copy);
    if (copy.method == NULL || copy.url == NULL) {
        error_set(&err, FIRN_INVALID, "an HTTP request without method or URL");
        return services_refused_take(services, err);
    }
    if (http_exchange(client(services), &copy, response, &err) < 0)
        return services_refused_take(services, err);
    return 0;
}

static struct cluster_service *cluster(struct services *services)
{
    pthread_mutex_lock(&services->lock);
    if (services->cluster == NULL)
        services->cluster = cluster_service_new(host_param(&services->host, "kubeconfig"),
                                                host_param(&services->host, "context"));
    struct cluster_service *service = services->cluster;
    pthread_mutex_unlock(&services->lock);
    return service;
}

static int host_kube(const struct firn_host *host, const struct firn_kube_request *request,
                     struct firn_kube_answer *answer)
{
    struct services *services = of(host);
    struct firn_error *err = NULL;
    struct firn_kube_request copy = {.size = sizeof(copy)};
    memcpy(&copy, request, request->size < sizeof(copy) ? request->size : sizeof(copy));
    if (cluster_service_request(cluster(services), &copy, &answer->text, &answer->length, &err) ==
        0) {
        answer->code = (enum firn_code)0;
        return 0;
    }
    answer->code = error_code(err);
    answer->text = mem_strdup(error_message(err));
    answer->length = strlen(answer->text);
    return services_refused_take(services, err);
}

static void host_kube_free(const struct firn_host *host, struct firn_kube_answer *answer)
{
    (void)host;
    free(answer->text);
    answer->text = NULL;
}

static void host_http_free(const struct firn_host *host, struct firn_http_response *response)
{
    (void)host;
    http_response_free(response);
}

/* ------------------------------------------------------------------------------------------------ opening */

static const struct firn_host template = {
    .size = sizeof(struct firn_host),
    .abi = FIRN_PLUGIN_ABI,
    .fail = host_fail,
    .log = host_log,
    .step = host_step,
    .progress = host_progress,
    .cancelled = host_cancelled,
    .param = host_param,
    .param_integer = host_param_integer,
    .http = host_http,
    .http_free = host_http_free,
    .kube = host_kube,
    .kube_free = host_kube_free,
};

static void release(struct services *services)
{
    forget_reasons(services);
    http_client_free(services->http);
    cluster_service_free(services->cluster);
    pthread_mutex_destroy(&services->lock);
    free(services);
}

int services_open(const struct services_options *options, struct services **out,
                  struct firn_error **err)
{
    if (settings_check(options->settings, options->plugin, err) < 0)
        return -1;
    struct services *services = mem_zalloc(sizeof(*services));
    services->options = *options;
    services->host = template;
    services->host.context = services;
    pthread_mutex_init(&services->lock, NULL);
    int returned = options->plugin->api.open(&services->host, &services->handle);
    if (services_result(services, returned, "open", err) < 0) {
        release(services);
        return -1;
    }
    *out = services;
    return 0;
}

void services_close(struct services *services)
{
    if (services == NULL)
        return;
    services->options.plugin->api.close(services->handle);
    release(services);
}

void *services_handle(const struct services *services)
{
    return services->handle;
}
