/* SPDX-License-Identifier: Apache-2.0 */
#include "type.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/url.h"

const struct kube_type kube_configmaps = {"", "v1", "configmaps", "ConfigMap", false};
const struct kube_type kube_events = {"events.k8s.io", "v1", "events", "Event", false};
const struct kube_type kube_jobs = {"batch", "v1", "jobs", "Job", false};
const struct kube_type kube_leases = {"coordination.k8s.io", "v1", "leases", "Lease", false};
const struct kube_type kube_namespaces = {"", "v1", "namespaces", "Namespace", true};
const struct kube_type kube_nodes = {"", "v1", "nodes", "Node", true};
const struct kube_type kube_persistentvolumeclaims = {"", "v1", "persistentvolumeclaims",
                                                      "PersistentVolumeClaim", false};
const struct kube_type kube_persistentvolumes = {"", "v1", "persistentvolumes", "PersistentVolume",
                                                 true};
const struct kube_type kube_pods = {"", "v1", "pods", "Pod", false};
const struct kube_type kube_secrets = {"", "v1", "secrets", "Secret", false};
const struct kube_type kube_serviceaccounts = {"", "v1", "serviceaccounts", "ServiceAccount",
                                               false};
const struct kube_type kube_services = {"", "v1", "services", "Service", false};
const struct kube_type kube_storageclasses = {"storage.k8s.io", "v1", "storageclasses",
                                              "StorageClass", true};

/* The API has names with ':' and '@', but none that is a step in a path. */
static int append_part(struct buf *out, const char *part, const char *what, struct firn_error **err)
{
    if (*part == '\0' || strcmp(part, ".") == 0 || strcmp(part, "..") == 0 ||
        strpbrk(part, "/%") != NULL)
        return fail(err, FIRN_INVALID, "\"%.253s\" is no %s of Kubernetes", part, what);
    buf_putc(out, '/');
    url_escape(out, part);
    return 0;
}

/* Subresources have paths of their own below them: "proxy/metrics". */
static int append_subresource(struct buf *out, const char *subresource, struct firn_error **err)
{
    auto_free char *copy = mem_strdup(subresource);
    char *rest = copy;
    for (char *part = strsep(&rest, "/"); part != NULL; part = strsep(&rest, "/"))
        if (append_part(out, part, "subresource", err) < 0)
            return -1;
    return 0;
}

int kube_path(const struct kube_target *target, struct buf *out, struct firn_error **err)
{
    const struct kube_type *type = target->type;
    bool core = *type->group == '\0';
    buf_puts(out, core ? "/api" : "/apis");
    if ((!core && append_part(out, type->group, "API group", err) < 0) ||
        append_part(out, type->version, "API version", err) < 0)
        return -1;
    if (!type->cluster && target->namespace != NULL) {
        buf_puts(out, "/namespaces");
        if (append_part(out, target->namespace, "namespace", err) < 0)
            return -1;
    }
    if (append_part(out, type->resource, "resource", err) < 0)
        return -1;
    if (target->name == NULL)
        return 0;
    if (!type->cluster && target->namespace == NULL)
        return fail(err, FIRN_INVALID, "%s %.253s: no namespace is named", type->resource,
                    target->name);
    if (append_part(out, target->name, "name", err) < 0)
        return -1;
    return target->subresource == NULL ? 0 : append_subresource(out, target->subresource, err);
}

char *kube_target_text(const struct kube_target *target)
{
    const struct kube_type *type = target->type;
    const char *namespace = type->cluster ? NULL : target->namespace;
    auto_free char *resource =
        mem_printf("%s%s%s%s%s", type->resource, target->subresource == NULL ? "" : "/",
                   target->subresource == NULL ? "" : target->subresource,
                   *type->group == '\0' ? "" : ".", type->group);
    if (target->name == NULL && namespace == NULL)
        return steal(resource);
    if (target->name == NULL)
        return mem_printf("%s in %s", resource, namespace);
    return mem_printf("%s %s%s%s", resource, namespace == NULL ? "" : namespace,
                      namespace == NULL ? "" : "/", target->name);
}

char *kube_api_version(const struct kube_type *type)
{
    if (*type->group == '\0')
        return mem_strdup(type->version);
    return mem_printf("%s/%s", type->group, type->version);
}

struct json_object *kube_object_new(const struct kube_type *type, const char *namespace,
                                    const char *name)
{
    struct json_object *object = json_object_new_object();
    struct json_object *metadata = json_object_new_object();
    auto_free char *version = kube_api_version(type);
    json_set_string(object, "apiVersion", version);
    json_set_string(object, "kind", type->kind);
    json_set_string(metadata, "namespace", type->cluster ? NULL : namespace);
    json_set_string(metadata, "name", name);
    json_set_take(object, "metadata", metadata);
    return object;
}

const char *kube_name(struct json_object *object)
{
    return json_string_or(object, "metadata.name", "");
}

const char *kube_namespace(struct json_object *object)
{
    return json_string_or(object, "metadata.namespace", "");
}

const char *kube_uid(struct json_object *object)
{
    return json_string_or(object, "metadata.uid", "");
}

const char *kube_resource_version(struct json_object *object)
{
    return json_string_or(object, "metadata.resourceVersion", "");
}
