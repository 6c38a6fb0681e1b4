/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions: in a bucket that keeps them, an object is its first version. No name is ever written twice, so what lies above
 * the first version, another one or a delete marker, was put there by somebody else.
 *
 *     versions, the latest first     is to others     is to Firn
 *     A                              A                A
 *     marker  A                      not there        A
 *     B  marker  A                   B                A
 *     marker                         not there        not there
 *
 * Objects with more than one version are pinned: from then on they are read by the id of their first version. Which are is
 * known from listings: a name is looked up by listing its versions, unless a prefix of it was listed in full before.
 */
#ifndef STORE_S3_VERSIONS_H
#define STORE_S3_VERSIONS_H

#include "store.h"

#include <stdbool.h>

struct firn_error;
struct s3;
struct s3_pins;

struct s3_pins *s3_pins_new(void);
void s3_pins_free(struct s3_pins *pins);

/* Finds out whether the bucket keeps versions, as far as what lies under the prefix shows it. 0: the server does not list
 * versions, or not for these credentials; 1: it does. */
int s3_versions_open(struct s3 *s3, struct firn_error **err);
/* Whether objects are to be looked up by their versions. */
bool s3_versioned(struct s3 *s3);
/* The id of the first version if the object is pinned, a new string; else NULL: it has one version only. */
char *s3_pinned(struct s3 *s3, const char *name);
/* Whether it is known without asking if that object is pinned. */
bool s3_pins_cover(struct s3 *s3, const char *name);

/* The operations of the store, by versions. */
int s3_versions_list(struct s3 *s3, const char *prefix, store_list_callback *each, void *context,
                     struct firn_error **err);
int s3_versions_stat(struct s3 *s3, const char *name, uint64_t *length, int64_t *modified,
                     struct firn_error **err);
int s3_remove_version(struct s3 *s3, const char *name, const char *id, struct firn_error **err);
int s3_versions_remove(struct s3 *s3, const char *name, struct firn_error **err);
int s3_list_overlaid(struct store *store, const char *prefix, store_overlaid_callback *each,
                     void *context, struct firn_error **err);
int s3_uncover(struct store *store, const char *name, struct firn_error **err);

#endif
