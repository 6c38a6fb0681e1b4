/* SPDX-License-Identifier: Apache-2.0 */
#include "object.h"

#include "client.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/url.h"

/* The target with its namespace filled in. */
static struct kube_target placed(const struct kube_client *client, const struct kube_target *target,
                                 struct json_object *object)
{
    struct kube_target whole = *target;
    if (whole.type->cluster || whole.namespace != NULL)
        return whole;
    const char *own = object == NULL ? "" : kube_namespace(object);
    whole.namespace = *own == '\0' ? kube_client_namespace(client) : own;
    return whole;
}

int kube_get(struct kube_client *client, const struct kube_target *target, struct json_object **out,
             struct firn_error **err)
{
    const struct kube_target whole = placed(client, target, NULL);
    const struct kube_request request = {.verb = "get", .method = "GET", .target = &whole};
    return kube_request(client, &request, out, err);
}

int kube_create(struct kube_client *client, const struct kube_target *target,
                struct json_object *object, struct json_object **out, struct firn_error **err)
{
    struct kube_target whole = placed(client, target, object);
    if (whole.subresource == NULL)
        whole.name = NULL; /* the object says it, or leaves it to the server */
    const struct kube_request request = {
        .verb = "create",
        .method = "POST",
        .target = &whole,
        .query = "fieldManager=" KUBE_MANAGER,
        .body = object,
    };
    if (kube_request(client, &request, out, err) == 0)
        return 0;
    const char *name = kube_name(object);
    return *name == '\0' ? -1 : wrap(err, "%s", name);
}

int kube_update(struct kube_client *client, const struct kube_target *target,
                struct json_object *object, struct json_object **out, struct firn_error **err)
{
    const struct kube_target whole = placed(client, target, object);
    const struct kube_request request = {
        .verb = "update",
        .method = "PUT",
        .target = &whole,
        .query = "fieldManager=" KUBE_MANAGER,
        .body = object,
    };
    return kube_request(client, &request, out, err);
}

static int patch(struct kube_client *client, const struct kube_target *target,
                 struct json_object *body, const char *content_type, struct json_object **out,
                 struct firn_error **err)
{
    const struct kube_target whole = placed(client, target, NULL);
    const struct kube_request request = {
        .verb = "patch",
        .method = "PATCH",
        .target = &whole,
        .query = "fieldManager=" KUBE_MANAGER,
        .content_type = content_type,
        .body = body,
    };
    return kube_request(client, &request, out, err);
}

int kube_merge(struct kube_client *client, const struct kube_target *target,
               struct json_object *body, struct json_object **out, struct firn_error **err)
{
    return patch(client, target, body, "application/merge-patch+json", out, err);
}

int kube_patch(struct kube_client *client, const struct kube_target *target,
               struct json_object *body, struct json_object **out, struct firn_error **err)
{
    return patch(client, target, body, "application/json-patch+json", out, err);
}

/* JSON is YAML: the type that servers of all versions take for it. */
int kube_apply(struct kube_client *client, const struct kube_target *target,
               struct json_object *object, const struct kube_apply *options,
               struct json_object **out, struct firn_error **err)
{
    static const struct kube_apply none;
    const struct kube_apply *given = options == NULL ? &none : options;
    const struct kube_target whole = placed(client, target, object);
    auto_buf struct buf query = buf_new(1024);
    buf_puts(&query, "fieldManager=");
    url_escape(&query, given->manager == NULL ? KUBE_MANAGER : given->manager);
    if (given->force)
        buf_puts(&query, "&force=true");
    if (given->dry_run)
        buf_puts(&query, "&dryRun=All");
    if (buf_check(&query, "field manager", err) < 0)
        return -1;
    const struct kube_request request = {
        .verb = "patch",
        .method = "PATCH",
        .target = &whole,
        .query = buf_text(&query),
        .content_type = "application/apply-patch+yaml",
        .body = object,
        .repeatable = true,
    };
    return kube_request(client, &request, out, err);
}

int kube_delete(struct kube_client *client, const struct kube_target *target,
                const struct kube_delete *options, struct firn_error **err)
{
    const struct kube_target whole = placed(client, target, NULL);
    auto_json struct json_object *body = NULL;
    if (options != NULL) {
        struct json_object *preconditions = json_object_new_object();
        body = json_object_new_object();
        json_set_string(body, "apiVersion", "v1");
        json_set_string(body, "kind", "DeleteOptions");
        json_set_string(body, "propagationPolicy", options->propagation);
        if (options->grace != 0)
            json_set_int(body, "gracePeriodSeconds", options->grace < 0 ? 0 : options->grace);
        json_set_string(preconditions, "uid", options->uid);
        json_set_string(preconditions, "resourceVersion", options->resource_version);
        json_set_take(body, "preconditions", preconditions);
    }
    const struct kube_request request = {
        .verb = "delete",
        .method = "DELETE",
        .target = &whole,
        .body = body,
    };
    return kube_request(client, &request, NULL, err);
}
