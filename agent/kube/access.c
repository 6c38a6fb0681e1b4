/* SPDX-License-Identifier: Apache-2.0 */
#include "access.h"

#include "client.h"

#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

static const struct kube_type reviews = {"authorization.k8s.io", "v1", "selfsubjectaccessreviews",
                                         "SelfSubjectAccessReview", true};

int kube_access(struct kube_client *client, const char *verb, const struct kube_target *target,
                bool *allowed, struct firn_error **err)
{
    auto_json struct json_object *review = kube_object_new(&reviews, NULL, NULL);
    auto_json struct json_object *answer = NULL;
    struct json_object *spec = json_object_new_object();
    struct json_object *attributes = json_object_new_object();
    json_set_string(attributes, "verb", verb);
    json_set_string(attributes, "group", target->type->group);
    json_set_string(attributes, "version", target->type->version);
    json_set_string(attributes, "resource", target->type->resource);
    json_set_string(attributes, "subresource", target->subresource);
    json_set_string(attributes, "name", target->name);
    json_set_string(attributes, "namespace", target->type->cluster ? NULL : target->namespace);
    json_set_take(spec, "resourceAttributes", attributes);
    json_set_take(review, "spec", spec);
    const struct kube_target all = {.type = &reviews};
    const struct kube_request request = {
        .verb = "create",
        .method = "POST",
        .target = &all,
        .body = review,
        .repeatable = true,
    };
    if (kube_request(client, &request, &answer, err) < 0)
        return -1;
    *allowed = json_bool_or(answer, "status.allowed", false);
    return 0;
}
