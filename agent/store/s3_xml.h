/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an S3 server says in XML: errors, pages of listings (ListObjectsV2, ListObjectVersions), the
 * configuration of Object Lock. None of it is trusted: documents with a DTD are refused, texts are
 * bounded and printable.
 */
#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include "store.h"

#include <stdbool.h>
#include <stddef.h>

struct firn_error;

#define S3_CODE_LENGTH    64
#define S3_MESSAGE_LENGTH 256

struct s3_fault {
    char code[S3_CODE_LENGTH]; /* "NoSuchKey"; "" if the answer names none */
    char message[S3_MESSAGE_LENGTH];
    char region[S3_CODE_LENGTH]; /* that the server wants to be signed for; "" if it does not say */
};

/* The body of an answer that is no success. What is no S3 error leaves all empty. */
void s3_xml_fault(const char *body, size_t length, struct s3_fault *out);

/* The text of the first element `name`, wherever it stands: a new string, NULL if there is none. */
char *s3_xml_find(const char *body, size_t length, const char *name);

/* One page: `each` gets the entries whose keys begin with `prefix`, without it, and are valid names of a store;
 * *next: the token of the next page, the caller's, NULL if this was the last. CORRUPT: it is no listing. */
int s3_xml_page(const char *body, size_t length, const char *prefix, store_list_callback *each,
                void *context, char **next, struct firn_error **err);

#define S3_VERSION_LENGTH 1025 /* AWS: at most 1024 bytes */

struct s3_version {
    const char *name; /* of the store; borrowed for the call, like all texts */
    const char *id;   /* "null": of a bucket without versions, or from before it had them */
    const char *etag; /* "": none */
    uint64_t length;
    int64_t modified; /* ms since 1970 */
    bool current;     /* what a GET without a version gets */
    bool marker;      /* a delete marker: no content */
};
typedef int s3_version_callback(void *context, const struct s3_version *version,
                                struct firn_error **err);

/* Where the next page of versions begins. All NULL: there is none. */
struct s3_version_place {
    char *key, *id;
};
void s3_version_place_free(struct s3_version_place *place);

/* One page of versions, in the server's order: by key, and of one key the latest first. As s3_xml_page(). */
int s3_xml_versions(const char *body, size_t length, const char *prefix, s3_version_callback *each,
                    void *context, struct s3_version_place *next, struct firn_error **err);

struct s3_lock_default {
    bool enabled;              /* Object Lock is on for the bucket */
    enum store_lock_mode mode; /* of what is put without saying so */
    int64_t period;            /* ms; 0: none */
};
/* An ObjectLockConfiguration. CORRUPT: it is none. */
int s3_xml_lock(const char *body, size_t length, struct s3_lock_default *out,
                struct firn_error **err);

#endif
