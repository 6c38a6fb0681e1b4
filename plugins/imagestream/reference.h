/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: what SOURCE and --target name in a registry.
 *
 *     HOST[:PORT]                     every repository that the registry lists
 *     HOST[:PORT]/NS or …/NS/         every repository below NS (and NS itself, if it is one)
 *     HOST[:PORT]/NS/NAME             a repository: all its tags and what they lead to
 *     HOST[:PORT]/NS/NAME:TAG         one tag
 *     HOST[:PORT]/NS/NAME@DIGEST      one image, tagged or not
 *
 * The grammar of names and tags is that of the OCI distribution specification; whatever a registry
 * sends is held to it, too, before it becomes part of a URL or of a name in a snapshot.
 */
#ifndef IMAGESTREAM_REFERENCE_H
#define IMAGESTREAM_REFERENCE_H

#include <stdbool.h>

struct firn_error;

enum reference_kind {
    REFERENCE_REGISTRY = 1,
    REFERENCE_NAMESPACE,
    REFERENCE_REPOSITORY,
    REFERENCE_TAG,
    REFERENCE_DIGEST,
};

struct reference {
    enum reference_kind kind;
    char *host;   /* with the port, if there is one */
    char *path;   /* namespace or repository; "" for a whole registry */
    char *tag;    /* NULL unless REFERENCE_TAG */
    char *digest; /* NULL unless REFERENCE_DIGEST */
};
#define auto_reference __attribute__((cleanup(reference_free)))

/* -1 with INVALID, saying what is expected. */
int reference_parse(const char *text, struct reference *out, struct firn_error **err);
void reference_free(struct reference *reference);

bool reference_valid_name(const char *name); /* a repository or namespace */
bool reference_valid_tag(const char *tag);
/* localhost, 127.0.0.0/8 or [::1], with or without a port. */
bool reference_is_loopback(const char *host);

#endif
