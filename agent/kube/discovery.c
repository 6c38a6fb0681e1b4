/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types are in lists by group version, which are fetched when they are first asked for. What was given out stays where it
 * is until the end: a list that is fetched again is put before the old one.
 */
#include "discovery.h"

#include "client.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define LIFETIME    600000 /* ms */
#define VERBS_LIMIT 4096u

struct list { /* the types of a group version */
    struct list *next;
    char *group;
    char *version;
    bool preferred;
    bool current; /* of the present generation of the table of groups */
    bool fetched;
    struct json_object *source; /* holds the texts */
    struct kube_served *types;
    char **verbs;
    size_t count;
};

struct kube_discovery {
    pthread_mutex_t lock;
    struct kube_client *client;
    struct list *lists;
    int64_t read; /* when the groups were, by the monotonic clock; 0: never */
};

struct kube_discovery *kube_discovery_new(struct kube_client *client)
{
    struct kube_discovery *discovery = mem_zalloc(sizeof(*discovery));
    pthread_mutex_init(&discovery->lock, NULL);
    discovery->client = client;
    return discovery;
}

void kube_discovery_free(struct kube_discovery *discovery)
{
    if (discovery == NULL)
        return;
    while (discovery->lists != NULL) {
        struct list *list = discovery->lists;
        discovery->lists = list->next;
        for (size_t i = 0; i < list->count; i++)
            free(list->verbs[i]);
        free(list->verbs);
        free(list->types);
        json_free(&list->source);
        free(list->group);
        free(list->version);
        free(list);
    }
    pthread_mutex_destroy(&discovery->lock);
    free(discovery);
}

void kube_discovery_forget(struct kube_discovery *discovery)
{
    pthread_mutex_lock(&discovery->lock);
    discovery->read = 0;
    pthread_mutex_unlock(&discovery->lock);
}

/* ---- the groups */

static int ask(struct kube_discovery *discovery, const char *path, struct json_object **out,
               struct firn_error **err)
{
    const struct kube_request request = {.verb = "get", .method = "GET", .path = path};
    return kube_request(discovery->client, &request, out, err);
}

static void add_list(struct kube_discovery *discovery, const char *group, const char *version,
                     bool preferred)
{
    struct list **end = &discovery->lists;
    while (*end != NULL)
        end = &(*end)->next;
    *end = mem_zalloc(sizeof(**end));
    **end = (struct list){.group = mem_strdup(group),
                          .version = mem_strdup(version),
                          .preferred = preferred,
                          .current = true};
}

static void add_core(struct kube_discovery *discovery, struct json_object *answer)
{
    struct json_object *versions = json_at(answer, "versions");
    for (size_t i = 0;
         json_object_is_type(versions, json_type_array) && i < json_object_array_length(versions);
         i++) {
        struct json_object *version = json_object_array_get_idx(versions, i);
        if (json_object_is_type(version, json_type_string))
            add_list(discovery, "", json_object_get_string(version), i == 0);
    }
}

static void add_group(struct kube_discovery *discovery, struct json_object *group)
{
    const char *name = json_string_or(group, "name", "");
    const char *preferred = json_string_or(group, "preferredVersion.version", "");
    struct json_object *versions = json_at(group, "versions");
    for (size_t i = 0; *name != '\0' && json_object_is_type(versions, json_type_array) &&
                       i < json_object_array_length(versions);
         i++) {
        const char *version = json_string_or(json_object_array_get_idx(versions, i), "version", "");
        if (*version != '\0')
            add_list(discovery, name, version, strcmp(version, preferred) == 0);
    }
}

static int read_groups(struct kube_discovery *discovery, struct firn_error **err)
{
    auto_json struct json_object *core = NULL;
    auto_json struct json_object *others = NULL;
    if (discovery->read != 0 && clock_monotonic() - discovery->read < LIFETIME)
        return 0;
    if (ask(discovery, "/api", &core, err) < 0 || ask(discovery, "/apis", &others, err) < 0)
        return wrap(err, "types of the cluster");
    for (struct list *list = discovery->lists; list != NULL; list = list->next)
        list->current = false;
    add_core(discovery, core);
    struct json_object *groups = json_at(others, "groups");
    for (size_t i = 0;
         json_object_is_type(groups, json_type_array) && i < json_object_array_length(groups); i++)
        add_group(discovery, json_object_array_get_idx(groups, i));
    discovery->read = clock_monotonic();
    return 0;
}

/* ---- the types of a group version */

static char *join_verbs(struct json_object *resource)
{
    auto_buf struct buf text = buf_new(VERBS_LIMIT);
    struct json_object *verbs = json_at(resource, "verbs");
    buf_putc(&text, ' ');
    for (size_t i = 0;
         json_object_is_type(verbs, json_type_array) && i < json_object_array_length(verbs); i++)
        buf_printf(&text, "%s ", json_object_get_string(json_object_array_get_idx(verbs, i)));
    return buf_take(&text);
}

static void take_types(struct list *list)
{
    struct json_object *resources = json_at(list->source, "resources");
    size_t count =
        json_object_is_type(resources, json_type_array) ? json_object_array_length(resources) : 0;
    list->types = mem_array(count + 1, sizeof(*list->types));
    list->verbs = mem_array(count + 1, sizeof(*list->verbs));
    for (size_t i = 0; i < count; i++) {
        struct json_object *resource = json_object_array_get_idx(resources, i);
        const char *name = json_string_or(resource, "name", "");
        const char *kind = json_string_or(resource, "kind", "");
        if (*name == '\0' || *kind == '\0' || strchr(name, '/') != NULL)
            continue;
        list->verbs[list->count] = join_verbs(resource);
        list->types[list->count] = (struct kube_served){
            .type = {list->group, list->version, name, kind,
                     !json_bool_or(resource, "namespaced", false)},
            .verbs = list->verbs[list->count],
        };
        list->count++;
    }
}

static int fetch(struct kube_discovery *discovery, struct list *list, struct firn_error **err)
{
    if (list->fetched)
        return 0;
    auto_free char *path =
        mem_printf("/api%s%s/%s", *list->group == '\0' ? "" : "s/", list->group, list->version);
    if (ask(discovery, path, &list->source, err) < 0)
        return wrap(err, "types of %s/%s", list->group, list->version);
    take_types(list);
    list->fetched = true;
    return 0;
}

/* ---- questions */

static bool is_wanted(const struct list *list, const char *group, const char *version)
{
    return list->current && strcmp(list->group, group) == 0 &&
           (version == NULL ? list->preferred : strcmp(list->version, version) == 0);
}

static int find(struct kube_discovery *discovery, const char *group, const char *version,
                const char *kind, const struct kube_type **out, struct firn_error **err)
{
    if (read_groups(discovery, err) < 0)
        return -1;
    for (struct list *list = discovery->lists; list != NULL; list = list->next) {
        if (!is_wanted(list, group, version))
            continue;
        if (fetch(discovery, list, err) < 0)
            return -1;
        for (size_t i = 0; i < list->count; i++) {
            const struct kube_type *type = &list->types[i].type;
            if (strcmp(type->kind, kind) == 0 || strcmp(type->resource, kind) == 0) {
                *out = type;
                return 0;
            }
        }
    }
    return fail(err, FIRN_NOTFOUND, "the cluster does not serve %s%s%s%s%s", kind,
                *group == '\0' ? "" : ".", group, version == NULL ? "" : "/",
                version == NULL ? "" : version);
}

int kube_discovery_find(struct kube_discovery *discovery, const char *group, const char *version,
                        const char *kind, const struct kube_type **out, struct firn_error **err)
{
    pthread_mutex_lock(&discovery->lock);
    int result = find(discovery, group, version, kind, out, err);
    pthread_mutex_unlock(&discovery->lock);
    return result;
}

static int give(const struct list *list, const struct kube_discovery_each *how,
                struct firn_error **err)
{
    for (size_t i = 0; i < list->count; i++)
        if (how->each(how->context, &list->types[i], err) < 0)
            return -1;
    return 0;
}

/* The lists that count now. They stay where they are, whatever is read anew meanwhile. */
static size_t choose_lists(const struct kube_discovery *discovery, struct list ***out)
{
    size_t count = 0;
    size_t kept = 0;
    for (const struct list *list = discovery->lists; list != NULL; list = list->next)
        count++;
    *out = mem_array(count + 1, sizeof(**out));
    for (struct list *list = discovery->lists; list != NULL; list = list->next)
        if (list->current && list->preferred)
            (*out)[kept++] = list;
    return kept;
}

static int give_or_miss(struct kube_discovery *discovery, struct list *list,
                        const struct kube_discovery_each *how, struct firn_error **err)
{
    auto_error struct firn_error *failure = NULL;
    pthread_mutex_lock(&discovery->lock);
    int result = fetch(discovery, list, &failure);
    pthread_mutex_unlock(&discovery->lock);
    if (result == 0)
        return give(list, how, err);
    if (how->absent != NULL) {
        auto_free char *name = mem_printf("%s/%s", list->group, list->version);
        how->absent(how->context, name, failure);
    }
    return 0;
}

int kube_discovery_all(struct kube_discovery *discovery, const struct kube_discovery_each *how,
                       struct firn_error **err)
{
    auto_free struct list **lists = NULL;
    size_t count = 0;
    pthread_mutex_lock(&discovery->lock);
    int result = read_groups(discovery, err);
    if (result == 0)
        count = choose_lists(discovery, &lists);
    pthread_mutex_unlock(&discovery->lock);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = give_or_miss(discovery, lists[i], how, err);
    return result;
}
