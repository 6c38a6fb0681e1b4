/* SPDX-License-Identifier: Apache-2.0 */
#include "note.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST 4096u

/* The first lines, which a note of the same restore shares. */
static char *identity(const struct note *note)
{
    return image_printf("firn restore 1\nsnapshot %s\nobject %s\nsize %llu\nfrontier ",
                        note->snapshot, note->object, (unsigned long long)note->size);
}

uint64_t note_read(const struct note *note)
{
    char text[LONGEST] = "";
    char *expected = identity(note);
    uint64_t frontier = 0;
    FILE *file = fopen(note->path, "re");
    if (file != NULL) {
        size_t length = fread(text, 1, sizeof(text) - 1, file);
        text[length] = '\0';
        fclose(file);
    }
    if (strncmp(text, expected, strlen(expected)) == 0)
        frontier = strtoull(text + strlen(expected), NULL, 10);
    free(expected);
    return frontier > note->size ? 0 : frontier - frontier % FIRN_BLOCK_SIZE;
}

static int write_file(const struct note *note, const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return image_fail_errno(note->image, "%s", path);
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    if (close(fd) < 0 || !written)
        return image_fail_errno(note->image, "%s: writing", path);
    return 0;
}

/* If the name is lost in a crash, so is the progress, and nothing else: the directory needs no fsync. */
int note_write(const struct note *note, uint64_t frontier)
{
    char *head = identity(note);
    char *text = image_printf("%s%llu\n", head, (unsigned long long)frontier);
    char *path = image_printf("%s.new", note->path);
    int result = write_file(note, path, text);
    if (result == 0 && rename(path, note->path) < 0)
        result = image_fail_errno(note->image, "%s", note->path);
    free(head);
    free(text);
    free(path);
    return result;
}

void note_remove(const struct note *note)
{
    unlink(note->path);
}
