/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Auth files: Docker's config.json and Podman's auth.json (containers-auth.json(5)), which share
 * one format.
 */
#ifndef IMAGESTREAM_AUTHFILE_H
#define IMAGESTREAM_AUTHFILE_H

struct credentials;
struct firn_error;
struct json_object;

/* What a parsed file has for a registry and a path in it (may be ""): 1 and *out, 0: nothing, -1:
 * error. May start a credential helper. */
int authfile_find(struct json_object *file, const char *registry, const char *path,
                  struct credentials *out, struct firn_error **err);

#endif
