/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest.h"

#include "buf.h"
#include "json.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------- skipping */

static bool kind_is(struct json_object *object, const char *kind)
{
    return strcmp(json_string_or(object, "kind", ""), kind) == 0;
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Kinds that say what is, not what is wanted. */
static const char *const transient_kinds[] = {
    "Endpoints",          "EndpointSlice",   "Event",   "Lease",
    "ControllerRevision", "PodMetrics",      "Binding", "LocalSubjectAccessReview",
    "CSIStorageCapacity", "PackageManifest",
};

/* Objects that each namespace gets. */
static const struct {
    const char *kind, *name;
} made_by_cluster[] = {
    {"ConfigMap", "kube-root-ca.crt"},
    {"ConfigMap", "openshift-service-ca.crt"},
    {"ServiceAccount", "default"},
    {"ServiceAccount", "builder"},
    {"ServiceAccount", "deployer"},
    {"RoleBinding", "system:deployers"},
    {"RoleBinding", "system:image-builders"},
    {"RoleBinding", "system:image-pullers"},
};

static const char *controller_of(struct json_object *object, struct buf *scratch)
{
    struct json_object *owners = json_at(object, "metadata.ownerReferences");
    size_t count =
        json_object_is_type(owners, json_type_array) ? json_object_array_length(owners) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *owner = json_object_array_get_idx(owners, i);
        if (!json_bool_or(owner, "controller", false))
            continue;
        buf_reset(scratch);
        buf_printf(scratch, "controlled by %s %s", json_string_or(owner, "kind", "?"),
                   json_string_or(owner, "name", "?"));
        return scratch->data;
    }
    return NULL;
}

bool manifest_transient(const char *kind)
{
    for (size_t i = 0; i < array_length(transient_kinds); i++)
        if (strcmp(kind, transient_kinds[i]) == 0)
            return true;
    return false;
}

const char *manifest_skipped(struct json_object *object, struct buf *scratch)
{
    const char *kind = json_string_or(object, "kind", "");
    const char *name = json_string_or(object, "metadata.name", "");
    if (manifest_transient(kind))
        return "the cluster makes it anew";
    for (size_t i = 0; i < array_length(made_by_cluster); i++)
        if (strcmp(kind, made_by_cluster[i].kind) == 0 &&
            strcmp(name, made_by_cluster[i].name) == 0)
            return "each namespace has it";
    struct json_object *annotations = json_at(object, "metadata.annotations");
    if (manifest_secret(object) &&
        json_object_object_get_ex(annotations, "kubernetes.io/service-account.name", NULL))
        return "a token of this cluster";
    return controller_of(object, scratch);
}

bool manifest_secret(struct json_object *object)
{
    return kind_is(object, "Secret");
}

/* ------------------------------------------------------------------------------------------------------------- cleaning */

/* Annotations that controllers set, or kubectl; what ends in '/' or '.' is the beginning of a name. */
static const char *const set_annotations[] = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubectl.kubernetes.io/restartedAt",
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "control-plane.alpha.kubernetes.io/",
    "endpoints.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "batch.kubernetes.io/job-tracking",
    "cni.projectcalico.org/",
    "k8s.v1.cni.cncf.io/network-status",
    "openshift.io/sa.scc.",
    "openshift.io/internal-registry-pull-secret-ref",
};

static bool annotation_is_set(const char *name)
{
    for (size_t i = 0; i < array_length(set_annotations); i++) {
        const char *each = set_annotations[i];
        char last = each[strlen(each) - 1];
        if (last == '/' || last == '.' ? begins_with(name, each) : strcmp(name, each) == 0)
            return true;
    }
    return false;
}

static void remove_member(struct json_object *object, const char *path, const char *name)
{
    struct json_object *parent = *path != '\0' ? json_at(object, path) : object;
    if (json_object_is_type(parent, json_type_object))
        json_object_object_del(parent, name);
}

/* Removes a member that is an empty object or list. */
static void remove_empty(struct json_object *object, const char *path, const char *name)
{
    struct json_object *parent = *path != '\0' ? json_at(object, path) : object;
    struct json_object *value = NULL;
    if (!json_object_is_type(parent, json_type_object) ||
        !json_object_object_get_ex(parent, name, &value))
        return;
    bool empty =
        value == NULL ||
        (json_object_is_type(value, json_type_object) && json_object_object_length(value) == 0) ||
        (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0);
    if (empty)
        json_object_object_del(parent, name);
}

static void clean_annotations(struct json_object *object)
{
    struct json_object *annotations = json_at(object, "metadata.annotations");
    if (!json_object_is_type(annotations, json_type_object))
        return;
    struct json_object_iter iterator;
    const char *found;
    do { /* json-c cannot remove while it walks */
        found = NULL;
        json_object_object_foreachC(annotations, iterator)
        {
            if (annotation_is_set(iterator.key))
                found = iterator.key;
        }
        if (found != NULL) {
            auto_free char *name = mem_strdup(found);
            json_object_object_del(annotations, name);
        }
    } while (found != NULL);
    remove_empty(object, "metadata", "annotations");
}

static const struct {
    const char *kind, *path, *name;
} assigned[] = {
    {"Namespace", "spec", "finalizers"},
    {"Service", "spec", "clusterIPs"},
    {"Service", "spec", "healthCheckNodePort"},
    {"Service", "spec", "ipFamilies"},
    {"PersistentVolumeClaim", "spec", "volumeName"},
    {"PersistentVolume", "spec.claimRef", "uid"},
    {"PersistentVolume", "spec.claimRef", "resourceVersion"},
    {"Job", "spec", "selector"},
    {"Job", "spec.template.metadata.labels", "controller-uid"},
    {"Job", "spec.template.metadata.labels", "batch.kubernetes.io/controller-uid"},
    {"Job", "metadata.labels", "controller-uid"},
    {"Job", "metadata.labels", "batch.kubernetes.io/controller-uid"},
    {"Pod", "spec", "nodeName"},
};

/* Secrets of tokens that the cluster made for a ServiceAccount: NAME-token-x7k2p, NAME-dockercfg-9f4zq. */
static void clean_tokens(struct json_object *account, const char *list)
{
    struct json_object *secrets = json_at(account, list);
    const char *name = json_string_or(account, "metadata.name", "");
    auto_free char *token = mem_printf("%s-token-", name);
    auto_free char *pull = mem_printf("%s-dockercfg-", name);
    size_t count =
        json_object_is_type(secrets, json_type_array) ? json_object_array_length(secrets) : 0;
    while (count-- > 0) {
        const char *secret = json_string_or(json_object_array_get_idx(secrets, count), "name", "");
        if (begins_with(secret, token) || begins_with(secret, pull))
            json_object_array_del_idx(secrets, count, 1);
    }
    remove_empty(account, "", list);
}

/* Lets the API server assign these again. A manual selector, and the address "None" of a headless Service, are people's. */
static void clean_assigned(struct json_object *object)
{
    bool manual = json_bool_or(object, "spec.manualSelector", false);
    for (size_t i = 0; i < array_length(assigned); i++) {
        if (!kind_is(object, assigned[i].kind) || (manual && kind_is(object, "Job")))
            continue;
        remove_member(object, assigned[i].path, assigned[i].name);
    }
    if (kind_is(object, "Service") &&
        strcmp(json_string_or(object, "spec.clusterIP", "None"), "None") != 0)
        remove_member(object, "spec", "clusterIP");
    if (kind_is(object, "ServiceAccount")) {
        clean_tokens(object, "secrets");
        clean_tokens(object, "imagePullSecrets");
    }
}

void manifest_clean(struct json_object *object)
{
    static const char *const metadata[] = {
        "uid",           "resourceVersion",   "generation",
        "selfLink",      "creationTimestamp", "deletionTimestamp",
        "managedFields", "ownerReferences",   "deletionGracePeriodSeconds",
        "finalizers"};
    for (size_t i = 0; i < array_length(metadata); i++)
        remove_member(object, "metadata", metadata[i]);
    remove_member(object, "", "status");
    clean_annotations(object);
    clean_assigned(object);
    remove_member(object, "spec.template.metadata", "creationTimestamp");
    remove_empty(object, "spec.template", "metadata");
    remove_empty(object, "metadata", "labels");
}

/* ------------------------------------------------------------------------------------------------------------ comparing */

struct comparison {
    struct buf *out;
    unsigned lines;
    bool hide; /* values */
};

static void write_value(const struct comparison *comparison, struct json_object *value)
{
    if (comparison->hide)
        buf_puts(comparison->out, "(hidden)");
    else
        json_write(comparison->out, value);
}

static void difference(struct comparison *comparison, const char *path, struct json_object *first,
                       struct json_object *second)
{
    char sign = first == NULL ? '+' : second == NULL ? '-' : '~';
    buf_printf(comparison->out, "%c %s: ", sign, *path != '\0' ? path : "(all)");
    if (first != NULL)
        write_value(comparison, first);
    if (first != NULL && second != NULL)
        buf_puts(comparison->out, " → ");
    if (second != NULL)
        write_value(comparison, second);
    buf_putc(comparison->out, '\n');
    comparison->lines++;
}

static void compare(struct comparison *comparison, const char *path, struct json_object *first,
                    struct json_object *second);

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all members of both, sorted, each once; they are borrowed. */
static const char **names_of(struct json_object *first, struct json_object *second, size_t *count)
{
    size_t most =
        (size_t)json_object_object_length(first) + (size_t)json_object_object_length(second);
    const char **names = mem_array(most + 1, sizeof(*names));
    struct json_object_iter iterator;
    size_t all = 0;
    json_object_object_foreachC(first, iterator)
    {
        names[all++] = iterator.key;
    }
    json_object_object_foreachC(second, iterator)
    {
        if (!json_object_object_get_ex(first, iterator.key, NULL))
            names[all++] = iterator.key;
    }
    qsort(names, all, sizeof(*names), by_name);
    *count = all;
    return names;
}

static void compare_objects(struct comparison *comparison, const char *path,
                            struct json_object *first, struct json_object *second)
{
    size_t count;
    auto_free const char **names = names_of(first, second, &count);
    for (size_t i = 0; i < count; i++) {
        auto_free char *below = mem_printf("%s%s%s", path, *path != '\0' ? "." : "", names[i]);
        struct json_object *a = NULL, *b = NULL;
        json_object_object_get_ex(first, names[i], &a);
        json_object_object_get_ex(second, names[i], &b);
        compare(comparison, below, a, b);
    }
}

static const char *element_name(struct json_object *array, size_t place)
{
    struct json_object *element = json_object_array_get_idx(array, place);
    return json_object_is_type(element, json_type_object) ? json_string_or(element, "name", NULL)
                                                          : NULL;
}

static bool all_named(struct json_object *array)
{
    for (size_t i = 0; i < json_object_array_length(array); i++)
        if (element_name(array, i) == NULL)
            return false;
    return true;
}

static struct json_object *element_named(struct json_object *array, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(array); i++)
        if (strcmp(element_name(array, i), name) == 0)
            return json_object_array_get_idx(array, i);
    return NULL;
}

static void compare_named(struct comparison *comparison, const char *path,
                          struct json_object *first, struct json_object *second)
{
    for (size_t i = 0; i < json_object_array_length(first); i++) {
        const char *name = element_name(first, i);
        auto_free char *below = mem_printf("%s[%s]", path, name);
        compare(comparison, below, json_object_array_get_idx(first, i),
                element_named(second, name));
    }
    for (size_t i = 0; i < json_object_array_length(second); i++) {
        const char *name = element_name(second, i);
        auto_free char *below = mem_printf("%s[%s]", path, name);
        if (element_named(first, name) == NULL)
            compare(comparison, below, NULL, json_object_array_get_idx(second, i));
    }
}

static void compare_arrays(struct comparison *comparison, const char *path,
                           struct json_object *first, struct json_object *second)
{
    if (all_named(first) && all_named(second)) {
        compare_named(comparison, path, first, second);
        return;
    }
    size_t a = json_object_array_length(first), b = json_object_array_length(second);
    for (size_t i = 0; i < a || i < b; i++) {
        auto_free char *below = mem_printf("%s[%zu]", path, i);
        compare(comparison, below, i < a ? json_object_array_get_idx(first, i) : NULL,
                i < b ? json_object_array_get_idx(second, i) : NULL);
    }
}

static void compare(struct comparison *comparison, const char *path, struct json_object *first,
                    struct json_object *second)
{
    if (json_object_equal(first, second))
        return;
    enum json_type type = json_object_get_type(first);
    if (type != json_object_get_type(second) || first == NULL || second == NULL)
        difference(comparison, path, first, second);
    else if (type == json_type_object)
        compare_objects(comparison, path, first, second);
    else if (type == json_type_array)
        compare_arrays(comparison, path, first, second);
    else
        difference(comparison, path, first, second);
}

unsigned manifest_diff(struct json_object *first, struct json_object *second, struct buf *out)
{
    struct comparison comparison = {
        .out = out,
        .hide = (first != NULL && manifest_secret(first)) ||
                (second != NULL && manifest_secret(second)),
    };
    compare(&comparison, "", first, second);
    return comparison.lines;
}
