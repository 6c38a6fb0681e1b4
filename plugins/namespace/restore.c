/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restore: first a plan is made of all objects, by comparing them with what is there; only if nothing stands in the way are they
 * applied, in an order in which what is referred to comes first.
 */
#include "cluster.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"
#include "core/manifest.h"
#include "core/mem.h"
#include "namespace.h"

#include <stdlib.h>
#include <string.h>

#define STREAM_LIMIT (512u * 1024u * 1024u) /* manifests of one kind, in memory */
#define DIFF_LIMIT   (64u * 1024u)

enum existing { EXISTING_FAIL, EXISTING_KEEP, EXISTING_OVERWRITE };

struct run {
    const struct cluster *cluster;
    struct firn_source *source;
    const char *target;
    const char *origin; /* the namespace that was captured */
    enum existing existing;
    bool dry_run;
    struct kinds kinds;       /* of the cluster */
    struct json_object *left; /* "deployments.apps/web": true, for what is not applied */
    size_t objects, collisions, missing, failed;
};

/* What others refer to comes first, what starts work comes last. Kinds that are not named lie between. */
static const char *const first_kinds[] = {
    "serviceaccounts",
    "secrets",
    "configmaps",
    "resourcequotas",
    "limitranges",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "persistentvolumeclaims",
    "services",
    "imagestreams.image.openshift.io",
};
static const char *const last_kinds[] = {
    "podtemplates",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "replicationcontrollers",
    "buildconfigs.build.openshift.io",
    "deploymentconfigs.apps.openshift.io",
    "jobs.batch",
    "cronjobs.batch",
    "pods",
    "virtualmachines.kubevirt.io",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
    "ingresses.networking.k8s.io",
    "routes.route.openshift.io",
};

static int rank(const char *object)
{
    for (size_t i = 0; i < array_length(first_kinds); i++)
        if (strcmp(first_kinds[i], object) == 0)
            return (int)i - (int)array_length(first_kinds);
    for (size_t i = 0; i < array_length(last_kinds); i++)
        if (strcmp(last_kinds[i], object) == 0)
            return (int)i + 1;
    return 0;
}

static int by_rank(const void *a, const void *b)
{
    const char *first = *(const char *const *)a, *second = *(const char *const *)b;
    int difference = rank(first) - rank(second);
    return difference != 0 ? difference : strcmp(first, second);
}

static void say(const struct run *run, enum firn_log_level level, const char *what,
                const char *object, const char *name, const char *detail)
{
    run->cluster->host->log(run->cluster->host, level, "%s %s/%s%s%s", what, object, name,
                            *detail != '\0' ? ": " : "", detail);
}

/* ------------------------------------------------------------------------------------------------------------- reading */

static int read_json(const struct run *run, const char *name, struct json_object **out,
                     struct firn_error **err)
{
    struct firn_source *source = run->source;
    struct firn_reader *reader;
    auto_buf struct buf text = buf_new(STREAM_LIMIT);
    char piece[65536];
    int64_t got;
    if (source->open(source, name, 0, &reader) < 0)
        return fail(err, FIRN_UNSAID, "%s", name);
    while ((got = source->read(reader, piece, sizeof(piece))) > 0)
        buf_append(&text, piece, (size_t)got);
    source->close(reader);
    if (got < 0)
        return fail(err, FIRN_UNSAID, "%s", name);
    if (text.overflowed)
        return fail(err, FIRN_INVALID, "%s: more than %u MiB of manifests", name,
                    STREAM_LIMIT >> 20);
    return json_parse(text.data, text.length, name, out, err);
}

/* Puts the object where it is to be: its namespace, and that of subjects which lay in the same one. */
static void move(const struct run *run, struct json_object *object)
{
    struct json_object *metadata = json_at(object, "metadata");
    struct json_object *subjects = json_at(object, "subjects");
    if (json_object_is_type(metadata, json_type_object))
        json_set_string(metadata, "namespace", run->target);
    if (!json_object_is_type(subjects, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(subjects); i++) {
        struct json_object *subject = json_object_array_get_idx(subjects, i);
        if (strcmp(json_string_or(subject, "namespace", ""), run->origin) == 0)
            json_set_string(subject, "namespace", run->target);
    }
}

/* Calls `each` for every object of a stream, moved. */
static int for_each(struct run *run, const char *stream,
                    int (*each)(struct run *run, const struct kind *kind, const char *name,
                                struct json_object *object, void *context, struct firn_error **err),
                    void *context, struct firn_error **err)
{
    auto_json struct json_object *list = NULL;
    struct json_object *items;
    const struct kind *kind = kinds_find(&run->kinds, stream);
    if (read_json(run, stream, &list, err) < 0 || json_get_array(list, "items", &items, err) < 0)
        return -1;
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *object = json_object_array_get_idx(items, i);
        const char *name;
        if (run->cluster->host->cancelled(run->cluster->host))
            return fail(err, FIRN_CANCELLED, "interrupted");
        if (json_get_string(object, "metadata.name", &name, err) < 0)
            return wrap(err, "%s", stream);
        move(run, object);
        if (each(run, kind, name, object, context, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------- planning */

static int keep_existing(void *context, struct json_object *object, struct firn_error **err)
{
    struct json_object *there = context;
    (void)err;
    manifest_clean(object);
    json_object_object_add(there, json_string_or(object, "metadata.name", ""),
                           json_object_get(object));
    return 0;
}

static int forget_existing(void *context, struct firn_error **err)
{
    struct json_object *there = context;
    (void)err;
    json_object_object_foreach(there, name, value)
    {
        (void)value;
        json_object_object_del(there, name); /* of the current one: json-c allows that */
    }
    return 0;
}

static void leave(struct run *run, const struct kind *kind, const char *name)
{
    auto_free char *what = mem_printf("%s/%s", kind->object, name);
    json_set_bool(run->left, what, true);
}

static int plan_object(struct run *run, const struct kind *kind, const char *name,
                       struct json_object *object, void *context, struct firn_error **err)
{
    struct json_object *there = context, *present = NULL;
    auto_buf struct buf lines = buf_new(DIFF_LIMIT);
    (void)err;
    run->objects++;
    if (kind == NULL) {
        run->missing++;
        return 0;
    }
    if (!json_object_object_get_ex(there, name, &present)) {
        if (run->dry_run)
            say(run, FIRN_LOG_INFO, "create", kind->object, name, "");
        return 0;
    }
    unsigned differences = manifest_diff(present, object, &lines);
    if (differences == 0) {
        leave(run, kind, name);
        return 0;
    }
    const char *what = run->existing == EXISTING_KEEP        ? "keep"
                       : run->existing == EXISTING_OVERWRITE ? "overwrite"
                                                             : "collision:";
    enum firn_log_level level = run->existing == EXISTING_FAIL ? FIRN_LOG_WARNING : FIRN_LOG_INFO;
    char *rest = lines.data;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
        if (*line != '\0')
            say(run, level, what, kind->object, name, line);
    if (run->existing == EXISTING_FAIL)
        run->collisions++;
    else if (run->existing == EXISTING_KEEP)
        leave(run, kind, name);
    return 0;
}

static int plan_stream(struct run *run, const char *stream, bool fresh, struct firn_error **err)
{
    auto_json struct json_object *there = json_object_new_object();
    const struct kind *kind = kinds_find(&run->kinds, stream);
    const struct listing listing = {keep_existing, forget_existing, there};
    size_t missing = run->missing;
    if (kind != NULL && !fresh && cluster_list(run->cluster, kind, run->target, &listing, err) < 0)
        return -1;
    if (for_each(run, stream, plan_object, there, err) < 0)
        return -1;
    if (run->missing > missing)
        run->cluster->host->log(run->cluster->host, FIRN_LOG_WARNING,
                                "the cluster does not know %s: install what defines it, or restore "
                                "other objects one by one",
                                stream);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------- applying */

static int apply(const struct run *run, const char *path, struct json_object *object,
                 struct firn_error **err)
{
    auto_free char *query = mem_printf("%s?fieldManager=firn&force=true", path);
    return cluster_send(run->cluster, "patch", "PATCH", query, "application/apply-patch+yaml",
                        object, err);
}

static int apply_object(struct run *run, const struct kind *kind, const char *name,
                        struct json_object *object, void *context, struct firn_error **err)
{
    auto_free char *what = mem_printf("%s/%s", kind->object, name);
    auto_buf struct buf path = buf_new(64 * 1024);
    auto_error struct firn_error *why = NULL;
    (void)context;
    (void)err;
    if (json_object_object_get_ex(run->left, what, NULL))
        return 0;
    kind_path(kind, run->target, name, &path);
    if (apply(run, path.data, object, &why) == 0)
        return 0;
    run->failed++;
    run->cluster->host->log(run->cluster->host, FIRN_LOG_ERROR, "%s: %s", what, error_message(why));
    return 0;
}

/* Whether the namespace is there; *fresh: it is not. */
static int look_for_target(const struct run *run, bool *fresh, struct firn_error **err)
{
    struct firn_error *why = NULL;
    auto_free char *path = mem_printf("/api/v1/namespaces/%s", run->target);
    *fresh = false;
    if (cluster_get(run->cluster, "get", path, NULL, &why) == 0)
        return 0;
    *fresh = error_code(why) == FIRN_NOTFOUND;
    if (!*fresh) {
        *err = why;
        return -1;
    }
    error_clear(&why);
    return 0;
}

static int make_target(const struct run *run, struct firn_error **err)
{
    auto_json struct json_object *object = NULL;
    auto_free char *path = mem_printf("/api/v1/namespaces/%s", run->target);
    if (read_json(run, NAMESPACE_DOCUMENT, &object, err) < 0)
        return -1;
    struct json_object *metadata = json_at(object, "metadata");
    struct json_object *labels = json_at(object, "metadata.labels");
    if (!json_object_is_type(metadata, json_type_object))
        return fail(err, FIRN_CORRUPT, "%s: no metadata", NAMESPACE_DOCUMENT);
    json_set_string(metadata, "name", run->target);
    if (json_object_is_type(labels, json_type_object))
        json_object_object_del(labels, "kubernetes.io/metadata.name"); /* the API server's */
    return apply(run, path, object, err);
}

/* ------------------------------------------------------------------------------------------------------------------ all */

/* The streams to restore, in the order of their ranks; borrowed names. */
static int choose_streams(const struct run *run, const struct firn_restore *request,
                          const char ***out, size_t *count, struct firn_error **err)
{
    struct firn_source *source = run->source;
    const char **names = mem_array(source->object_count + 1, sizeof(*names));
    *count = 0;
    for (size_t i = 0; i < source->object_count; i++) {
        struct firn_object_info info = {.size = sizeof(info)};
        if (source->object(source, i, &info) < 0) {
            free(names);
            return fail(err, FIRN_UNSAID, "object");
        }
        if (info.kind == FIRN_OBJECT_STREAM &&
            (request->object == NULL || strcmp(request->object, info.name) == 0))
            names[(*count)++] = info.name;
    }
    qsort(names, *count, sizeof(*names), by_rank);
    *out = names;
    return 0;
}

static int check_plan(const struct run *run, struct firn_error **err)
{
    if (run->collisions > 0)
        return fail(err, FIRN_CONFLICT,
                    "%zu of %zu objects are in %s already and differ; nothing was changed. Choose "
                    "--existing keep or overwrite, or another namespace",
                    run->collisions, run->objects, run->target);
    if (run->missing > 0)
        return fail(
            err, FIRN_NOTFOUND,
            "the cluster does not know the kinds of %zu of %zu objects; nothing was changed",
            run->missing, run->objects);
    return 0;
}

static int restore_streams(struct run *run, const char *const *streams, size_t count,
                           struct firn_error **err)
{
    bool fresh;
    if (look_for_target(run, &fresh, err) < 0)
        return -1;
    if (fresh && run->dry_run)
        say(run, FIRN_LOG_INFO, "create", "namespaces", run->target, "");
    for (size_t i = 0; i < count; i++)
        if (plan_stream(run, streams[i], fresh, err) < 0)
            return -1;
    if (check_plan(run, err) < 0)
        return -1;
    if (run->dry_run)
        return 0;
    if (fresh && make_target(run, err) < 0)
        return wrap(err, "make the namespace %s", run->target);
    for (size_t i = 0; i < count; i++) {
        run->cluster->host->step(run->cluster->host, streams[i]);
        if (for_each(run, streams[i], apply_object, NULL, err) < 0)
            return -1;
    }
    if (run->failed > 0)
        return fail(err, FIRN_INTERNAL, "%zu of %zu objects could not be restored", run->failed,
                    run->objects);
    return 0;
}

static void group_failed(void *context, const char *group, const struct firn_error *why)
{
    const struct run *run = context;
    run->cluster->host->log(run->cluster->host, FIRN_LOG_WARNING,
                            "the API group %s does not answer: %s", group, error_message(why));
}

static int read_request(struct run *run, const struct firn_restore *request,
                        struct firn_error **err)
{
    const char *existing = run->cluster->host->param(run->cluster->host, "existing");
    const char *colon = strchr(run->source->item, ':');
    if (!cluster_name_valid(request->target))
        return fail(err, FIRN_INVALID, "\"%s\" is not the name of a namespace", request->target);
    run->target = request->target;
    run->origin = colon != NULL ? colon + 1 : "";
    run->dry_run = request->dry_run != 0;
    if (request->overwrite || strcmp(existing, "overwrite") == 0)
        run->existing = EXISTING_OVERWRITE;
    else if (strcmp(existing, "keep") == 0)
        run->existing = EXISTING_KEEP;
    else if (strcmp(existing, "fail") != 0)
        return fail(err, FIRN_INVALID, "--existing %s: fail, keep or overwrite", existing);
    return 0;
}

int restore_namespace(const struct cluster *cluster, const struct firn_restore *request,
                      struct firn_source *source, struct firn_error **err)
{
    struct run run = {.cluster = cluster, .source = source, .left = json_object_new_object()};
    auto_free const char **streams = NULL;
    size_t count;
    int result = read_request(&run, request, err);
    if (result == 0)
        result = cluster_kinds(cluster, &run.kinds, group_failed, &run, err);
    if (result == 0)
        result = choose_streams(&run, request, &streams, &count, err);
    if (result == 0 && count == 0)
        result = fail(err, FIRN_NOTFOUND, "the snapshot holds no manifests%s%s",
                      request->object != NULL ? " of " : "",
                      request->object != NULL ? request->object : "");
    if (result == 0)
        result = restore_streams(&run, streams, count, err);
    kinds_free(&run.kinds);
    json_object_put(run.left);
    return result;
}
