/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: whole reads and writes, and the durable way to put a file in its place (temporary file,
 * fsync, rename, fsync of the directory).
 */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct firn_error;
struct buf;

#define auto_close __attribute__((cleanup(file_close_pointer)))
void file_close_pointer(int *fd); /* for descriptors that were only read */

/* Reads the whole file, at most `limit` bytes (INVALID if it is larger). Appends to buf. */
int file_read(const char *path, size_t limit, struct buf *buf, struct firn_error **err);
/* Writes durably: path is either as it was, or has all of data. The mode applies to a new file. */
int file_write(const char *path, const void *data, size_t length, mode_t mode,
               struct firn_error **err);
/* All of length at offset; interrupted and short transfers are continued. -1 with CORRUPT if the file ends early. */
int file_pread(int fd, void *data, size_t length, uint64_t offset, const char *path,
               struct firn_error **err);
int file_pwrite(int fd, const void *data, size_t length, uint64_t offset, const char *path,
                struct firn_error **err);
/* fsync of the directory that holds path. */
int file_sync_parent(const char *path, struct firn_error **err);
/* mkdir -p. */
int file_make_directories(const char *path, mode_t mode, struct firn_error **err);
/* directory/name as a new string. */
char *file_join(const char *directory, const char *name);
/* $XDG_CACHE_HOME/firn or ~/.cache/firn; NULL if neither is known. */
char *file_cache_directory(void);

#endif
