/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place place_new_take(char *path)
{
    return (struct place){path, image_printf("%s.firn-partial", path),
                          image_printf("%s.firn-restore", path)};
}

void place_free(struct place *place)
{
    free(place->path);
    free(place->partial);
    free(place->note);
}

bool place_exists(const char *path)
{
    struct stat found;
    return lstat(path, &found) == 0;
}

/* Names come from the repository: none may lead out of the directory. */
static bool is_safe(const char *name)
{
    if (*name == '/' || *name == '\0')
        return false;
    while (*name != '\0') {
        size_t length = strcspn(name, "/");
        if (length == 0 || (length == 1 && name[0] == '.') ||
            (length == 2 && name[0] == '.' && name[1] == '.'))
            return false;
        name += length;
        if (*name == '/' && *++name == '\0')
            return false;
    }
    return true;
}

int place_below(struct image *image, const char *directory, const char *name, const char *suffix,
                struct place *out)
{
    size_t length = strlen(directory), name_length = strlen(name), suffix_length = strlen(suffix);
    if (!is_safe(name))
        return image_fail(
            image, FIRN_INVALID,
            "object \"%s\": its name is not safe as a file name; restore it alone, to a file",
            name);
    if (name_length > suffix_length && strcmp(name + name_length - suffix_length, suffix) == 0)
        suffix = "";
    *out = place_new_take(image_printf("%s%s%s%s", directory,
                                       length > 0 && directory[length - 1] == '/' ? "" : "/", name,
                                       suffix));
    return 0;
}

int place_make_parents(struct image *image, const struct place *place)
{
    char *path = image_printf("%s", place->path);
    int result = 0;
    for (char *slash = strchr(path + 1, '/'); slash != NULL && result == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            result = image_fail_errno(image, "%s", path);
        *slash = '/';
    }
    free(path);
    return result;
}

static int sync_directory(struct image *image, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory =
        slash == NULL ? image_printf(".") : image_printf("%.*s", (int)(slash - path + 1), path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) < 0 ? image_fail_errno(image, "%s", directory) : 0;
    if (fd >= 0)
        close(fd);
    free(directory);
    return result;
}

int place_finish(struct image *image, const struct place *place, bool overwrite)
{
    unsigned flags = overwrite ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, place->partial, AT_FDCWD, place->path, flags) < 0) {
        bool unsupported = errno == EINVAL && !overwrite && !place_exists(place->path);
        if (!unsupported || rename(place->partial, place->path) < 0)
            return image_fail_errno(image, "%s", place->path);
    }
    return sync_directory(image, place->path);
}
