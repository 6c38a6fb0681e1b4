/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing: the paginated lists of the distribution specification (tags, repositories). A page names
 * the next in a Link header; a registry that never comes to an end, or walks in a circle, is
 * stopped.
 */
#include "location.h"
#include "manifest.h"
#include "reference.h"
#include "registry.h"

#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <json-c/linkhash.h>
#include <string.h>

#define PAGE_LIMIT          (8u << 20)
#define NAMES_MOST          500000u
#define PAGES_FREE          100 /* of any length; then PAGE_LEAST names a page on average */
#define PAGE_LEAST          10
#define REFERRER_PAGES_MOST 100

typedef bool name_check(const char *name);

struct listing {
    struct registry *registry;
    const char *scope;
    const char *member; /* of the JSON object, that holds the names */
    name_check *valid;
    const char *what;
};

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct names){0};
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool names_contain(const struct names *names, const char *name)
{
    return names->count > 0 &&
           bsearch(&name, names->list, names->count, sizeof(*names->list), compare) != NULL;
}

static void names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 64 : 2 * names->capacity;
        names->list = mem_resize(names->list, names->capacity, sizeof(*names->list));
    }
    names->list[names->count++] = mem_strdup(name);
}

static bool names_known(struct lh_table *seen, const char *name)
{
    return lh_table_lookup_entry(seen, name) != NULL;
}

static int read_page(const struct listing *listing, const struct answer *answer,
                     struct lh_table *seen, struct names *out, struct firn_error **err)
{
    auto_json struct json_object *json = NULL;
    if (json_parse(answer->body, answer->body_length, listing->what, &json, err) < 0)
        return -1;
    struct json_object *list = json_at(json, listing->member); /* null if there are none */
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *value = json_object_array_get_idx(list, i);
        const char *name =
            json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        if (!listing->valid(name))
            return fail(err, FIRN_INVALID, "%s: the registry lists a name that cannot be one",
                        listing->what);
        if (out->count >= NAMES_MOST)
            return fail(err, FIRN_INVALID, "%s: the registry lists more than %u names",
                        listing->what, NAMES_MOST);
        if (names_known(seen, name))
            continue;
        names_add(out, name);
        lh_table_insert(seen, out->list[out->count - 1], NULL);
    }
    return 0;
}

/* The target of `Link: <…>; rel="next"`, or NULL. */
static int next_page(const struct answer *answer, char **out, struct firn_error **err)
{
    const char *link = answer_header(answer, "link");
    const char *end = link == NULL || link[0] != '<' ? NULL : strchr(link, '>');
    if (end == NULL || strstr(end, "next") == NULL)
        return 0;
    auto_free char *target = mem_dup(link + 1, (size_t)(end - link - 1));
    if (location_resolve(answer->url, target, out, err) < 0)
        return -1;
    if (!location_same_origin(answer->url, *out))
        return fail(err, FIRN_INVALID, "%s: the next page is on another server", answer->url);
    return 0;
}

static int read_pages(const struct listing *listing, const char *path, struct lh_table *seen,
                      struct names *names, struct firn_error **err)
{
    auto_free char *url = mem_strdup(path);
    for (size_t page = 0; page < PAGES_FREE + names->count / PAGE_LEAST; page++) {
        auto_answer struct answer answer = {0};
        struct call call = {
            .method = "GET", .url = url, .accept = "application/json", .body_limit = PAGE_LIMIT};
        size_t before = names->count;
        if (registry_call(listing->registry, listing->scope, &call, &answer, err) < 0)
            return wrap(err, "%s", listing->what);
        if (answer.status != 200)
            return answer_fail(&answer, listing->what, err);
        auto_free char *next = NULL;
        if (read_page(listing, &answer, seen, names, err) < 0 || next_page(&answer, &next, err) < 0)
            return -1;
        if (next == NULL)
            return 0;
        if (names->count == before)
            break;
        free(url);
        url = steal(next);
    }
    return fail(err, FIRN_INVALID, "%s: the registry's list does not come to an end",
                listing->what);
}

static int read_sorted(const struct listing *listing, const char *path, struct names *out,
                       struct firn_error **err)
{
    *out = (struct names){0};
    auto_names struct names names = {0};
    struct lh_table *seen = lh_kchar_table_new(64, NULL); /* borrows the names */
    int result = read_pages(listing, path, seen, &names, err);
    lh_table_free(seen);
    if (result < 0)
        return -1;
    if (names.count > 0)
        qsort(names.list, names.count, sizeof(*names.list), compare);
    *out = names;
    names = (struct names){0};
    return 0;
}

int registry_tags(struct registry *registry, const char *repository, struct names *out,
                  struct firn_error **err)
{
    auto_free char *path = mem_printf("/v2/%s/tags/list?n=1000", repository);
    auto_free char *scope = registry_pull_scope(repository);
    auto_free char *what = mem_printf("tags of %s/%s", registry_name(registry), repository);
    struct listing listing = {.registry = registry,
                              .scope = scope,
                              .member = "tags",
                              .valid = reference_valid_tag,
                              .what = what};
    return read_sorted(&listing, path, out, err);
}

int registry_catalog(struct registry *registry, struct names *out, struct firn_error **err)
{
    auto_free char *what = mem_printf("repositories of %s", registry_name(registry));
    struct listing listing = {.registry = registry,
                              .scope = "registry:catalog:*",
                              .member = "repositories",
                              .valid = reference_valid_name,
                              .what = what};
    return read_sorted(&listing, "/v2/_catalog?n=1000", out, err);
}

/* Moves the manifests of one page to the end of *out. */
static void add_referrers(struct manifest *page, struct manifest *out)
{
    if (page->child_count == 0)
        return;
    out->children =
        mem_resize(out->children, out->child_count + page->child_count, sizeof(*out->children));
    memcpy(out->children + out->child_count, page->children,
           page->child_count * sizeof(*page->children));
    out->child_count += page->child_count;
    page->child_count = 0;
}

int registry_referrers(struct registry *registry, const char *repository, const char *digest,
                       struct manifest *out, struct firn_error **err)
{
    *out = (struct manifest){.index = true};
    auto_free char *url = mem_printf("/v2/%s/referrers/%s", repository, digest);
    auto_free char *scope = registry_pull_scope(repository);
    auto_free char *what =
        mem_printf("referrers of %s/%s@%s", registry_name(registry), repository, digest);
    auto_manifest struct manifest all = {.index = true};
    for (int page = 0; page < REFERRER_PAGES_MOST; page++) {
        auto_answer struct answer answer = {0};
        struct call call = {
            .method = "GET", .url = url, .accept = OCI_INDEX, .body_limit = MANIFEST_LIMIT};
        if (registry_call(registry, scope, &call, &answer, err) < 0)
            return wrap(err, "%s", what);
        if (answer.status != 200)
            return answer_fail(&answer, what, err);
        auto_manifest struct manifest read = {0};
        auto_free char *next = NULL;
        if (manifest_parse(answer.body, answer.body_length, OCI_INDEX, &read, err) < 0 ||
            next_page(&answer, &next, err) < 0)
            return wrap(err, "%s", what);
        add_referrers(&read, &all);
        if (next == NULL) {
            *out = all;
            all = (struct manifest){0};
            return 0;
        }
        free(url);
        url = steal(next);
    }
    return fail(err, FIRN_INVALID, "%s: the registry's list does not come to an end", what);
}
