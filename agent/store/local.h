/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local store: a directory, one file an object, at the path that is its name. What local.c (names, listing), local_writer.c
 * and local_reader.c share.
 *
 *     DIR/packs/3f/3f9c…     an object: mode 0400, in directories of mode 0700
 *     DIR/.tmp/RANDOM        being written, on file systems without O_TMPFILE only; locked (flock) by its writer
 *
 * An object gets its name only when its bytes are on the disk, and a put returns only when the name is there, too:
 *
 *     write an unnamed file (O_TMPFILE) → fsync → linkat (refuses a taken name) → fsync of the directory
 *
 * What is put in one piece bears a time far ahead until its name is there, and then the present: so its time never is before
 * the moment from which it could be seen, however long its writer was stopped in between.
 *
 * So a crash leaves the whole object or nothing. Where unnamed files do not exist, a file in .tmp takes their place; what a
 * killed writer leaves there is swept by the next store_open(), which sees that nobody holds its lock.
 *
 * Nothing below DIR is reached through a symbolic link, and only regular files are objects.
 */
#ifndef STORE_LOCAL_H
#define STORE_LOCAL_H

#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOCAL_DIRECTORY_MODE 0700
#define LOCAL_FILE_MODE      0400
#define LOCAL_TEMPORARY      ".tmp" /* not a valid name: no object can be in it */
#define LOCAL_ALIGNMENT      4096u  /* of direct I/O: memory, offset and length */
#define LOCAL_OPEN_FILES     32u    /* kept open by the reader */
#define LOCAL_BOUNCE                                                                               \
    (1024u * 1024u)      /* a read that is not aligned goes through a buffer of this size … */
#define LOCAL_BOUNCES 4u /* … so many of which are kept */

struct local_file {
    char *name; /* NULL: the place is free */
    int fd;
    bool direct;    /* opened with O_DIRECT */
    unsigned users; /* reads that run */
    bool doomed;    /* removed: closed by its last user */
    uint64_t used;  /* when, by count */
};

struct local {
    struct store base;
    int root;              /* DIR */
    atomic_bool no_direct; /* the file system refused direct I/O */
    pthread_mutex_t mutex; /* guards what follows */
    struct local_file files[LOCAL_OPEN_FILES];
    uint64_t clock;
    void *bounces[LOCAL_BOUNCES];
    size_t bounce_count;
};

int local_open(const char *location, const char *path, struct store **out, struct firn_error **err);
int local_create(const char *location, const char *path, struct store **out,
                 struct firn_error **err);

/* The directory of `name` as a new descriptor, and the last part of the name (borrowed from it). -1 with errno. */
int local_parent(const struct local *local, const char *name, const char **leaf);
/* The same, making directories that are not there, durably. */
int local_parent_make(const struct local *local, const char *name, const char **leaf);
/* fail() for errno while doing `what` ("write", "read" …) with the object. */
int local_failed(const struct local *local, const char *what, const char *name,
                 struct firn_error **err);

int local_put(struct store *store, const char *name, const void *data, size_t length,
              struct firn_error **err);
int local_writer_open(struct store *store, const char *name, struct store_writer **out,
                      struct firn_error **err);
/* Removes what killed writers left in DIR/.tmp. Never fails: what cannot be removed stays. */
void local_writer_sweep(const struct local *local);

/* The file system's time now, from a file that is made for it and has no name. */
int local_now(struct store *store, int64_t *now, struct firn_error **err);
struct stat;
/* When the file was written, in ms since 1970. */
int64_t local_modified(const struct stat *status);

int local_get(struct store *store, const char *name, uint64_t offset, void *data, size_t length,
              struct firn_error **err);
void local_reader_forget(struct local *local, const char *name); /* the object was removed */
void local_reader_close(struct local *local);

#endif
