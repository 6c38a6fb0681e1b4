/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inventory: which images a snapshot holds: repositories, their tags, the manifests that these lead
 * to, and their blobs.
 *
 *     repository ─┬─ tag ──────► image (index) ──► image ──► blob, blob …
 *                 └─ untagged ─► image ──────────────┴─────► blob …
 *
 * Images and blobs are one each, however many repositories have them. In the snapshot:
 *
 *     repositories/NAME.json   document: the inventory of one repository; see firn-imagestream(7)
 *     manifests/DIGEST         document: the manifest's bytes as they were served
 *     blobs/DIGEST             stream
 *
 * Not locked: callers that use threads do that.
 */
#ifndef IMAGESTREAM_INVENTORY_H
#define IMAGESTREAM_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct firn_error;
struct lh_table;

#define INVENTORY_PREFIX     "repositories/"
#define INVENTORY_SUFFIX     ".json"
#define INVENTORY_MEDIA_TYPE "application/vnd.firn.images.v1+json"

struct blob {
    char *digest;
    char *media_type;
    uint64_t size;
    bool foreign;  /* lives at URLs of its own; not in the snapshot */
    char *missing; /* why it is not in the snapshot, or NULL */
    /* Where it can be had: while capturing where to fetch it, while restoring where it was put. */
    struct repository *home;
    struct repository *spare;
};

struct image {
    char *digest;
    char *media_type; /* NULL until it was seen */
    uint64_t size;    /* bytes of the manifest */
    char *platform;   /* NULL: not told */
    char *subject;    /* digest, or NULL */
    char *missing;    /* why it is not in the snapshot, or NULL */
    struct image **children;
    size_t child_count;
    struct blob **blobs;
    size_t blob_count;
    struct repository *home;
    struct repository *spare;
    unsigned mark; /* of the last walk that came by */
};

struct tag {
    char *name;
    struct image *image;
};

struct skipped {
    char *what;
    char *reason;
};

struct repository {
    char *name;
    char *
        relative; /* to what was captured: its name below a target; "" if it was captured by its own name */
    char *target; /* while restoring: its name there */
    struct tag *tags;
    size_t tag_count;
    struct image **untagged; /* named by digest, or by what they refer to */
    size_t untagged_count;
    struct skipped *skipped;
    size_t skipped_count;
};

struct inventory {
    char *registry;
    struct lh_table *images; /* digest -> struct image */
    struct lh_table *blobs;
    struct repository **repositories;
    size_t repository_count;
    unsigned marks;
};

struct inventory *inventory_new(const char *registry);
void inventory_free(struct inventory *inventory);

struct repository *inventory_add_repository(struct inventory *inventory, const char *name,
                                            const char *relative);
/* The image or blob of a valid digest; *added tells whether it is new. */
struct image *inventory_image(struct inventory *inventory, const char *digest, bool *added);
struct blob *inventory_blob(struct inventory *inventory, const char *digest, bool *added);

void repository_add_tag(struct repository *repository, const char *name, struct image *image);
void repository_add_untagged(struct repository *repository,
                             struct image *image); /* once, however often it is added */
void repository_skip(struct repository *repository, const char *what, const char *reason);
void image_add_child(struct image *image, struct image *child);
void image_add_blob(struct image *image, struct blob *blob);

/* All images of a repository, each once, children before whoever refers to them. The list is the
 * caller's. */
struct image_list {
    struct image **list;
    size_t count;
};
void inventory_walk(struct inventory *inventory, const struct repository *repository,
                    struct image_list *out);

/* The document of one repository. -1 if it would be longer than a document may be. */
int inventory_write(struct inventory *inventory, const struct repository *repository,
                    struct buf *out, struct firn_error **err);
/* Adds what a document says. -1 with INVALID. */
int inventory_read(struct inventory *inventory, const void *data, size_t length,
                   struct firn_error **err);

#endif
