/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crawl: threads that fetch tags, manifests and blobs, each of which may lead to more, until
 * nothing is left to do.
 *
 *     tag ──► manifest ─┬─► child manifests ─► …
 *                       ├─► blobs                     (those that are known are not fetched)
 *                       └─► what refers to it: referrers, signature tags
 *
 * Memory: one manifest of at most 4 MiB per thread; blobs pass through.
 */
#ifndef IMAGESTREAM_CRAWL_H
#define IMAGESTREAM_CRAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crawl;
struct firn_error;
struct firn_sink;
struct image;
struct inventory;
struct names;
struct registry;
struct repository;

struct crawl_options {
    struct registry *registry;
    struct firn_sink *sink;
    struct inventory *inventory;
    unsigned threads;
    bool referrers; /* ask for what refers to the images */
};

struct crawl *crawl_new(const struct crawl_options *options);
void crawl_free(struct crawl *crawl);

/* What to begin with, before crawl_run(). required: it is an error if it is not there, or cannot be
 * kept; else it is skipped and noted. */
void crawl_tag(struct crawl *crawl, struct repository *repository, const char *tag, bool required);
void crawl_digest(struct crawl *crawl, struct repository *repository, const char *digest);
/* The tags of a repository of which only a part is captured: signatures are found among them.
 * Borrowed. */
void crawl_know_tags(struct crawl *crawl, struct repository *repository, const struct names *tags);

/* Fetches everything; afterwards the inventory is complete. */
int crawl_run(struct crawl *crawl, struct firn_error **err);

struct crawl_counts {
    size_t images;
    size_t blobs;   /* fetched */
    size_t known;   /* blobs that the repository had */
    size_t foreign; /* blobs that are elsewhere */
    size_t missing; /* manifests, blobs and tags that are not there */
};
void crawl_counts(const struct crawl *crawl, struct crawl_counts *out);

#endif
