/* SPDX-License-Identifier: Apache-2.0 */
/* What the host sees of the plugin: its name, its parameters, its functions. */
#include "image.h"
#include "input.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ small things */

int image_fail_errno(const struct image *image, const char *format, ...)
{
    int number = errno;
    enum firn_code code = number == ENOENT                      ? FIRN_NOTFOUND
                          : number == EACCES || number == EPERM ? FIRN_DENIED
                          : number == EBUSY                     ? FIRN_CONFLICT
                                                                : FIRN_INTERNAL;
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    return image_fail(image, code, "%s: %s", what, strerror(number));
}

int image_check_cancelled(const struct image *image)
{
    if (image->host->cancelled(image->host))
        return image_fail(image, FIRN_CANCELLED, "interrupted");
    return 0;
}

const char *image_param(const struct image *image, const char *name)
{
    const char *value = image->host->param(image->host, name);
    return value != NULL && *value != '\0' ? value : NULL;
}

bool image_param_true(const struct image *image, const char *name)
{
    return image->host->param_integer(image->host, name) != 0;
}

bool image_is_uri(const char *reference)
{
    static const char *const schemes[] = {"nbd://", "nbds://", "nbd+unix://", "nbds+unix://",
                                          "nbd+vsock://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(reference, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

char *image_printf(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        abort();
    return text;
}

/* ------------------------------------------------------------------------------------------------ the interface */

static int open_plugin(const struct firn_host *host, void **handle)
{
    struct image *image = calloc(1, sizeof(*image));
    if (image == NULL)
        abort();
    image->host = host;
    *handle = image;
    return 0;
}

static void close_plugin(void *handle)
{
    free(handle);
}

static int list(void *handle, const char *reference, firn_list_callback *each, void *context)
{
    struct image *image = handle;
    struct input *input;
    if (input_open(image, reference, NULL, &input) < 0)
        return -1;
    char *description =
        image_printf("%s of %llu bytes", input->what, (unsigned long long)input->size);
    input_close(input);
    int result = each(context, reference, description);
    free(description);
    return result;
}

static int capture(void *handle, const struct firn_capture *request, struct firn_sink *sink)
{
    return image_capture(handle, request, sink);
}

static int restore(void *handle, const struct firn_restore *request, struct firn_source *source)
{
    return image_restore(handle, request, source);
}

static const struct firn_param params[] = {
    {"format", FIRN_PARAM_STRING, "auto",
     "auto refuses files in a format that is not raw; raw takes every file as it is"},
    {"bitmap", FIRN_PARAM_STRING, NULL,
     "the meta context of an NBD server that marks what changed since the parent, such as "
     "qemu:dirty-bitmap:NAME"},
    {"quiesced", FIRN_PARAM_BOOLEAN, "false",
     "you vouch that the file systems in the image are frozen or not mounted: the snapshot is "
     "filesystem-consistent"},
    {"direct", FIRN_PARAM_BOOLEAN, "true",
     "read and write files around the page cache where that works"},
    {"tls-certificates", FIRN_PARAM_PATH, NULL,
     "the directory of the certificates for nbds:// (libnbd's layout)"},
    {"tls-psk-file", FIRN_PARAM_PATH, NULL, "the file of pre-shared keys for nbds://"},
    {0},
};

static const struct firn_plugin plugin = {
    .size = sizeof(plugin),
    .abi = FIRN_PLUGIN_ABI,
    .name = "image",
    .version = "1",
    .description = "disk images: raw files, block devices, NBD servers",
    .params = params,
    .open = open_plugin,
    .close = close_plugin,
    .list = list,
    .capture = capture,
    .restore = restore,
};

const struct firn_plugin *firn_plugin_register(void)
{
    return &plugin;
}
