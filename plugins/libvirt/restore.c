/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include "definition.h"
#include "image.h"
#include "tpm.h"
#include "xml.h"

#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_SUFFIX ".firn-part"

struct restore {
    struct connection *connection;
    const struct firn_restore *request;
    struct firn_source *source;
    const char *directory;
    xmlDocPtr document;
    struct images images;
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *nvram; /* its final path; NULL: the domain has none */
    char *nvram_part;
    bool nvram_placed;
    char *tpm;      /* the folder made for it; NULL: none */
    char *replaced; /* XML of the domain that is overwritten; NULL: a new one */
    bool defined;
};

static void restore_release(struct restore *restore)
{
    xml_release(&restore->document);
    images_release(&restore->images);
    free(restore->nvram);
    free(restore->nvram_part);
    free(restore->tpm);
    free(restore->replaced);
}
#define auto_restore __attribute__((cleanup(restore_release)))

/* ------------------------------------------------------------------------------------------------ what to make */

/* The format that the disk had, for a snapshot restored without --format: qcow2 stays, everything else becomes raw. */
static const char *original_format(struct json_object *table, const char *target)
{
    struct json_object *list = json_at(table, "disks");
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        if (strcmp(json_string_or(entry, "target", ""), target) == 0)
            return strcmp(json_string_or(entry, "format", "raw"), "qcow2") == 0 ? "qcow2" : "raw";
    }
    return "raw";
}

static int read_table(struct restore *restore, struct json_object **out, struct firn_error **err)
{
    char *text = NULL;
    size_t length = 0;
    if (restore->source->document(restore->source, "disks.json", &text, &length) < 0)
        return -1;
    int result = json_parse(text, length, "disks.json", out, err);
    restore->source->document_free(restore->source, text);
    return result;
}

/* Names come from the snapshot and become file names. */
static int check_target(const char *name, struct firn_error **err)
{
    size_t span = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    if (*name == '\0' || name[span] != '\0' || span > 64)
        return fail(err, FIRN_INVALID, "\"%s\" is no name of a disk", name);
    return 0;
}

static int add_image(struct restore *restore, struct json_object *table,
                     const struct firn_object_info *info, struct firn_error **err)
{
    struct image *image = &restore->images.list[restore->images.count];
    const char *format = restore->request->format;
    if (check_target(info->name, err) < 0)
        return -1;
    if (format == NULL)
        format = original_format(table, info->name);
    auto_free char *file = mem_printf("%s-%s.%s", restore->request->target, info->name,
                                      strcmp(format, "qcow2") == 0 ? "qcow2" : "img");
    *image = (struct image){
        .target = mem_strdup(info->name),
        .format = mem_strdup(format),
        .path = file_join(restore->directory, file),
        .size = info->length,
    };
    image->part = mem_printf("%s" PART_SUFFIX, image->path);
    restore->images.count++;
    return 0;
}

static int list_images(struct restore *restore, struct firn_error **err)
{
    auto_json struct json_object *table = NULL;
    struct firn_source *source = restore->source;
    if (read_table(restore, &table, err) < 0)
        return -1;
    restore->images.list = mem_array(source->object_count, sizeof(*restore->images.list));
    for (size_t i = 0; i < source->object_count; i++) {
        struct firn_object_info info = {.size = sizeof(info)};
        if (source->object(source, i, &info) < 0)
            return -1;
        if (info.kind == FIRN_OBJECT_VOLUME && add_image(restore, table, &info, err) < 0)
            return -1;
    }
    if (restore->images.count == 0)
        return fail(err, FIRN_INVALID, "the snapshot holds no disk");
    return 0;
}

static int read_definition(struct restore *restore, struct firn_error **err)
{
    char *text = NULL;
    size_t length = 0;
    if (restore->source->document(restore->source, "domain.xml", &text, &length) < 0)
        return -1;
    int result = xml_parse(text, length, "domain.xml", &restore->document, err);
    restore->source->document_free(restore->source, text);
    return result;
}

static int check_request(const struct firn_restore *request, struct firn_error **err)
{
    const char *format = request->format;
    if (request->object != NULL)
        return fail(err, FIRN_INVALID,
                    "a domain is restored whole; a single disk goes to a file: --target PATH");
    if (format != NULL && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        return fail(err, FIRN_INVALID, "format \"%s\": raw and qcow2 are known", format);
    if (*request->target == '\0' || *request->target == '.' || strchr(request->target, '/') != NULL)
        return fail(err, FIRN_INVALID, "\"%s\" is no name for a domain", request->target);
    return 0;
}

/* Whether the snapshot has a document of that name. */
static bool has_document(struct restore *restore, const char *name)
{
    struct firn_source *source = restore->source;
    for (size_t i = 0; i < source->object_count; i++) {
        struct firn_object_info info = {.size = sizeof(info)};
        if (source->object(source, i, &info) == 0 && strcmp(info.name, name) == 0)
            return true;
    }
    return false;
}

static int prepare(struct restore *restore, struct firn_error **err)
{
    const char *name = restore->request->target;
    if (check_request(restore->request, err) < 0 || list_images(restore, err) < 0 ||
        read_definition(restore, err) < 0)
        return -1;
    definition_new_uuid(restore->uuid);
    /* A domain that leaves the choice of its firmware to libvirt does not name its NVRAM. */
    if (definition_has_nvram(restore->document) || has_document(restore, "nvram")) {
        auto_free char *file = mem_printf("%s_VARS.fd", name);
        restore->nvram = file_join(restore->directory, file);
        restore->nvram_part = mem_printf("%s" PART_SUFFIX, restore->nvram);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ collisions */

static size_t file_collides(struct restore *restore, const char *path)
{
    struct stat status;
    if (path == NULL || lstat(path, &status) < 0)
        return 0;
    if (restore->request->overwrite && S_ISREG(status.st_mode))
        return 0;
    connection_log(restore->connection, WARNING, "%s is there already", path);
    return 1;
}

/* A domain that is replaced keeps its UUID: libvirt knows it by that. */
static int domain_collides(struct restore *restore, size_t *collisions, struct firn_error **err)
{
    const char *name = restore->request->target;
    auto_domain virDomainPtr domain = virDomainLookupByName(restore->connection->vir, name);
    if (domain == NULL)
        return 0;
    if (virDomainIsActive(domain) != 0 || !restore->request->overwrite) {
        connection_log(restore->connection, WARNING, "a domain \"%s\" is there already%s", name,
                       restore->request->overwrite ? ", and runs" : "");
        ++*collisions;
        return 0;
    }
    restore->replaced =
        virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    if (restore->replaced == NULL || virDomainGetUUIDString(domain, restore->uuid) < 0)
        return fail_vir(err, "read the XML of \"%s\", which is to be replaced", name);
    return 0;
}

static int check_collisions(struct restore *restore, size_t *collisions, struct firn_error **err)
{
    struct stat folder;
    *collisions = 0;
    if (stat(restore->directory, &folder) < 0 || !S_ISDIR(folder.st_mode))
        return fail(err, FIRN_NOTFOUND, "the directory %s does not exist: make it, or name another",
                    restore->directory);
    if (domain_collides(restore, collisions, err) < 0)
        return -1;
    for (size_t i = 0; i < restore->images.count; i++)
        *collisions += file_collides(restore, restore->images.list[i].path);
    *collisions += file_collides(restore, restore->nvram);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ small state */

static int write_document(struct restore *restore, const char *name, const char *path,
                          struct firn_error **err)
{
    char *data = NULL;
    size_t length = 0;
    if (restore->source->document(restore->source, name, &data, &length) < 0)
        return -1;
    int result = file_write(path, data, length, 0600, err);
    restore->source->document_free(restore->source, data);
    return result < 0 ? -1 : image_adopt_owner(path, err);
}

static int write_nvram(struct restore *restore, struct firn_error **err)
{
    if (restore->nvram == NULL || !has_document(restore, "nvram"))
        return 0;
    return write_document(restore, "nvram", restore->nvram_part, err);
}

/* "tpm/FOLDER/FILE", both plain names. */
static int check_tpm_name(const char *name, struct firn_error **err)
{
    const char *rest = name + strlen(TPM_PREFIX);
    const char *slash = strchr(rest, '/');
    if (slash == NULL || slash == rest || slash[1] == '\0' || strchr(slash + 1, '/') != NULL ||
        *rest == '.' || slash[1] == '.')
        return fail(err, FIRN_INVALID, "\"%s\" is no name of a file of a TPM", name);
    return 0;
}

static int write_tpm_file(struct restore *restore, const char *name, struct firn_error **err)
{
    if (check_tpm_name(name, err) < 0)
        return -1;
    auto_free char *path = file_join(restore->tpm, name + strlen(TPM_PREFIX));
    auto_free char *folder = mem_strdup(path);
    *strrchr(folder, '/') = '\0';
    if (file_make_directories(folder, 0700, err) < 0 || image_adopt_owner(restore->tpm, err) < 0 ||
        image_adopt_owner(folder, err) < 0)
        return -1;
    return write_document(restore, name, path, err);
}

static int write_tpm(struct restore *restore, struct firn_error **err)
{
    struct firn_source *source = restore->source;
    for (size_t i = 0; i < source->object_count; i++) {
        struct firn_object_info info = {.size = sizeof(info)};
        if (source->object(source, i, &info) < 0)
            return -1;
        if (info.kind != FIRN_OBJECT_DOCUMENT ||
            strncmp(info.name, TPM_PREFIX, strlen(TPM_PREFIX)) != 0)
            continue;
        if (restore->tpm == NULL)
            restore->tpm = tpm_directory(restore->connection, restore->uuid);
        auto_free char *name = mem_strdup(info.name);
        if (write_tpm_file(restore, name, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ do and undo */

static void undo(struct restore *restore)
{
    virConnectPtr vir = restore->connection->vir;
    images_remove(&restore->images);
    if (restore->nvram != NULL)
        unlink(restore->nvram_placed ? restore->nvram : restore->nvram_part);
    if (restore->tpm != NULL && restore->replaced == NULL)
        tpm_remove(restore->tpm);
    if (!restore->defined)
        return;
    auto_domain virDomainPtr domain = virDomainLookupByUUIDString(vir, restore->uuid);
    if (restore->replaced != NULL) {
        auto_domain virDomainPtr old = virDomainDefineXML(vir, restore->replaced);
        if (old != NULL)
            return;
    }
    if (domain != NULL)
        virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM |
                                           VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA);
}

static int define(struct restore *restore, struct firn_error **err)
{
    auto_free char *xml = xml_text_of(restore->document);
    auto_domain virDomainPtr domain = virDomainDefineXML(restore->connection->vir, xml);
    if (domain == NULL)
        return fail_vir(err, "define the domain \"%s\"", restore->request->target);
    restore->defined = true;
    return 0;
}

static int place(struct restore *restore, struct firn_error **err)
{
    bool overwrite = restore->request->overwrite != 0;
    if (images_place(&restore->images, overwrite, err) < 0)
        return -1;
    if (restore->nvram == NULL || !has_document(restore, "nvram"))
        return 0;
    if (image_move(restore->nvram_part, restore->nvram, overwrite, err) < 0)
        return -1;
    restore->nvram_placed = true;
    return 0;
}

/* The definition comes before the images are put in place: it is the step that is likely to be refused, and the one that
 * can be undone. */
static int make(struct restore *restore, struct firn_error **err)
{
    struct connection *connection = restore->connection;
    definition_adapt(connection, restore->document, restore->request->target, restore->uuid,
                     &restore->images, restore->nvram);
    connection_step(connection, "writing the disks");
    if (images_write(connection, &restore->images, restore->source, err) < 0 ||
        write_nvram(restore, err) < 0 || write_tpm(restore, err) < 0)
        return -1;
    connection_step(connection, "defining the domain");
    return define(restore, err) < 0 ? -1 : place(restore, err);
}

int restore_run(struct connection *connection, const struct firn_restore *request,
                struct firn_source *source, struct firn_error **err)
{
    auto_restore struct restore restore = {
        .connection = connection,
        .request = request,
        .source = source,
        .directory = connection->host->param(connection->host, "directory"),
    };
    size_t collisions = 0;
    if (connection_require_local(connection, "restore a domain", err) < 0 ||
        prepare(&restore, err) < 0 || check_collisions(&restore, &collisions, err) < 0)
        return -1;
    definition_check(connection, restore.document);
    if (request->dry_run)
        return 0;
    if (collisions > 0)
        return fail(err, FIRN_CONFLICT,
                    "cannot restore to \"%s\": %zu things are in the way, see above",
                    request->target, collisions);
    if (make(&restore, err) < 0) {
        undo(&restore);
        return -1;
    }
    connection_log(connection, INFO, "the domain \"%s\" is defined, with %zu disks in %s",
                   request->target, restore.images.count, restore.directory);
    return 0;
}
