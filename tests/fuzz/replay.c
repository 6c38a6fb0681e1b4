/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzzer's entry point over the files of a corpus directory, once each: so that the corpora are ordinary tests. An
 * empty or missing corpus is a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) < 0) {
        perror(path);
        return -1;
    }
    /* Exactly as large as the input, so that a sanitizer sees one byte too many. */
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size);
    size_t got = size == 0 ? 0 : fread(data, 1, size, file);
    fclose(file);
    if (got == size)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return got == size ? 0 : -1;
}

int main(int argc, char **argv)
{
    int count = 0;
    DIR *corpus = argc == 2 ? opendir(argv[1]) : NULL;
    if (corpus == NULL) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 1;
    }
    for (struct dirent *entry = readdir(corpus); entry != NULL; entry = readdir(corpus)) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (replay(path) < 0)
            return 1;
        count++;
    }
    closedir(corpus);
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
