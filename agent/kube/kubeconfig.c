/* SPDX-License-Identifier: Apache-2.0 */
#include "kubeconfig.h"

#include "config.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/yaml.h"

#include <openssl/crypto.h>

#define FILE_LIMIT (8u << 20)
#define DATA_LIMIT (1u << 20)

enum section { CONTEXTS, CLUSTERS, USERS, SECTIONS };

static const struct {
    const char *list; /* the member of a file */
    const char *body; /* the member of an entry */
    const char *name; /* for messages */
} sections[SECTIONS] = {
    [CONTEXTS] = {"contexts", "context", "context"},
    [CLUSTERS] = {"clusters", "cluster", "cluster"},
    [USERS] = {"users", "user", "user"},
};

struct entry {
    struct entry *next;
    char *name;
    char *file;
    char *folder;
    struct json_object *body; /* NULL: an entry without one */
};

struct kubeconfig {
    char *current; /* current-context of the first file that has one */
    char *names;   /* of the files, for messages */
    struct entry *entries[SECTIONS];
};

struct kubeconfig *kubeconfig_new(void)
{
    return mem_zalloc(sizeof(struct kubeconfig));
}

void kubeconfig_free(struct kubeconfig *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < SECTIONS; i++)
        while (files->entries[i] != NULL) {
            struct entry *entry = files->entries[i];
            files->entries[i] = entry->next;
            free(entry->name);
            free(entry->file);
            free(entry->folder);
            json_free(&entry->body);
            free(entry);
        }
    free(files->current);
    free(files->names);
    free(files);
}

/* ---- reading */

static struct entry *find(const struct kubeconfig *files, enum section section, const char *name)
{
    struct entry *entry = files->entries[section];
    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

static int add_entry(struct kubeconfig *files, enum section section, struct json_object *value,
                     const char *file, const char *folder, struct firn_error **err)
{
    const char *name = NULL;
    if (json_get_string(value, "name", &name, err) < 0)
        return wrap(err, "%s: %s", file, sections[section].list);
    if (find(files, section, name) != NULL)
        return 0;
    struct json_object *body = json_at(value, sections[section].body);
    if (body != NULL && !json_object_is_type(body, json_type_object))
        return fail(err, FIRN_INVALID, "%s: %s %s is no object", file, sections[section].name,
                    name);
    struct entry **end = &files->entries[section];
    while (*end != NULL)
        end = &(*end)->next;
    *end = mem_zalloc(sizeof(**end));
    **end = (struct entry){
        .name = mem_strdup(name),
        .file = mem_strdup(file),
        .folder = mem_strdup(folder),
        .body = json_object_get(body),
    };
    return 0;
}

static int add_section(struct kubeconfig *files, enum section section, struct json_object *root,
                       const char *file, const char *folder, struct firn_error **err)
{
    struct json_object *list = json_at(root, sections[section].list);
    if (list == NULL)
        return 0;
    if (!json_object_is_type(list, json_type_array))
        return fail(err, FIRN_INVALID, "%s: %s is no list", file, sections[section].list);
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (add_entry(files, section, json_object_array_get_idx(list, i), file, folder, err) < 0)
            return -1;
    return 0;
}

int kubeconfig_add(struct kubeconfig *files, const char *text, size_t length, const char *name,
                   const char *folder, struct firn_error **err)
{
    auto_json struct json_object *root = NULL;
    if (yaml_parse(text, length, name, &root, err) < 0)
        return -1;
    char *names = files->names;
    files->names = names == NULL ? mem_strdup(name) : mem_printf("%s, %s", names, name);
    free(names);
    if (root == NULL) /* an empty file is none, as `touch` makes it */
        return 0;
    if (!json_object_is_type(root, json_type_object))
        return fail(err, FIRN_INVALID, "%s: this is no kubeconfig", name);
    const char *kind = json_string_or(root, "kind", "Config");
    if (strcmp(kind, "Config") != 0)
        return fail(err, FIRN_INVALID, "%s: kind is %.60s, a kubeconfig has Config", name, kind);
    const char *current = json_string_or(root, "current-context", "");
    if (files->current == NULL && *current != '\0')
        files->current = mem_strdup(current);
    for (enum section section = 0; section < SECTIONS; section++)
        if (add_section(files, section, root, name, folder, err) < 0)
            return -1;
    return 0;
}

int kubeconfig_add_file(struct kubeconfig *files, const char *path, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(FILE_LIMIT + 1);
    if (file_read(path, FILE_LIMIT, &text, err) < 0)
        return wrap(err, "kubeconfig");
    const char *slash = strrchr(path, '/');
    auto_free char *folder =
        slash == NULL ? mem_strdup(".") : mem_printf("%.*s", (int)(slash - path), path);
    int result = kubeconfig_add(files, buf_text(&text), text.length, path,
                                *folder == '\0' ? "/" : folder, err);
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.length);
    return result;
}

/* ---- resolving */

/* NULL if it is not set, or empty, which is the same to every client of Kubernetes. */
static char *take_text(const struct entry *entry, const char *member)
{
    const char *text = json_string_or(entry->body, member, "");
    return *text == '\0' ? NULL : mem_strdup(text);
}

static char *take_path(const struct entry *entry, const char *member)
{
    const char *path = json_string_or(entry->body, member, "");
    if (*path == '\0')
        return NULL;
    return *path == '/' ? mem_strdup(path) : file_join(entry->folder, path);
}

/* A member of Base64 as text; what it holds is PEM. *out NULL if it is not set. */
static int take_data(const struct entry *entry, const char *member, char **out,
                     struct firn_error **err)
{
    const char *text = json_string_or(entry->body, member, "");
    size_t length = strlen(text);
    size_t made = 0;
    if (length == 0)
        return 0;
    char *data = mem_zalloc(length + 1);
    if (length > DATA_LIMIT || !base64_decode(text, length, (uint8_t *)data, length, &made)) {
        free(data);
        return fail(err, FIRN_INVALID, "%s: %s: %s is no Base64", entry->file, entry->name, member);
    }
    data[made] = '\0';
    *out = data;
    return 0;
}

static int take_cluster(struct kube_config *config, const struct entry *entry,
                        struct firn_error **err)
{
    config->server = take_text(entry, "server");
    if (config->server == NULL)
        return fail(err, FIRN_INVALID, "%s: cluster %s has no server", entry->file, entry->name);
    for (size_t length = strlen(config->server); length > 0 && config->server[length - 1] == '/';
         length--)
        config->server[length - 1] = '\0';
    config->server_name = take_text(entry, "tls-server-name");
    config->proxy = take_text(entry, "proxy-url");
    config->unverified = json_bool_or(entry->body, "insecure-skip-tls-verify", false);
    if (take_data(entry, "certificate-authority-data", &config->ca, err) < 0)
        return -1;
    if (config->ca == NULL)
        config->ca_file = take_path(entry, "certificate-authority");
    if (config->unverified && (config->ca != NULL || config->ca_file != NULL))
        return fail(err, FIRN_INVALID,
                    "%s: cluster %s has a certificate authority and insecure-skip-tls-verify: "
                    "remove one of them",
                    entry->file, entry->name);
    struct json_object *extensions = json_at(entry->body, "extensions");
    for (size_t i = 0; json_object_is_type(extensions, json_type_array) &&
                       i < json_object_array_length(extensions);
         i++) {
        struct json_object *one = json_object_array_get_idx(extensions, i);
        if (strcmp(json_string_or(one, "name", ""), "client.authentication.k8s.io/exec") == 0)
            config->exec_config = json_object_get(json_at(one, "extension"));
    }
    return 0;
}

static int take_user(struct kube_config *config, const struct entry *entry, struct firn_error **err)
{
    if (take_data(entry, "client-certificate-data", &config->certificate, err) < 0 ||
        take_data(entry, "client-key-data", &config->key, err) < 0)
        return -1;
    if (config->certificate == NULL)
        config->certificate_file = take_path(entry, "client-certificate");
    if (config->key == NULL)
        config->key_file = take_path(entry, "client-key");
    bool certificate = config->certificate != NULL || config->certificate_file != NULL;
    bool key = config->key != NULL || config->key_file != NULL;
    if (certificate != key)
        return fail(err, FIRN_INVALID, "%s: user %s has a client %s, but no %s", entry->file,
                    entry->name, certificate ? "certificate" : "key",
                    certificate ? "client-key" : "client-certificate");
    config->token = take_text(entry, "token");
    config->token_file = take_path(entry, "tokenFile");
    config->username = take_text(entry, "username");
    config->password = take_text(entry, "password");
    config->impersonate = take_text(entry, "as");
    config->impersonate_groups = json_object_get(json_at(entry->body, "as-groups"));
    config->exec = json_object_get(json_at(entry->body, "exec"));
    config->exec_folder = mem_strdup(entry->folder);
    if (json_at(entry->body, "auth-provider") != NULL && config->exec == NULL)
        return fail(err, FIRN_INVALID,
                    "%s: user %s logs in by an auth-provider, which Kubernetes has given up: use "
                    "an exec credential plugin",
                    entry->file, entry->name);
    if (config->exec != NULL &&
        (config->token != NULL || config->token_file != NULL || config->username != NULL))
        return fail(err, FIRN_INVALID,
                    "%s: user %s has an exec plugin and another way to log in: remove one of them",
                    entry->file, entry->name);
    return 0;
}

static int missing(const struct kubeconfig *files, enum section section, const char *name,
                   struct firn_error **err)
{
    auto_buf struct buf known = buf_new(4096);
    for (const struct entry *entry = files->entries[section]; entry != NULL; entry = entry->next)
        buf_printf(&known, "%s%.253s", known.length == 0 ? "" : ", ", entry->name);
    return fail(err, FIRN_INVALID, "%s: there is no %s %.253s (there is: %s)",
                files->names == NULL ? "kubeconfig" : files->names, sections[section].name, name,
                known.length == 0 ? "none" : buf_text(&known));
}

static int resolve(const struct kubeconfig *files, const struct kube_options *options,
                   struct kube_config *config, struct firn_error **err)
{
    const char *chosen = options->context != NULL ? options->context : files->current;
    if (chosen == NULL)
        return fail(err, FIRN_INVALID, "%s: there is no current-context: name one with --context",
                    files->names == NULL ? "kubeconfig" : files->names);
    const struct entry *context = find(files, CONTEXTS, chosen);
    if (context == NULL)
        return missing(files, CONTEXTS, chosen, err);
    const char *named = json_string_or(context->body, "cluster", "");
    const struct entry *cluster = find(files, CLUSTERS, named);
    if (cluster == NULL)
        return missing(files, CLUSTERS, named, err);
    named = json_string_or(context->body, "user", "");
    const struct entry *user = find(files, USERS, named);
    if (user == NULL && *named != '\0')
        return missing(files, USERS, named, err);
    config->source = mem_printf("context %s of %s", chosen, context->file);
    config->namespace = options->namespace != NULL ? mem_strdup(options->namespace)
                                                   : take_text(context, "namespace");
    if (config->namespace == NULL)
        config->namespace = mem_strdup("default");
    if (take_cluster(config, cluster, err) < 0)
        return -1;
    return user == NULL ? 0 : take_user(config, user, err);
}

int kubeconfig_resolve(const struct kubeconfig *files, const struct kube_options *options,
                       struct kube_config **out, struct firn_error **err)
{
    auto_kube_config struct kube_config *config = mem_zalloc(sizeof(*config));
    if (resolve(files, options, config, err) < 0)
        return -1;
    *out = steal(config);
    return 0;
}
