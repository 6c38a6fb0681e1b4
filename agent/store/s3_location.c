/* SPDX-License-Identifier: Apache-2.0 */
#include "s3_location.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "net/url.h"

#include <ctype.h>

#define PREFIX_MAX    512u  /* with a name of the store it stays below the 1024 bytes of a key */
#define PATH_MAX_TEXT 8192u /* encoded */
#define RETRY_DEFAULT 120000

void s3_location_free(struct s3_location *location)
{
    free(location->host);
    free(location->server);
    free(location->bucket);
    free(location->root);
    free(location->prefix);
    free(location->region);
    free(location->ca_file);
    free(location->profile);
    *location = (struct s3_location){.host = NULL};
}

static void append_path(struct buf *out, const char *path)
{
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        auto_free char *part = mem_dup(path, length);
        url_escape(out, part);
        path += length;
        if (*path == '/')
            buf_putc(out, *path++);
    }
}

void s3_location_path(const struct s3_location *location, const char *key, struct buf *out)
{
    if (key == NULL) {
        buf_puts(out, location->root);
        return;
    }
    buf_puts(out, location->root);
    append_path(out, location->prefix);
    append_path(out, key);
}

/* ------------------------------------------------------------------------------------------------ options */

static bool is_region(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return length > 0 && length < 64 && text[length] == '\0';
}

static void replace(char **to, const char *text)
{
    free(*to);
    *to = mem_strdup(text);
}

struct options {
    const char *style;
    struct s3_location *location;
};

static int take_option(struct options *options, const char *name, const char *value,
                       struct firn_error **err)
{
    struct s3_location *location = options->location;
    if (strcmp(name, "region") == 0 && is_region(value))
        replace(&location->region, value);
    else if (strcmp(name, "style") == 0 && strcmp(value, "path") == 0)
        options->style = "path";
    else if (strcmp(name, "style") == 0 && strcmp(value, "virtual") == 0)
        options->style = "virtual";
    else if (strcmp(name, "ca") == 0 && value[0] != '\0')
        replace(&location->ca_file, value);
    else if (strcmp(name, "profile") == 0 && value[0] != '\0')
        replace(&location->profile, value);
    else if (strcmp(name, "retry") == 0)
        return duration_parse(value, &location->retry, err);
    else
        return fail(err, FIRN_INVALID,
                    "option %s=%s is not known (region=NAME, style=path or virtual, ca=FILE, "
                    "profile=NAME, retry=DURATION)",
                    name, value);
    return 0;
}

static int take_options(struct options *options, char *text, struct firn_error **err)
{
    char *rest = text;
    for (char *part = strsep(&rest, "&"); part != NULL; part = strsep(&rest, "&")) {
        char *value = strchr(part, '=');
        if (value != NULL)
            *value++ = '\0';
        if (take_option(options, part, value == NULL ? "" : value, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ parts */

/* A name of letters, digits, dots and dashes, or an IPv6 address in brackets; then perhaps a port. */
static bool is_server(const char *text)
{
    size_t length = text[0] == '[' ? strspn(text + 1, "0123456789abcdefABCDEF:.") + 1
                                   : strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    if (text[0] == '[' && text[length++] != ']')
        return false;
    if (length == 0)
        return false;
    if (text[length] == '\0')
        return strchr(text, '.') != NULL || strcmp(text, "localhost") == 0 || text[0] == '[';
    size_t digits = strspn(text + length + 1, "0123456789");
    return text[length] == ':' && digits > 0 && digits < 6 && text[length + 1] != '0' &&
           text[length + 1 + digits] == '\0';
}

static bool is_bucket(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    return length >= 3 && length <= 255 && text[length] == '\0' && isalnum((unsigned char)*text);
}

/* Parts between slashes: none is empty, "." or "..". */
static bool is_prefix(const char *text)
{
    if (strlen(text) > PREFIX_MAX || !utf8_is_printable(text))
        return false;
    while (*text != '\0') {
        size_t length = strcspn(text, "/");
        if (length == 0 || (length <= 2 && strspn(text, ".") == length))
            return false;
        text += length + (text[length] == '/');
    }
    return true;
}

/* The part up to the next slash; the text goes on behind it. */
static char *take_part(const char **text)
{
    size_t length = strcspn(*text, "/");
    char *part = mem_dup(*text, length);
    *text += length + ((*text)[length] == '/');
    return part;
}

static int take_parts(struct s3_location *out, const char *text, const char *path,
                      struct firn_error **err)
{
    out->server = take_part(&path);
    out->bucket = take_part(&path);
    if (!is_server(out->server))
        return fail(err, FIRN_INVALID,
                    "%s: s3:// is followed by the server, then the bucket, as in "
                    "s3://s3.eu-west-1.amazonaws.com/BUCKET/PREFIX or s3://HOST:PORT/BUCKET/PREFIX",
                    text);
    if (!is_bucket(out->bucket))
        return fail(err, FIRN_INVALID, "%s: \"%s\" cannot be the name of a bucket", text,
                    out->bucket);
    size_t length = strlen(path);
    auto_free char *prefix =
        mem_dup(path, length > 0 && path[length - 1] == '/' ? length - 1 : length);
    if (!is_prefix(prefix))
        return fail(err, FIRN_INVALID, "%s: \"%s\" cannot be a prefix", text, prefix);
    out->prefix = mem_printf("%s%s", prefix, prefix[0] == '\0' ? "" : "/");
    return 0;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t tail = strlen(end);
    return length >= tail && strncasecmp(text + length - tail, end, tail) == 0;
}

static bool is_amazon(const char *server)
{
    size_t length = strcspn(server, ":");
    return ends_with(server, length, ".amazonaws.com") ||
           ends_with(server, length, ".amazonaws.com.cn");
}

/* s3.REGION.amazonaws.com, s3.dualstack.REGION.…: what stands before "amazonaws". */
static char *amazon_region(const char *server)
{
    const char *end = strcasestr(server, ".amazonaws.");
    const char *begin = end;
    while (begin > server && begin[-1] != '.')
        begin--;
    char *region = mem_dup(begin, (size_t)(end - begin));
    if (strcmp(region, "s3") == 0 || begin == server)
        replace(&region, "us-east-1");
    return region;
}

/* A certificate of Amazon's for *.s3… covers no bucket with a dot in it. */
static void choose_style(struct s3_location *out, const char *style)
{
    bool virtual = is_amazon(out->server) && strchr(out->bucket, '.') == NULL;
    if (style != NULL)
        virtual = strcmp(style, "virtual") == 0;
    size_t length = strlen(out->server);
    if (ends_with(out->server, length, ":443"))
        length -= 4; /* the header Host leaves the usual port out */
    out->host = mem_printf("%s%s%.*s", virtual ? out->bucket : "", virtual ? "." : "", (int)length,
                           out->server);
    for (char *at = out->host; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    out->root = virtual ? mem_strdup("/") : mem_printf("/%s/", out->bucket);
}

static void take_environment(struct s3_location *out)
{
    static const char *const regions[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < array_length(regions) && out->region == NULL; i++) {
        const char *value = getenv(regions[i]);
        if (value != NULL && is_region(value))
            out->region = mem_strdup(value);
    }
    const char *ca_file = getenv("AWS_CA_BUNDLE");
    if (out->ca_file == NULL && ca_file != NULL && ca_file[0] != '\0')
        out->ca_file = mem_strdup(ca_file);
}

static int parse(const char *text, struct s3_location *out, struct firn_error **err)
{
    struct options options = {.location = out};
    const char *question = strchr(text, '?');
    size_t length = question == NULL ? strlen(text) : (size_t)(question - text);
    auto_free char *path = mem_dup(text, length);
    auto_free char *rest = mem_strdup(question == NULL ? NULL : question + 1);
    if (strchr(path, '@') != NULL)
        return fail(err, FIRN_INVALID,
                    "credentials do not go into the location of a repository: set "
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    if (take_parts(out, path, path + 5, err) < 0)
        return -1;
    if (rest != NULL && take_options(&options, rest, err) < 0)
        return wrap(err, "%s", path);
    if (is_amazon(out->server) && out->region == NULL)
        out->region = amazon_region(out->server);
    take_environment(out);
    choose_style(out, options.style);
    return 0;
}

int s3_location_parse(const char *text, struct s3_location *out, struct firn_error **err)
{
    *out = (struct s3_location){.retry = RETRY_DEFAULT};
    if (parse(text, out, err) == 0)
        return 0;
    s3_location_free(out);
    return -1;
}
