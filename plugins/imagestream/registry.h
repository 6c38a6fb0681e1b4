/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry: one registry as Firn talks to it: where it is, who Firn is to it, and the requests of
 * the distribution specification that are about manifests and lists. Blobs have files of their own
 * (download.h, upload.h). Thread-safe.
 */
#ifndef IMAGESTREAM_REGISTRY_H
#define IMAGESTREAM_REGISTRY_H

#include "transport.h"

#include <stddef.h>

struct manifest;
struct registry;

/* path: the repository or namespace that will be used, for finding credentials. No request is made
 * yet. */
int registry_open(const struct firn_host *host, const char *name, const char *path,
                  struct registry **out, struct firn_error **err);
void registry_close(struct registry *registry);
const char *registry_name(const struct registry *registry); /* HOST[:PORT] */
const struct firn_host *registry_host(const struct registry *registry);

/* Scopes of the token specification: new strings. */
char *registry_pull_scope(const char *repository);
char *registry_push_scope(const char *repository);

/* One request. call->url is absolute, or begins with "/v2/". Authorizes, renews once what expired;
 * credentials go to the registry's own origin only. 0 when an answer came that is not 401, whatever
 * its status. */
int registry_call(struct registry *registry, const char *scope, const struct call *call,
                  struct answer *out, struct firn_error **err);

/* A manifest as it was served, its digest proven. */
struct served {
    char *bytes;
    size_t length;
    char *digest;
    char *media_type; /* Content-Type without parameters; NULL: not told */
};
#define auto_served __attribute__((cleanup(served_free)))
void served_free(struct served *served);

/* Fetches by tag or digest. -1 with NOTFOUND if there is none, CORRUPT if the bytes are others than
 * the digest says. */
int registry_manifest_get(struct registry *registry, const char *repository, const char *reference,
                          struct served *out, struct firn_error **err);
/* The digest that a tag has, or NULL in *out if there is no such tag. The caller's. */
int registry_manifest_digest(struct registry *registry, const char *repository, const char *tag,
                             char **out, struct firn_error **err);
/* Stores a manifest under a tag or its digest. *subject_known (may be NULL): the registry keeps
 * referrers itself. */
int registry_manifest_put(struct registry *registry, const char *repository, const char *reference,
                          const struct served *manifest, bool *subject_known,
                          struct firn_error **err);
/* What refers to a manifest, as the children of *out. -1 with NOTFOUND if the registry has no such
 * service. */
int registry_referrers(struct registry *registry, const char *repository, const char *digest,
                       struct manifest *out, struct firn_error **err);

struct names {
    char **list;
    size_t count;
    size_t capacity;
};
#define auto_names __attribute__((cleanup(names_free)))
void names_free(struct names *names);
bool names_contain(const struct names *names, const char *name); /* of a list as it was read */

/* All tags of a repository, sorted; NOTFOUND if there is no such repository. */
int registry_tags(struct registry *registry, const char *repository, struct names *out,
                  struct firn_error **err);
/* All repositories that the registry shows to these credentials, sorted. DENIED or NOTFOUND if it
 * shows none to them. */
int registry_catalog(struct registry *registry, struct names *out, struct firn_error **err);

#endif
