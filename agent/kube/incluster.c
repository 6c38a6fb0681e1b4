/* SPDX-License-Identifier: Apache-2.0 */
#include "incluster.h"

#include "config.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <ctype.h>
#include <unistd.h>

#define NAMESPACE_LIMIT 253u

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || *value == '\0' ? NULL : value;
}

bool incluster_present(const char *folder)
{
    auto_free char *token = file_join(folder, "token");
    return variable("KUBERNETES_SERVICE_HOST") != NULL &&
           variable("KUBERNETES_SERVICE_PORT") != NULL && access(token, R_OK) == 0;
}

/* "default" if the file is missing or empty, as for any other client. */
static char *read_namespace(const char *folder)
{
    auto_free char *path = file_join(folder, "namespace");
    auto_buf struct buf text = buf_new(NAMESPACE_LIMIT + 1);
    if (file_read(path, NAMESPACE_LIMIT, &text, NULL) < 0)
        return mem_strdup("default");
    while (text.length > 0 && isspace((unsigned char)text.data[text.length - 1]))
        text.data[--text.length] = '\0';
    return mem_strdup(text.length == 0 ? "default" : text.data);
}

int incluster_load(const char *folder, struct kube_config **out, struct firn_error **err)
{
    const char *host = variable("KUBERNETES_SERVICE_HOST");
    const char *port = variable("KUBERNETES_SERVICE_PORT");
    if (host == NULL || port == NULL)
        return fail(err, FIRN_NOTFOUND,
                    "this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
                    "set");
    bool v6 = strchr(host, ':') != NULL;
    struct kube_config *config = mem_zalloc(sizeof(*config));
    config->source = mem_strdup("the ServiceAccount of this pod");
    config->server = mem_printf("https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
    config->namespace = read_namespace(folder);
    config->token_file = file_join(folder, "token");
    config->ca_file = file_join(folder, "ca.crt");
    if (access(config->ca_file, R_OK) < 0) /* then the API server must be known to the system */
        free(steal(config->ca_file));
    *out = config;
    return 0;
}
