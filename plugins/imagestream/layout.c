/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

#include "digest.h"
#include "inventory.h"
#include "restore.h"
#include "transport.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/file.h>
#include <core/json.h>
#include <core/mem.h>

#include <dirent.h>
#include <fcntl.h>
#include <json-c/linkhash.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK       (256u << 10)
#define INDEX_LIMIT (64u << 20)
#define REF_NAME    "org.opencontainers.image.ref.name"

struct layout {
    const struct firn_host *host;
    struct firn_source *source;
    struct inventory *inventory;
    const char *directory;
    struct json_object *manifests; /* of index.json */
    size_t lacking;
};

/* DIRECTORY/blobs/ALGORITHM/HEX */
static char *blob_path(const struct layout *layout, const char *digest)
{
    char *path = mem_printf("%s/blobs/%s", layout->directory, digest);
    path[strlen(layout->directory) + strlen("/blobs/") + strcspn(digest, ":")] = '/';
    return path;
}

static int check_empty(const char *directory, struct firn_error **err)
{
    DIR *opened = opendir(directory);
    if (opened == NULL)
        return 0;
    size_t entries = 0;
    while (entries <= 2 && readdir(opened) != NULL)
        entries++;
    closedir(opened);
    if (entries > 2)
        return fail(err, FIRN_CONFLICT, "%s is not empty; --overwrite adds to what is there",
                    directory);
    return 0;
}

/* ---- contents */

/* Copies an object of the snapshot to fd; its length and digest are proven on the way. */
static int copy(struct layout *layout, struct firn_reader *reader, const char *digest,
                uint64_t size, int fd, struct firn_error **err)
{
    auto_digest_run struct digest_run *run = digest_run_new(digest);
    auto_free char *chunk = mem_alloc(CHUNK);
    uint64_t offset = 0;
    for (;;) {
        if (layout->host->cancelled(layout->host))
            return fail(err, FIRN_CANCELLED, "cancelled");
        int64_t length = layout->source->read(reader, chunk, CHUNK);
        if (length < 0)
            return fail(err, FIRN_UNSAID, "%s", digest);
        if (length == 0)
            break;
        digest_run_add(run, chunk, (size_t)length);
        if (file_pwrite(fd, chunk, (size_t)length, offset, digest, err) < 0)
            return -1;
        offset += (uint64_t)length;
        layout->host->progress(layout->host, 0, (uint64_t)length);
    }
    if (offset != size || !digest_run_matches(run))
        return fail(err, FIRN_CORRUPT, "the snapshot's copy of %s is damaged", digest);
    return 0;
}

/* Takes an object to a temporary file and puts that in its place. */
static int write_content(struct layout *layout, const char *object, const char *digest,
                         uint64_t size, struct firn_error **err)
{
    auto_free char *path = blob_path(layout, digest);
    auto_free char *temporary = mem_printf("%s.part", path);
    struct firn_reader *reader;
    if (access(path, F_OK) == 0)
        return 0;
    if (layout->source->open(layout->source, object, 0, &reader) < 0)
        return fail(err, FIRN_UNSAID, "%s", object);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int result =
        fd < 0 ? fail_errno(err, "%s", temporary) : copy(layout, reader, digest, size, fd, err);
    layout->source->close(reader);
    if (result == 0 && fsync(fd) < 0)
        result = fail_errno(err, "%s", temporary);
    if (fd >= 0 && close(fd) < 0 && result == 0)
        result = fail_errno(err, "%s", temporary);
    if (result == 0 && rename(temporary, path) < 0)
        result = fail_errno(err, "%s", path);
    if (result == 0)
        return file_sync_parent(path, err);
    unlink(temporary);
    return result;
}

static int write_image(struct layout *layout, const struct image *image, struct firn_error **err)
{
    auto_free char *object = mem_printf("manifests/%s", image->digest);
    if (write_content(layout, object, image->digest, image->size, err) < 0)
        return -1;
    for (size_t i = 0; i < image->blob_count; i++) {
        const struct blob *blob = image->blobs[i];
        auto_free char *name = mem_printf("blobs/%s", blob->digest);
        if (!blob->foreign && write_content(layout, name, blob->digest, blob->size, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- index.json */

static void refer(struct layout *layout, const struct image *image, const char *name)
{
    struct json_object *json = json_object_new_object();
    json_set_string(json, "mediaType", image->media_type);
    json_set_string(json, "digest", image->digest);
    json_set_uint(json, "size", image->size);
    if (name != NULL) {
        struct json_object *annotations = json_object_new_object();
        json_set_string(annotations, REF_NAME, name);
        json_set_take(json, "annotations", annotations);
    }
    json_object_array_add(layout->manifests, json);
}

/* A tag's name in the layout: with its repository before it if there are several. */
static char *ref_name(const struct layout *layout, const struct repository *repository,
                      const char *tag)
{
    if (layout->inventory->repository_count == 1)
        return mem_strdup(tag);
    return mem_printf("%s:%s", repository->name, tag);
}

static int write_repository(struct layout *layout, const struct repository *repository,
                            struct firn_error **err)
{
    struct image_list images;
    int result = 0;
    inventory_walk(layout->inventory, repository, &images);
    for (size_t i = 0; i < images.count && result == 0; i++) {
        auto_free char *lack = restore_lack(images.list[i]);
        if (lack == NULL) {
            result = write_image(layout, images.list[i], err);
            continue;
        }
        layout->host->log(layout->host, FIRN_LOG_WARNING, "%s is left out: %s",
                          images.list[i]->digest, lack);
        layout->lacking++;
    }
    free(images.list);
    for (size_t i = 0; i < repository->tag_count; i++) {
        auto_free char *lack = restore_lack(repository->tags[i].image);
        auto_free char *name = ref_name(layout, repository, repository->tags[i].name);
        if (lack == NULL)
            refer(layout, repository->tags[i].image, name);
    }
    for (size_t i = 0; i < repository->untagged_count; i++) {
        auto_free char *lack = restore_lack(repository->untagged[i]);
        if (lack == NULL)
            refer(layout, repository->untagged[i], NULL);
    }
    return result;
}

/* What an index.json that is there already lists stays listed, unless a name is given anew. */
static int keep_entries(struct layout *layout, const char *path, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(INDEX_LIMIT);
    auto_json struct json_object *json = NULL;
    struct json_object *list;
    if (access(path, F_OK) != 0)
        return 0;
    if (file_read(path, INDEX_LIMIT, &text, err) < 0 ||
        json_parse(buf_text(&text), text.length, path, &json, err) < 0 ||
        json_get_array(json, "manifests", &list, err) < 0)
        return -1;
    struct lh_table *named = lh_kchar_table_new(64, NULL);
    for (size_t i = 0; i < json_object_array_length(layout->manifests); i++) {
        struct json_object *entry = json_object_array_get_idx(layout->manifests, i);
        struct json_object *annotations = json_at(entry, "annotations");
        const char *key =
            annotations == NULL
                ? json_string_or(entry, "digest", "")
                : json_object_get_string(json_object_object_get(annotations, REF_NAME));
        lh_table_insert(named, key, NULL);
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct json_object *annotations = json_at(entry, "annotations");
        struct json_object *name =
            annotations == NULL ? NULL : json_object_object_get(annotations, REF_NAME);
        const char *key =
            name == NULL ? json_string_or(entry, "digest", "") : json_object_get_string(name);
        if (lh_table_lookup_entry(named, key) == NULL)
            json_object_array_add(layout->manifests, json_object_get(entry));
    }
    lh_table_free(named);
    return 0;
}

static int write_index(struct layout *layout, struct firn_error **err)
{
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    auto_free char *index = file_join(layout->directory, "index.json");
    auto_free char *marker = file_join(layout->directory, "oci-layout");
    auto_buf struct buf text = buf_new(INDEX_LIMIT);
    auto_json struct json_object *json = json_object_new_object();
    if (keep_entries(layout, index, err) < 0)
        return -1;
    json_set_int(json, "schemaVersion", 2);
    json_set_take(json, "manifests", json_object_get(layout->manifests));
    json_write(&text, json);
    if (buf_check(&text, "index.json", err) < 0)
        return -1;
    if (file_write(marker, version, strlen(version), 0644, err) < 0)
        return -1;
    return file_write(index, text.data, text.length, 0644, err);
}

static int make_folders(const struct layout *layout, struct firn_error **err)
{
    static const char *const folders[] = {"blobs/sha256", "blobs/sha512"};
    for (size_t i = 0; i < array_length(folders); i++) {
        auto_free char *folder = file_join(layout->directory, folders[i]);
        if (file_make_directories(folder, 0755, err) < 0)
            return -1;
    }
    return 0;
}

static void tell_total(const struct layout *layout)
{
    struct lh_entry *entry;
    uint64_t total = 0;
    lh_foreach(layout->inventory->images, entry) total +=
        ((const struct image *)lh_entry_v(entry))->size;
    lh_foreach(layout->inventory->blobs, entry)
    {
        const struct blob *blob = lh_entry_v(entry);
        total += blob->foreign || blob->missing != NULL ? 0 : blob->size;
    }
    layout->host->progress(layout->host, total, 0);
}

int layout_write(const struct firn_host *host, const struct firn_restore *request,
                 struct firn_source *source, struct inventory *inventory, const char *directory,
                 struct firn_error **err)
{
    auto_json struct json_object *manifests = json_object_new_array();
    struct layout layout = {.host = host,
                            .source = source,
                            .inventory = inventory,
                            .directory = directory,
                            .manifests = manifests};
    if (!request->overwrite && check_empty(directory, err) < 0) {
        if (!request->dry_run)
            return -1;
        host->log(host, FIRN_LOG_WARNING, "%s", error_message(*err));
        error_clear(err);
    }
    if (request->dry_run)
        return 0;
    if (make_folders(&layout, err) < 0)
        return -1;
    tell_total(&layout);
    for (size_t i = 0; i < inventory->repository_count; i++)
        if (write_repository(&layout, inventory->repositories[i], err) < 0)
            return -1;
    if (write_index(&layout, err) < 0)
        return -1;
    if (layout.lacking > 0)
        return fail(err, FIRN_NOTFOUND,
                    "%zu images are not in the snapshot in full; the others were written",
                    layout.lacking);
    return 0;
}
