/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <core/mem.h>

#include <json-c/linkhash.h>
#include <string.h>

/* Room for one more element: sizes double. */
static void *grown(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return list;
    return mem_resize(list, count == 0 ? 1 : 2 * count, size);
}

static void image_entry_free(struct lh_entry *entry)
{
    struct image *image = lh_entry_v(entry);
    free(image->digest);
    free(image->media_type);
    free(image->platform);
    free(image->subject);
    free(image->missing);
    free(image->children);
    free(image->blobs);
    free(image);
}

static void blob_entry_free(struct lh_entry *entry)
{
    struct blob *blob = lh_entry_v(entry);
    free(blob->digest);
    free(blob->media_type);
    free(blob->missing);
    free(blob);
}

static void repository_free(struct repository *repository)
{
    for (size_t i = 0; i < repository->tag_count; i++)
        free(repository->tags[i].name);
    for (size_t i = 0; i < repository->skipped_count; i++) {
        free(repository->skipped[i].what);
        free(repository->skipped[i].reason);
    }
    free(repository->name);
    free(repository->relative);
    free(repository->target);
    free(repository->tags);
    free(repository->untagged);
    free(repository->skipped);
    free(repository);
}

struct inventory *inventory_new(const char *registry)
{
    struct inventory *inventory = mem_zalloc(sizeof(*inventory));
    inventory->registry = mem_strdup(registry);
    inventory->images = lh_kchar_table_new(64, image_entry_free);
    inventory->blobs = lh_kchar_table_new(64, blob_entry_free);
    return inventory;
}

void inventory_free(struct inventory *inventory)
{
    if (inventory == NULL)
        return;
    for (size_t i = 0; i < inventory->repository_count; i++)
        repository_free(inventory->repositories[i]);
    free(inventory->repositories);
    lh_table_free(inventory->images);
    lh_table_free(inventory->blobs);
    free(inventory->registry);
    free(inventory);
}

struct repository *inventory_add_repository(struct inventory *inventory, const char *name,
                                            const char *relative)
{
    struct repository *repository = mem_zalloc(sizeof(*repository));
    repository->name = mem_strdup(name);
    repository->relative = mem_strdup(relative);
    inventory->repositories = grown(inventory->repositories, inventory->repository_count,
                                    sizeof(*inventory->repositories));
    inventory->repositories[inventory->repository_count++] = repository;
    return repository;
}

struct image *inventory_image(struct inventory *inventory, const char *digest, bool *added)
{
    void *found = NULL;
    *added = !lh_table_lookup_ex(inventory->images, digest, &found);
    if (!*added)
        return found;
    struct image *image = mem_zalloc(sizeof(*image));
    image->digest = mem_strdup(digest);
    lh_table_insert(inventory->images, image->digest, image);
    return image;
}

struct blob *inventory_blob(struct inventory *inventory, const char *digest, bool *added)
{
    void *found = NULL;
    *added = !lh_table_lookup_ex(inventory->blobs, digest, &found);
    if (!*added)
        return found;
    struct blob *blob = mem_zalloc(sizeof(*blob));
    blob->digest = mem_strdup(digest);
    lh_table_insert(inventory->blobs, blob->digest, blob);
    return blob;
}

void repository_add_tag(struct repository *repository, const char *name, struct image *image)
{
    repository->tags = grown(repository->tags, repository->tag_count, sizeof(*repository->tags));
    repository->tags[repository->tag_count++] =
        (struct tag){.name = mem_strdup(name), .image = image};
}

void repository_add_untagged(struct repository *repository, struct image *image)
{
    for (size_t i = 0; i < repository->untagged_count; i++)
        if (repository->untagged[i] == image)
            return;
    repository->untagged =
        grown(repository->untagged, repository->untagged_count, sizeof(*repository->untagged));
    repository->untagged[repository->untagged_count++] = image;
}

void repository_skip(struct repository *repository, const char *what, const char *reason)
{
    repository->skipped =
        grown(repository->skipped, repository->skipped_count, sizeof(*repository->skipped));
    repository->skipped[repository->skipped_count++] =
        (struct skipped){.what = mem_strdup(what), .reason = mem_strdup(reason)};
}

void image_add_child(struct image *image, struct image *child)
{
    image->children = grown(image->children, image->child_count, sizeof(struct image *));
    image->children[image->child_count++] = child;
}

void image_add_blob(struct image *image, struct blob *blob)
{
    image->blobs = grown(image->blobs, image->blob_count, sizeof(struct blob *));
    image->blobs[image->blob_count++] = blob;
}

struct step {
    struct image *image;
    size_t next_child;
};

/* Depth first with a stack of its own: how deep indexes are nested is the registry's word alone. */
static void walk_from(struct image *root, unsigned mark, struct image_list *out)
{
    if (root->mark == mark)
        return;
    root->mark = mark;
    struct step *stack = mem_alloc(sizeof(*stack));
    size_t depth = 0;
    stack[depth++] = (struct step){.image = root};
    while (depth > 0) {
        struct step *top = &stack[depth - 1];
        if (top->next_child == top->image->child_count) {
            out->list = grown(out->list, out->count, sizeof(struct image *));
            out->list[out->count++] = top->image;
            depth--;
            continue;
        }
        struct image *child = top->image->children[top->next_child++];
        if (child->mark == mark)
            continue;
        child->mark = mark;
        stack = grown(stack, depth, sizeof(*stack));
        stack[depth++] = (struct step){.image = child};
    }
    free(stack);
}

void inventory_walk(struct inventory *inventory, const struct repository *repository,
                    struct image_list *out)
{
    *out = (struct image_list){0};
    unsigned mark = ++inventory->marks;
    for (size_t i = 0; i < repository->tag_count; i++)
        walk_from(repository->tags[i].image, mark, out);
    for (size_t i = 0; i < repository->untagged_count; i++)
        walk_from(repository->untagged[i], mark, out);
}
