/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fallback: the referrers tag of the distribution specification ("Referrers Tag Schema"): in a
 * registry that does not keep track of what refers to an image, clients keep an index of it under
 * the tag sha256-HEX.
 */
#ifndef IMAGESTREAM_FALLBACK_H
#define IMAGESTREAM_FALLBACK_H

struct firn_error;
struct image;
struct registry;
struct repository;
struct served;

/* Adds a pushed manifest to the index of its subject, unless the snapshot brings that index itself,
 * or it is in there. */
int fallback_refer(struct registry *registry, const struct repository *repository,
                   const struct image *image, const struct served *manifest,
                   struct firn_error **err);

#endif
