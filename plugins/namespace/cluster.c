/* SPDX-License-Identifier: Apache-2.0 */
/* Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
#include "cluster.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/manifest.h"
#include "core/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       "100"
#define LIST_TRIES 5

/* ------------------------------------------------------------------------------------------------------------ requests */

static int request(const struct cluster *cluster, const struct firn_kube_request *wanted,
                   struct json_object **out, struct firn_error **err)
{
    struct firn_kube_answer answer = {.size = sizeof(answer)};
    int result = cluster->host->kube(cluster->host, wanted, &answer);
    if (result < 0)
        error_set(err, answer.code, "%s", answer.text != NULL ? answer.text : "no answer");
    else if (out != NULL)
        result = json_parse(answer.text, answer.length, wanted->path, out, err);
    cluster->host->kube_free(cluster->host, &answer);
    return result;
}

int cluster_get(const struct cluster *cluster, const char *verb, const char *path,
                struct json_object **out, struct firn_error **err)
{
    const struct firn_kube_request wanted = {
        .size = sizeof(wanted), .verb = verb, .method = "GET", .path = path};
    return request(cluster, &wanted, out, err);
}

int cluster_send(const struct cluster *cluster, const char *verb, const char *method,
                 const char *path, const char *content_type, struct json_object *body,
                 struct firn_error **err)
{
    size_t length;
    const char *text = json_object_to_json_string_length(
        body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    const struct firn_kube_request wanted = {.size = sizeof(wanted),
                                             .verb = verb,
                                             .method = method,
                                             .path = path,
                                             .content_type = content_type,
                                             .body = text,
                                             .body_length = length};
    return request(cluster, &wanted, NULL, err);
}

/* --------------------------------------------------------------------------------------------------------------- kinds */

/* Groups and resources that show objects which others hold, or that hold nothing. */
static const char *const views[] = {
    "events.k8s.io",
    "metrics.k8s.io",
    "extensions",
    "authorization.openshift.io",
    "packages.operators.coreos.com",
    "apps.openshift.io/deploymentconfigrollbacks",
    "image.openshift.io/imagestreamtags",
    "image.openshift.io/imagetags",
    "image.openshift.io/imagestreamimages",
    "image.openshift.io/imagestreamimports",
    "image.openshift.io/imagestreammappings",
};

static bool is_view(const char *group, const char *resource)
{
    auto_free char *both = mem_printf("%s/%s", group, resource);
    for (size_t i = 0; i < array_length(views); i++)
        if (strcmp(views[i], group) == 0 || strcmp(views[i], both) == 0)
            return true;
    return false;
}

static bool has_verb(struct json_object *resource, const char *verb)
{
    struct json_object *verbs = json_at(resource, "verbs");
    if (!json_object_is_type(verbs, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(verbs); i++) {
        struct json_object *each = json_object_array_get_idx(verbs, i);
        if (json_object_is_type(each, json_type_string) &&
            strcmp(json_object_get_string(each), verb) == 0)
            return true;
    }
    return false;
}

/* What a path may be made of. */
static bool plain(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && *text != '-' && *text != '.')
            return false;
    return true;
}

static void add_kind(struct kinds *kinds, const char *group, const char *api_version,
                     struct json_object *resource)
{
    const char *plural = json_string_or(resource, "name", "");
    const char *name = json_string_or(resource, "kind", "");
    if (!json_bool_or(resource, "namespaced", false) || !has_verb(resource, "list") ||
        !has_verb(resource, "create") || !plain(plural) || !plain(name) || is_view(group, plural) ||
        manifest_transient(name))
        return;
    kinds->list = mem_resize(kinds->list, kinds->count + 1, sizeof(*kinds->list));
    kinds->list[kinds->count++] = (struct kind){
        .api_version = mem_strdup(api_version),
        .group = mem_strdup(group),
        .name = mem_strdup(name),
        .resource = mem_strdup(plural),
        .object = *group != '\0' ? mem_printf("%s.%s", plural, group) : mem_strdup(plural),
    };
}

static int add_version(const struct cluster *cluster, const char *group, const char *api_version,
                       struct kinds *kinds, struct firn_error **err)
{
    auto_json struct json_object *answer = NULL;
    struct json_object *resources;
    auto_free char *path = mem_printf("%s/%s", *group != '\0' ? "/apis" : "/api", api_version);
    if (cluster_get(cluster, "get", path, &answer, err) < 0 ||
        json_get_array(answer, "resources", &resources, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(resources); i++)
        add_kind(kinds, group, api_version, json_object_array_get_idx(resources, i));
    return 0;
}

static int by_object(const void *a, const void *b)
{
    return strcmp(((const struct kind *)a)->object, ((const struct kind *)b)->object);
}

int cluster_kinds(const struct cluster *cluster, struct kinds *out, cluster_failed *failed,
                  void *context, struct firn_error **err)
{
    auto_json struct json_object *answer = NULL;
    struct json_object *groups;
    *out = (struct kinds){0};
    if (add_version(cluster, "", "v1", out, err) < 0 ||
        cluster_get(cluster, "get", "/apis", &answer, err) < 0 ||
        json_get_array(answer, "groups", &groups, err) < 0) {
        kinds_free(out);
        return wrap(err, "what the cluster holds");
    }
    for (size_t i = 0; i < json_object_array_length(groups); i++) {
        auto_error struct firn_error *why = NULL;
        struct json_object *group = json_object_array_get_idx(groups, i);
        const char *name = json_string_or(group, "name", "");
        const char *version = json_string_or(group, "preferredVersion.groupVersion", "");
        bool usable = plain(name) && strncmp(version, name, strlen(name)) == 0 &&
                      version[strlen(name)] == '/' && plain(version + strlen(name) + 1);
        if (usable && add_version(cluster, name, version, out, &why) < 0)
            failed(context, name, why);
    }
    if (out->count > 0)
        qsort(out->list, out->count, sizeof(*out->list), by_object);
    return 0;
}

void kinds_free(struct kinds *kinds)
{
    for (size_t i = 0; i < kinds->count; i++) {
        free(kinds->list[i].api_version);
        free(kinds->list[i].group);
        free(kinds->list[i].name);
        free(kinds->list[i].resource);
        free(kinds->list[i].object);
    }
    free(kinds->list);
    *kinds = (struct kinds){0};
}

const struct kind *kinds_find(const struct kinds *kinds, const char *object)
{
    for (size_t i = 0; i < kinds->count; i++)
        if (strcmp(kinds->list[i].object, object) == 0)
            return &kinds->list[i];
    return NULL;
}

void kind_path(const struct kind *kind, const char *name_space, const char *name, struct buf *out)
{
    buf_printf(out, "%s/%s/namespaces/%s/%s", *kind->group != '\0' ? "/apis" : "/api",
               kind->api_version, name_space, kind->resource);
    if (name == NULL)
        return;
    buf_putc(out, '/');
    for (; *name != '\0'; name++) /* names of some kinds may have ':' and more */
        if (isalnum((unsigned char)*name) || strchr("-._~", *name) != NULL)
            buf_putc(out, *name);
        else
            buf_printf(out, "%%%02X", (unsigned char)*name);
}

/* ---------------------------------------------------------------------------------------------------------------- lists */

static int tell_page(const struct kind *kind, struct json_object *page,
                     const struct listing *listing, struct firn_error **err)
{
    struct json_object *items;
    if (json_get_array(page, "items", &items, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *object = json_object_array_get_idx(items, i);
        /* In a list, objects do not say what they are; in a manifest that comes first. */
        auto_json struct json_object *whole = json_object_new_object();
        json_set_string(whole, "apiVersion", kind->api_version);
        json_set_string(whole, "kind", kind->name);
        if (!json_object_is_type(object, json_type_object))
            return fail(err, FIRN_CORRUPT, "%s: an item of the list is no object", kind->object);
        json_object_object_foreach(object, name, value)
        {
            if (strcmp(name, "apiVersion") != 0 && strcmp(name, "kind") != 0)
                json_object_object_add(whole, name, json_object_get(value));
        }
        if (listing->object(listing->context, whole, err) < 0)
            return -1;
    }
    return 0;
}

/* The list from its beginning. RETRY: the cluster's history went on too far between two pages. */
static int list_once(const struct cluster *cluster, const struct kind *kind, const char *name_space,
                     const struct listing *listing, struct firn_error **err)
{
    auto_free char *more = mem_strdup("");
    do {
        auto_json struct json_object *page = NULL;
        auto_buf struct buf path = buf_new(64 * 1024);
        if (cluster->host->cancelled(cluster->host))
            return fail(err, FIRN_CANCELLED, "interrupted");
        kind_path(kind, name_space, NULL, &path);
        buf_puts(&path, "?limit=" PAGE);
        if (*more != '\0')
            buf_printf(&path, "&continue=%s", more);
        if (cluster_get(cluster, "list", path.data, &page, err) < 0 ||
            tell_page(kind, page, listing, err) < 0)
            return -1;
        free(more);
        more = mem_strdup(json_string_or(page, "metadata.continue", ""));
        for (const char *c = more; *c != '\0'; c++) /* base64url, as a rule */
            if (!isalnum((unsigned char)*c) && strchr("-_=~.", *c) == NULL)
                return fail(err, FIRN_CORRUPT, "%s: the list goes on at a strange place",
                            kind->object);
    } while (*more != '\0');
    return 0;
}

int cluster_list(const struct cluster *cluster, const struct kind *kind, const char *name_space,
                 const struct listing *listing, struct firn_error **err)
{
    for (int try = 1;; try++) {
        struct firn_error *why = NULL;
        if (list_once(cluster, kind, name_space, listing, &why) == 0)
            return 0;
        bool again = error_code(why) == FIRN_RETRY && try < LIST_TRIES;
        if (!again) {
            *err = why;
            return wrap(err, "list %s in %s", kind->object, name_space);
        }
        error_clear(&why);
        if (listing->again(listing->context, err) < 0)
            return -1;
    }
}

bool cluster_name_valid(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 63 || text[0] == '-' || text[length - 1] == '-')
        return false;
    for (; *text != '\0'; text++)
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '-')
            return false;
    return true;
}
