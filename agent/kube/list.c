/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include "client.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/url.h"

#define CHUNK       100
#define QUERY_LIMIT 65536u
#define ATTEMPTS    3 /* lists in chunks that expire, before one is asked for in one piece */

void kube_selection_query(const struct kube_selection *selection, struct buf *out)
{
    const struct {
        const char *name;
        const char *value;
    } parts[] = {{"labelSelector", selection->labels}, {"fieldSelector", selection->fields}};
    for (size_t i = 0; i < array_length(parts); i++) {
        if (parts[i].value == NULL || *parts[i].value == '\0')
            continue;
        buf_printf(out, "%s%s=", out->length == 0 ? "" : "&", parts[i].name);
        url_escape(out, parts[i].value);
    }
}

const char *kube_selection_accept(const struct kube_selection *selection)
{
    return selection->metadata_only
               ? "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
               : "application/json";
}

/* Objects of a list do not repeat its apiVersion and kind where the type is built in. */
static void name_type(const struct kube_list *list, struct json_object *object)
{
    auto_free char *version = kube_api_version(list->selection.type);
    if (list->selection.metadata_only || json_at(object, "kind") != NULL)
        return;
    json_set_string(object, "apiVersion", version);
    json_set_string(object, "kind", list->selection.type->kind);
}

static int give_items(const struct kube_list *list, struct json_object *page,
                      struct firn_error **err)
{
    struct json_object *items = json_at(page, "items");
    if (items == NULL) /* null: none */
        return 0;
    if (!json_object_is_type(items, json_type_array))
        return fail(err, FIRN_CORRUPT, "list of %s: items is no list",
                    list->selection.type->resource);
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *object = json_object_array_get_idx(items, i);
        if (!json_object_is_type(object, json_type_object))
            return fail(err, FIRN_CORRUPT, "list of %s: item %zu is no object",
                        list->selection.type->resource, i);
        name_type(list, object);
        if (list->item(list->context, object, err) < 0)
            return -1;
    }
    return 0;
}

struct paging {
    struct kube_client *client;
    const struct kube_list *list;
    unsigned chunk; /* 0: in one piece */
    char *token;    /* where to go on; NULL: at the beginning */
    char *resource_version;
};

/* *status: HTTP's; 410 means that the token is too old. */
static int fetch_page(struct paging *paging, struct json_object **out, int *status,
                      struct firn_error **err)
{
    const struct kube_selection *selection = &paging->list->selection;
    const struct kube_target target = {.type = selection->type, .namespace = selection->namespace};
    auto_buf struct buf query = buf_new(QUERY_LIMIT);
    kube_selection_query(selection, &query);
    if (paging->chunk > 0)
        buf_printf(&query, "%slimit=%u", query.length == 0 ? "" : "&", paging->chunk);
    if (paging->token != NULL) {
        buf_puts(&query, "&continue=");
        url_escape(&query, paging->token);
    }
    if (buf_check(&query, "query of a list", err) < 0)
        return -1;
    const struct kube_request request = {
        .verb = "list",
        .method = "GET",
        .target = &target,
        .query = buf_text(&query),
        .accept = kube_selection_accept(selection),
        .stopped = paging->list->stopped,
        .context = paging->list->context,
    };
    return kube_request_status(paging->client, &request, out, status, err);
}

/* 1: there is more; 0: that was all; -1 with *status 410: begin anew. */
static int take_page(struct paging *paging, int *status, struct firn_error **err)
{
    auto_json struct json_object *page = NULL;
    if (fetch_page(paging, &page, status, err) < 0)
        return -1;
    if (give_items(paging->list, page, err) < 0)
        return -1;
    const char *token = json_string_or(page, "metadata.continue", "");
    free(paging->token);
    paging->token = *token == '\0' ? NULL : mem_strdup(token);
    free(paging->resource_version);
    paging->resource_version = mem_strdup(json_string_or(page, "metadata.resourceVersion", ""));
    return paging->token != NULL;
}

static int take_pages(struct paging *paging, struct firn_error **err)
{
    for (unsigned attempt = 1;; attempt++) {
        auto_error struct firn_error *failure = NULL;
        int status = 0;
        int more = 1;
        while (more > 0)
            more = take_page(paging, &status, &failure);
        if (more == 0)
            return 0;
        if (status != 410 || paging->token == NULL) {
            if (err != NULL)
                *err = steal(failure);
            return -1;
        }
        paging->list->again(paging->list->context);
        free(steal(paging->token));
        if (attempt >= ATTEMPTS)
            paging->chunk = 0;
    }
}

int kube_list(struct kube_client *client, const struct kube_list *list, char **resource_version,
              struct firn_error **err)
{
    struct paging paging = {
        .client = client,
        .list = list,
        .chunk = list->selection.chunk == 0 ? CHUNK : list->selection.chunk,
    };
    int result = take_pages(&paging, err);
    free(paging.token);
    if (result == 0 && resource_version != NULL)
        *resource_version = steal(paging.resource_version);
    free(paging.resource_version);
    return result;
}

static int add_item(void *context, struct json_object *object, struct firn_error **err)
{
    struct json_object **array = context;
    (void)err;
    json_object_array_add(*array, json_object_get(object));
    return 0;
}

static void empty_array(void *context)
{
    struct json_object **array = context;
    json_free(array);
    *array = json_object_new_array();
}

int kube_list_array(struct kube_client *client, const struct kube_selection *selection,
                    struct json_object **out, struct firn_error **err)
{
    auto_json struct json_object *array = json_object_new_array();
    const struct kube_list list = {
        .selection = *selection, .item = add_item, .again = empty_array, .context = &array};
    if (kube_list(client, &list, NULL, err) < 0)
        return -1;
    *out = steal(array);
    return 0;
}
