/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include "inventory.h"
#include "layout.h"
#include "push.h"
#include "reference.h"
#include "registry.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/mem.h>

#include <string.h>

#define LAYOUT_SCHEME "oci:"
#define OBJECT_PREFIX "manifests/"
#define CHUNK_LEAST   (64u << 10)

struct restore {
    const struct firn_host *host;
    const struct firn_restore *request;
    struct firn_source *source;
    struct inventory *inventory;
    struct reference target;
    struct registry *registry;
};

char *restore_lack(const struct image *image)
{
    if (image->missing != NULL)
        return mem_strdup(image->missing);
    if (image->media_type == NULL || image->media_type[0] == '\0')
        return mem_strdup("its manifest is not in the snapshot");
    for (size_t i = 0; i < image->blob_count; i++)
        if (image->blobs[i]->missing != NULL)
            return mem_printf("blob %s is not in the snapshot: %s", image->blobs[i]->digest,
                              image->blobs[i]->missing);
    return NULL;
}

/* ---- what is to be restored */

static int read_inventory(struct restore *restore, struct firn_error **err)
{
    struct firn_source *source = restore->source;
    for (size_t i = 0; i < source->object_count; i++) {
        struct firn_object_info info = {.size = sizeof(info)};
        if (source->object(source, i, &info) < 0)
            return fail(err, FIRN_UNSAID, "object");
        if (info.kind != FIRN_OBJECT_DOCUMENT || strcmp(info.media_type, INVENTORY_MEDIA_TYPE) != 0)
            continue;
        char *data;
        size_t length;
        if (source->document(source, info.name, &data, &length) < 0)
            return fail(err, FIRN_UNSAID, "%s", info.name);
        int result = inventory_read(restore->inventory, data, length, err);
        source->document_free(source, data);
        if (result < 0)
            return -1;
    }
    if (restore->inventory->repository_count == 0)
        return fail(err, FIRN_INVALID, "snapshot %s holds no images", source->snapshot_id);
    return 0;
}

/* Whether `object` is the inventory document of a repository. */
static bool names_repository(const char *object, const struct repository *repository)
{
    auto_free char *name = mem_printf(INVENTORY_PREFIX "%s" INVENTORY_SUFFIX, repository->name);
    return strcmp(object, name) == 0;
}

/* Leaves nothing of a repository but one image and the tags that it has; false if the image is not
 * there. */
static bool reduce_to_image(struct inventory *inventory, struct repository *repository,
                            const char *digest)
{
    struct image_list images;
    struct image *wanted = NULL;
    size_t kept = 0;
    inventory_walk(inventory, repository, &images);
    for (size_t i = 0; i < images.count; i++)
        if (strcmp(images.list[i]->digest, digest) == 0)
            wanted = images.list[i];
    free(images.list);
    if (wanted == NULL)
        return false;
    for (size_t i = 0; i < repository->tag_count; i++) {
        if (repository->tags[i].image == wanted)
            repository->tags[kept++] = repository->tags[i];
        else
            free(repository->tags[i].name);
    }
    repository->tag_count = kept;
    repository->untagged_count = 0;
    free(steal(repository->untagged));
    repository_add_untagged(repository, wanted);
    return true;
}

/* Moves one repository to the front: the others are then left alone. */
static void keep_only(struct inventory *inventory, size_t index)
{
    struct repository *first = inventory->repositories[0];
    inventory->repositories[0] = inventory->repositories[index];
    inventory->repositories[index] = first;
}

/* How many repositories are to be restored, counted from the first. */
static int select_objects(struct restore *restore, size_t *count, struct firn_error **err)
{
    struct inventory *inventory = restore->inventory;
    const char *object = restore->request->object;
    *count = inventory->repository_count;
    if (object == NULL)
        return 0;
    const char *digest = strncmp(object, OBJECT_PREFIX, strlen(OBJECT_PREFIX)) == 0
                             ? object + strlen(OBJECT_PREFIX)
                             : NULL;
    for (size_t i = 0; i < inventory->repository_count; i++) {
        struct repository *repository = inventory->repositories[i];
        if (digest == NULL ? !names_repository(object, repository)
                           : !reduce_to_image(inventory, repository, digest))
            continue;
        keep_only(inventory, i);
        *count = 1;
        return 0;
    }
    return fail(
        err, FIRN_NOTFOUND,
        "'%s' is no repository (repositories/NAME.json) and no image (manifests/DIGEST) of the "
        "snapshot",
        object);
}

/* ---- where to */

static char *target_name(const struct reference *target, const struct repository *repository)
{
    if (target->path[0] == '\0')
        return mem_strdup(repository->name);
    return mem_printf("%s%s%s", target->path, repository->relative[0] == '\0' ? "" : "/",
                      repository->relative);
}

static int set_targets(struct restore *restore, size_t count, struct firn_error **err)
{
    for (size_t i = 0; i < count; i++) {
        struct repository *repository = restore->inventory->repositories[i];
        repository->target = target_name(&restore->target, repository);
        if (!reference_valid_name(repository->target))
            return fail(err, FIRN_INVALID, "'%s' is not a repository's name", repository->target);
    }
    return 0;
}

static int64_t number(const struct restore *restore, const char *param, int64_t least, int64_t most)
{
    int64_t value = restore->host->param_integer(restore->host, param);
    return value < least ? least : value > most ? most : value;
}

static struct push_request push_request_for(struct restore *restore, struct repository *repository)
{
    return (struct push_request){
        .host = restore->host,
        .registry = restore->registry,
        .source = restore->source,
        .inventory = restore->inventory,
        .repository = repository,
        .threads = (unsigned)number(restore, "parallel", 1, 32),
        .chunk_size = (uint64_t)number(restore, "chunk-size", CHUNK_LEAST, INT64_MAX),
        .read_back = restore->host->param_integer(restore->host, "read-back") != 0,
    };
}

/* ---- looking before leaping */

static void report_lacks(struct restore *restore, struct repository *repository)
{
    struct image_list images;
    inventory_walk(restore->inventory, repository, &images);
    for (size_t i = 0; i < images.count; i++) {
        auto_free char *lack = restore_lack(images.list[i]);
        if (lack != NULL)
            restore->host->log(restore->host, FIRN_LOG_WARNING, "%s: %s would be left out: %s",
                               repository->target, images.list[i]->digest, lack);
    }
    free(images.list);
}

static int look(struct restore *restore, size_t count, size_t *collisions, struct firn_error **err)
{
    restore->host->step(restore->host, "looking for collisions");
    *collisions = 0;
    for (size_t i = 0; i < count; i++) {
        struct push_request request =
            push_request_for(restore, restore->inventory->repositories[i]);
        if (push_collisions(&request, collisions, err) < 0)
            return -1;
        if (restore->request->dry_run)
            report_lacks(restore, request.repository);
    }
    return 0;
}

static int push_all(struct restore *restore, size_t count, struct firn_error **err)
{
    struct push_counts counts = {0};
    restore->host->step(restore->host, "pushing images");
    for (size_t i = 0; i < count; i++) {
        struct push_request request =
            push_request_for(restore, restore->inventory->repositories[i]);
        if (push_repository(&request, &counts, err) < 0)
            return -1;
    }
    restore->host->log(
        restore->host, FIRN_LOG_INFO,
        "%zu manifests and %zu tags restored and read back; %zu blobs sent, %zu "
        "mounted, %zu there already%s",
        counts.images, counts.tags, counts.sent, counts.mounted, counts.present,
        restore->host->param_integer(restore->host, "read-back") != 0 ? ", all read back" : "");
    if (counts.failed > 0)
        return fail(err, FIRN_NOTFOUND,
                    "%zu images or tags were left out, because the snapshot lacks parts of them or "
                    "the registry refuses them; all others were restored",
                    counts.failed);
    return 0;
}

static int to_registry(struct restore *restore, size_t count, struct firn_error **err)
{
    const char *target = restore->request->target;
    size_t collisions;
    if (reference_parse(target, &restore->target, err) < 0)
        return -1;
    if (restore->target.tag != NULL || restore->target.digest != NULL)
        return fail(err, FIRN_INVALID,
                    "%s: tags and digests come from the snapshot; name a repository or a namespace",
                    target);
    if (set_targets(restore, count, err) < 0 ||
        registry_open(restore->host, restore->target.host, restore->target.path, &restore->registry,
                      err) < 0 ||
        look(restore, count, &collisions, err) < 0)
        return -1;
    if (restore->request->dry_run)
        return 0;
    if (collisions == 1 && !restore->request->overwrite)
        return fail(err, FIRN_CONFLICT,
                    "a tag at %s leads to another image; --overwrite replaces it", target);
    if (collisions > 1 && !restore->request->overwrite)
        return fail(err, FIRN_CONFLICT,
                    "%zu tags at %s lead to other images; --overwrite replaces them", collisions,
                    target);
    return push_all(restore, count, err);
}

static int run(struct restore *restore, struct firn_error **err)
{
    size_t count;
    if (read_inventory(restore, err) < 0 || select_objects(restore, &count, err) < 0)
        return -1;
    const char *target = restore->request->target;
    if (strncmp(target, LAYOUT_SCHEME, strlen(LAYOUT_SCHEME)) != 0)
        return to_registry(restore, count, err);
    return layout_write(restore->host, restore->request, restore->source, restore->inventory,
                        target + strlen(LAYOUT_SCHEME), err);
}

int restore_images(const struct firn_host *host, const struct firn_restore *request,
                   struct firn_source *source, struct firn_error **err)
{
    struct restore restore = {
        .host = host, .request = request, .source = source, .inventory = inventory_new(NULL)};
    int result = run(&restore, err);
    registry_close(restore.registry);
    reference_free(&restore.target);
    inventory_free(restore.inventory);
    return result;
}
