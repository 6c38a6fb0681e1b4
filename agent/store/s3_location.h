/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an S3 repository is: s3://HOST[:PORT]/BUCKET[/PREFIX][?OPTION=VALUE&…], over HTTPS.
 *
 *     region=NAME         else $AWS_REGION, $AWS_DEFAULT_REGION, the profile's, what HOST names, us-east-1
 *     style=path|virtual  else virtual-hosted for Amazon, path for others
 *     ca=FILE             PEM file trusted besides the system's; else $AWS_CA_BUNDLE
 *     profile=NAME        of the credentials (credentials.h)
 *     retry=DURATION      how long failing requests are repeated; 2m
 *
 * Values are taken as they are, without percent-decoding.
 */
#ifndef STORE_S3_LOCATION_H
#define STORE_S3_LOCATION_H

#include <stdint.h>

struct firn_error;
struct buf;

struct s3_location {
    char
        *host; /* with the port, as the header Host has it, the bucket in front if virtual-hosted */
    char *server; /* HOST[:PORT] as it was written, for messages */
    char *bucket;
    char *root;    /* path of the bucket, encoded: "/BUCKET/" or "/" */
    char *prefix;  /* of every key: "" or ends in '/' */
    char *region;  /* NULL: not told */
    char *ca_file; /* NULL: none */
    char *profile; /* NULL: not told */
    int64_t retry; /* ms */
};

int s3_location_parse(const char *text, struct s3_location *out, struct firn_error **err);
void s3_location_free(struct s3_location *location);
/* Appends the encoded path of key (without the prefix), or of the bucket if key is NULL. */
void s3_location_path(const struct s3_location *location, const char *key, struct buf *out);

#endif
