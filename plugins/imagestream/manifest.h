/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: what the registry's JSON says about an image, an artifact, or an index of them (OCI
 * image-spec 1.1, Docker's schema 2). The bytes themselves are kept untouched; this only finds out
 * what they refer to. No call leaves this module.
 */
#ifndef IMAGESTREAM_MANIFEST_H
#define IMAGESTREAM_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_error;

#define MANIFEST_LIMIT                                                                             \
    (4u << 20) /* distribution-spec: registries take at least this much, and few take more */
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
/* The media types that are asked for, as an Accept header's value. Schema 1 is among them, so that
 * it can be told. */
extern const char manifest_accept[];

struct descriptor {
    char *media_type; /* never NULL */
    char *digest;     /* valid */
    uint64_t size;
    char *platform; /* "linux/arm64/v8", or NULL */
    bool foreign;   /* has URLs of its own: the registry need not hold it */
};

struct manifest {
    char *media_type;
    bool index;                  /* children are manifests; else an image or an artifact */
    struct descriptor *children; /* manifests */
    size_t child_count;
    struct descriptor *blobs; /* config and layers */
    size_t blob_count;
    char *subject; /* digest of what this (a signature, an SBOM …) refers to, or NULL */
};
#define auto_manifest __attribute__((cleanup(manifest_free)))

/* Reads a manifest that was served as content_type (NULL: not told). -1 with INVALID, saying what
 * is wrong; a schema-1 manifest and an unknown type are INVALID, too. */
int manifest_parse(const void *data, size_t length, const char *content_type, struct manifest *out,
                   struct firn_error **err);
void manifest_free(struct manifest *manifest);
/* Whether a descriptor of that type leads to a manifest (and not to a blob). */
bool manifest_type_known(const char *media_type);
bool manifest_type_schema1(const char *media_type);

#endif
