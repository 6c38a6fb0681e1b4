/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an S3 server says in XML: errors, and pages of a listing (ListObjectsV2). None of it is
 * trusted: documents with a DTD are refused, texts are bounded and printable.
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

/* One page: `each` gets the entries whose keys begin with `prefix`, without it, and are valid names of a store;
 * *next: the token of the next page, the caller's, NULL if this was the last. CORRUPT: it is no listing. */
int s3_xml_page(const char *body, size_t length, const char *prefix, store_list_callback *each,
                void *context, char **next, struct firn_error **err);

#endif
