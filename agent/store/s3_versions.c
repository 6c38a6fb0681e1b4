/* SPDX-License-Identifier: Apache-2.0 */
#include "s3_versions.h"

#include "s3.h"
#include "s3_lock.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/http.h"

#include <search.h>
#include <string.h>

#define LOOK_MOST "100" /* versions asked for to see whether a bucket has any */

/* ------------------------------------------------------------------------------------------------ pins */

struct pin {
    char *name;
    char *id; /* of the first version */
};

/* A tree, since whoever overwrites objects chooses their names; balanced, so that he gains nothing. */
struct s3_pins {
    pthread_mutex_t mutex;
    void *tree;
    char **listed; /* prefixes that were listed in full */
    size_t listed_count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pin *)a)->name, ((const struct pin *)b)->name);
}

static void free_pin(void *pointer)
{
    struct pin *pin = pointer;
    free(pin->name);
    free(pin->id);
    free(pin);
}

struct s3_pins *s3_pins_new(void)
{
    struct s3_pins *pins = mem_zalloc(sizeof(*pins));
    pthread_mutex_init(&pins->mutex, NULL);
    return pins;
}

void s3_pins_free(struct s3_pins *pins)
{
    tdestroy(pins->tree, free_pin);
    for (size_t i = 0; i < pins->listed_count; i++)
        free(pins->listed[i]);
    free(pins->listed);
    pthread_mutex_destroy(&pins->mutex);
    free(pins);
}

static void unpin(struct s3_pins *pins, const char *name)
{
    struct pin key = {.name = (char *)(uintptr_t)name};
    pthread_mutex_lock(&pins->mutex);
    struct pin **found = tfind(&key, &pins->tree, by_name);
    struct pin *pin = found == NULL ? NULL : *found;
    if (pin != NULL)
        tdelete(pin, &pins->tree, by_name);
    pthread_mutex_unlock(&pins->mutex);
    if (pin != NULL)
        free_pin(pin);
}

static void pin_take(struct s3_pins *pins, const char *name, char *id)
{
    struct pin *pin = mem_zalloc(sizeof(*pin));
    *pin = (struct pin){.name = mem_strdup(name), .id = id};
    unpin(pins, name);
    pthread_mutex_lock(&pins->mutex);
    struct pin **place = tsearch(pin, &pins->tree, by_name);
    struct pin *other = place != NULL && *place == pin ? NULL : pin; /* another thread was faster */
    pthread_mutex_unlock(&pins->mutex);
    if (other != NULL)
        free_pin(other);
}

char *s3_pinned(struct s3 *s3, const char *name)
{
    struct pin key = {.name = (char *)(uintptr_t)name};
    pthread_mutex_lock(&s3->pins->mutex);
    struct pin **found = tfind(&key, &s3->pins->tree, by_name);
    char *id = found == NULL ? NULL : mem_strdup((*found)->id);
    pthread_mutex_unlock(&s3->pins->mutex);
    return id;
}

static bool is_listed(const struct s3_pins *pins, const char *name)
{
    bool known = false;
    for (size_t i = 0; i < pins->listed_count && !known; i++)
        known = strncmp(name, pins->listed[i], strlen(pins->listed[i])) == 0;
    return known;
}

bool s3_pins_cover(struct s3 *s3, const char *name)
{
    pthread_mutex_lock(&s3->pins->mutex);
    bool known = is_listed(s3->pins, name);
    pthread_mutex_unlock(&s3->pins->mutex);
    return known;
}

static void set_listed(struct s3_pins *pins, const char *prefix)
{
    pthread_mutex_lock(&pins->mutex);
    if (!is_listed(pins, prefix)) {
        pins->listed = mem_resize(pins->listed, pins->listed_count + 1, sizeof(*pins->listed));
        pins->listed[pins->listed_count++] = mem_strdup(prefix);
    }
    pthread_mutex_unlock(&pins->mutex);
}

/* ------------------------------------------------------------------------------------------------ listing */

static int fetch_versions(struct s3 *s3, const char *prefix, const char *most,
                          const struct s3_version_place *place, struct s3_answer *answer,
                          struct firn_error **err)
{
    struct sigv4_parameter query[7] = {
        {"versions", ""}, {"encoding-type", "url"}, {"prefix", prefix}, {"max-keys", most}};
    size_t count = 4;
    if (place->key != NULL)
        query[count++] = (struct sigv4_parameter){"key-marker", place->key};
    if (place->key != NULL && place->id != NULL)
        query[count++] = (struct sigv4_parameter){"version-id-marker", place->id};
    struct s3_request request = {.method = "GET", .query = query, .query_count = count};
    return s3_exchange(s3, &request, answer, err);
}

static bool is_place(const struct s3_version_place *a, const struct s3_version_place *b)
{
    const char *left = a->id == NULL ? "" : a->id, *right = b->id == NULL ? "" : b->id;
    return a->key != NULL && b->key != NULL && strcmp(a->key, b->key) == 0 &&
           strcmp(left, right) == 0;
}

#define auto_place __attribute__((cleanup(s3_version_place_free)))

/* All versions whose names begin with the prefix, page by page, until *done (may be NULL). */
static int walk(struct s3 *s3, const char *prefix, s3_version_callback *each, void *context,
                const bool *done, struct firn_error **err)
{
    auto_free char *whole = mem_printf("%s%s", s3->location.prefix, prefix);
    auto_place struct s3_version_place place = {.key = NULL};
    do {
        auto_answer struct s3_answer answer = {.response = NULL};
        auto_place struct s3_version_place before = place;
        place = (struct s3_version_place){.key = NULL};
        if (fetch_versions(s3, whole, "1000", &before, &answer, err) < 0)
            return wrap(err, "list the versions of %s", whole);
        if (s3_xml_versions(answer.response->body, answer.response->body_length,
                            s3->location.prefix, each, context, &place, err) < 0)
            return -1;
        if (is_place(&place, &before))
            return fail(err, FIRN_CORRUPT, "the server's listing of %s goes in circles", whole);
    } while (place.key != NULL && (done == NULL || !*done));
    return 0;
}

static int look(void *context, const struct s3_version *version, struct firn_error **err)
{
    (void)err;
    if (strcmp(version->id, "null") != 0)
        *(bool *)context = true;
    return 0;
}

/* Servers say in more than one way that they do not know the request, or answer another one. */
static bool is_unable(const struct s3_answer *answer, enum firn_code why)
{
    static const char *const codes[] = {"NotImplemented", "MethodNotAllowed", "InvalidArgument",
                                        "InvalidRequest"};
    bool unable = why == FIRN_DENIED || why == FIRN_CORRUPT;
    for (size_t i = 0; i < array_length(codes) && !unable; i++)
        unable = strcmp(answer->fault.code, codes[i]) == 0;
    return unable;
}

int s3_versions_open(struct s3 *s3, struct firn_error **err)
{
    bool versioned = false;
    auto_answer struct s3_answer answer = {.response = NULL};
    auto_place struct s3_version_place place = {.key = NULL}, next = {.key = NULL};
    auto_error struct firn_error *why = NULL;
    if (fetch_versions(s3, s3->location.prefix, LOOK_MOST, &place, &answer, &why) == 0 &&
        s3_xml_versions(answer.response->body, answer.response->body_length, s3->location.prefix,
                        look, &versioned, &next, &why) == 0) {
        if (versioned)
            atomic_store(&s3->versioned, true);
        atomic_store(&s3->lists_versions, true);
        return 1;
    }
    return is_unable(&answer, error_code(why))
               ? 0
               : fail(err, error_code(why), "%s", error_message(why));
}

bool s3_versioned(struct s3 *s3)
{
    if (!atomic_load(&s3->versioned))
        return false;
    if (!atomic_load(&s3->lists_versions) && !atomic_exchange(&s3->warned, true))
        log_warning("the credentials may not list versions (s3:ListBucketVersions): objects that "
                    "somebody overwrote or hid are not seen as they were");
    return atomic_load(&s3->lists_versions);
}

/* ------------------------------------------------------------------------------------------------ histories */

/* The versions of one object. */
struct history {
    char *name;
    struct {
        char *id, *etag;
        uint64_t length;
        int64_t modified;
        bool marker;
    } top, first; /* first.id is NULL: there are markers only */
    size_t count; /* of versions and markers */
};

typedef int history_callback(void *context, const struct history *history, struct firn_error **err);

/* Gathers the versions of one object after the other. */
struct gathering {
    struct s3_pins *pins;
    const char *prefix; /* names begin with it */
    history_callback *each;
    void *context;
    struct history history; /* name is NULL: none yet */
    const char *only;       /* NULL, or the one name that is wanted … */
    bool done;              /* … and whose versions have been seen */
};

static void history_clear(struct history *history)
{
    free(history->name);
    free(history->top.id);
    free(history->top.etag);
    free(history->first.id);
    free(history->first.etag);
    *history = (struct history){.name = NULL};
}

/* The object that was gathered is complete. */
static int emit(struct gathering *gathering, struct firn_error **err)
{
    struct history *history = &gathering->history;
    int result = 0;
    if (history->name != NULL && history->first.id != NULL) {
        if (history->count > 1)
            pin_take(gathering->pins, history->name, mem_strdup(history->first.id));
        else
            unpin(gathering->pins, history->name);
        result = gathering->each(gathering->context, history, err);
    }
    history_clear(history);
    return result;
}

static int gather(void *context, const struct s3_version *version, struct firn_error **err)
{
    struct gathering *gathering = context;
    struct history *history = &gathering->history;
    bool other = history->name == NULL || strcmp(history->name, version->name) != 0;
    if (other && emit(gathering, err) < 0)
        return -1;
    gathering->done = gathering->only != NULL && strcmp(version->name, gathering->only) > 0;
    if (gathering->only != NULL
            ? strcmp(version->name, gathering->only) != 0
            : strncmp(version->name, gathering->prefix, strlen(gathering->prefix)) != 0)
        return 0;
    if (other) {
        history->name = mem_strdup(version->name);
        history->top.id = mem_strdup(version->id);
        history->top.etag = mem_strdup(version->etag);
        history->top.length = version->length;
        history->top.modified = version->modified;
        history->top.marker = version->marker;
    }
    history->count++;
    if (version->marker)
        return 0;
    free(history->first.id);
    free(history->first.etag);
    history->first.id = mem_strdup(version->id);
    history->first.etag = mem_strdup(version->etag);
    history->first.length = version->length;
    history->first.modified = version->modified;
    return 0;
}

static int gather_all(struct s3 *s3, struct gathering *gathering, struct firn_error **err)
{
    gathering->pins = s3->pins;
    int result = walk(s3, gathering->only != NULL ? gathering->only : gathering->prefix, gather,
                      gathering, &gathering->done, err);
    if (result == 0)
        result = emit(gathering, err);
    history_clear(&gathering->history);
    return result;
}

/* What others see is another content. A copy of the first version is not: ETags tell the content. */
static bool is_overlaid(const struct history *history)
{
    return history->top.marker || history->top.length != history->first.length ||
           strcmp(history->top.etag, history->first.etag) != 0;
}

/* ------------------------------------------------------------------------------------------------ list, look up */

struct list {
    store_list_callback *each;
    void *context;
};

static int list_first(void *context, const struct history *history, struct firn_error **err)
{
    const struct list *list = context;
    struct store_entry entry = {.name = history->name,
                                .length = history->first.length,
                                .modified = history->first.modified};
    return list->each(list->context, &entry, err);
}

int s3_versions_list(struct s3 *s3, const char *prefix, store_list_callback *each, void *context,
                     struct firn_error **err)
{
    struct list list = {.each = each, .context = context};
    struct gathering gathering = {.prefix = prefix, .each = list_first, .context = &list};
    if (gather_all(s3, &gathering, err) < 0)
        return -1;
    set_listed(s3->pins, prefix);
    return 0;
}

struct look {
    bool found;
    uint64_t length;
    int64_t modified;
};

static int look_first(void *context, const struct history *history, struct firn_error **err)
{
    (void)err;
    *(struct look *)context = (struct look){
        .found = true, .length = history->first.length, .modified = history->first.modified};
    return 0;
}

int s3_versions_stat(struct s3 *s3, const char *name, uint64_t *length, int64_t *modified,
                     struct firn_error **err)
{
    struct look look = {.found = false};
    struct gathering gathering = {.only = name, .each = look_first, .context = &look};
    if (gather_all(s3, &gathering, err) < 0)
        return wrap(err, "look up %s", name);
    if (!look.found)
        return fail(err, FIRN_NOTFOUND, "look up %s: there is no such object in %s", name,
                    s3->base.location);
    *length = look.length;
    *modified = look.modified;
    return 0;
}

struct overlaid_list {
    store_overlaid_callback *each;
    void *context;
};

static int list_covered(void *context, const struct history *history, struct firn_error **err)
{
    const struct overlaid_list *list = context;
    if (!is_overlaid(history))
        return 0;
    struct store_overlaid object = {
        .name = history->name, .hidden = history->top.marker, .when = history->top.modified};
    return list->each(list->context, &object, err);
}

int s3_list_overlaid(struct store *store, const char *prefix, store_overlaid_callback *each,
                     void *context, struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    struct overlaid_list list = {.each = each, .context = context};
    struct gathering gathering = {.prefix = prefix, .each = list_covered, .context = &list};
    return s3_versioned(s3) ? gather_all(s3, &gathering, err) : 0;
}

/* ------------------------------------------------------------------------------------------------ removing */

/* The ids of all versions and markers of one name, the latest first. */
struct ids {
    const char *name;
    char **id;
    size_t count;
    char *first; /* borrowed from id: the oldest that is no marker; NULL: there are markers only */
    bool done;
};

static void ids_free(struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        free(ids->id[i]);
    free(ids->id);
}
#define auto_ids __attribute__((cleanup(ids_free)))

static int add_id(void *context, const struct s3_version *version, struct firn_error **err)
{
    (void)err;
    struct ids *ids = context;
    ids->done = strcmp(version->name, ids->name) > 0;
    if (strcmp(version->name, ids->name) != 0)
        return 0;
    ids->id = mem_resize(ids->id, ids->count + 1, sizeof(*ids->id));
    ids->id[ids->count++] = mem_strdup(version->id);
    if (!version->marker)
        ids->first = ids->id[ids->count - 1];
    return 0;
}

int s3_remove_version(struct s3 *s3, const char *name, const char *id, struct firn_error **err)
{
    const struct sigv4_parameter query[] = {{"versionId", id}};
    struct s3_request request = {
        .method = "DELETE", .name = name, .query = query, .query_count = array_length(query)};
    auto_answer struct s3_answer answer = {.response = NULL};
    return s3_exchange(s3, &request, &answer, err);
}

static int list_ids(struct s3 *s3, struct ids *ids, struct firn_error **err)
{
    if (walk(s3, ids->name, add_id, ids, &ids->done, err) < 0)
        return -1;
    if (ids->first == NULL)
        return fail(err, FIRN_NOTFOUND, "there is no such object in %s", s3->base.location);
    return 0;
}

/* The oldest goes last: whatever interrupts this, what somebody put over an object never takes its place. */
int s3_versions_remove(struct s3 *s3, const char *name, struct firn_error **err)
{
    auto_ids struct ids ids = {.name = name};
    if (list_ids(s3, &ids, err) < 0)
        return wrap(err, "remove %s", name);
    for (size_t i = 0; i < ids.count; i++)
        if (s3_remove_version(s3, name, ids.id[i], err) < 0)
            return s3_lock_explain(s3, name, ids.id[i], err);
    unpin(s3->pins, name);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ uncovering */

/* Puts the first version on top once more: takes no right to remove anything. */
static int copy_version(struct s3 *s3, const char *name, const char *id, struct firn_error **err)
{
    auto_buf struct buf path = buf_new(4096);
    s3_location_path(&s3->location, name, &path);
    bool has_bucket = strcmp(s3->location.root, "/") != 0;
    auto_free char *source = mem_printf("%s%s%s?versionId=%s", has_bucket ? "" : "/",
                                        has_bucket ? "" : s3->location.bucket, buf_text(&path), id);
    struct s3_lock_headers lock;
    struct firn_header headers[S3_LOCK_HEADERS + 1] = {
        {.name = "x-amz-copy-source", .value = source}};
    size_t count = 1 + s3_lock_headers(s3, name, NULL, &lock, headers + 1);
    struct s3_request request = {
        .method = "PUT", .name = name, .headers = headers, .header_count = count};
    auto_answer struct s3_answer answer = {.response = NULL};
    if (s3_exchange(s3, &request, &answer, err) < 0)
        return -1;
    struct s3_fault fault; /* a copy that fails on the way is answered 200 and an error */
    s3_xml_fault(answer.response->body, answer.response->body_length, &fault);
    if (fault.code[0] != '\0')
        return fail(err, FIRN_RETRY, "the server did not copy it: %s (%s)", fault.code,
                    fault.message);
    return 0;
}

int s3_uncover(struct store *store, const char *name, struct firn_error **err)
{
    struct s3 *s3 = (struct s3 *)store;
    auto_ids struct ids ids = {.name = name};
    auto_error struct firn_error *why = NULL;
    if (list_ids(s3, &ids, err) < 0)
        return wrap(err, "put the first version of %s back", name);
    int result = 0;
    for (size_t i = 0; i < ids.count && ids.id[i] != ids.first && result == 0; i++)
        result = s3_remove_version(s3, name, ids.id[i], &why);
    if (result == 0)
        return unpin(s3->pins, name), 0;
    if (error_code(why) != FIRN_DENIED)
        return fail(err, error_code(why), "put the first version of %s back: %s", name,
                    error_message(why));
    if (copy_version(s3, name, ids.first, err) < 0)
        return wrap(err, "put the first version of %s back", name);
    return 0;
}
