/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Push: one repository of the snapshot into one repository of a registry.
 */
#ifndef IMAGESTREAM_PUSH_H
#define IMAGESTREAM_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;
struct firn_host;
struct firn_source;
struct inventory;
struct registry;
struct repository;

struct push_counts {
    size_t images;
    size_t tags;
    size_t sent;    /* blobs */
    size_t mounted; /* blobs */
    size_t present; /* blobs that were there already */
    size_t failed;  /* images and tags that the snapshot lacks in part, or the registry refuses */
};

struct push_request {
    const struct firn_host *host;
    struct registry *registry;
    struct firn_source *source;
    struct inventory *inventory;
    struct repository *repository; /* with its target */
    unsigned threads;
    uint64_t chunk_size;
    bool read_back; /* download every blob again, and prove it */
};

/* Adds to *counts. What the snapshot lacks or the registry refuses is logged and counted, no error.
 * Notes in blob->home where each blob now is, so that the next repository can mount it. */
int push_repository(const struct push_request *request, struct push_counts *counts,
                    struct firn_error **err);

/* How many tags of the target lead elsewhere; each is logged. */
int push_collisions(const struct push_request *request, size_t *count, struct firn_error **err);

#endif
