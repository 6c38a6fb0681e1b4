/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include "digest.h"

#include <core/error.h>
#include <core/mem.h>

#include <string.h>

#define NAME_LIMIT 255 /* distribution-spec: many clients refuse longer ones */
#define TAG_LIMIT  128

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

void reference_free(struct reference *reference)
{
    free(reference->host);
    free(reference->path);
    free(reference->tag);
    free(reference->digest);
    *reference = (struct reference){0};
}

/* The length of a separator inside a name's component: ".", "_", "__" or dashes; 0: none. */
static size_t separator_length(const char *text)
{
    if (text[0] == '.')
        return 1;
    if (text[0] == '_')
        return text[1] == '_' ? 2 : 1;
    return strspn(text, "-");
}

bool reference_valid_name(const char *name)
{
    if (strlen(name) > NAME_LIMIT)
        return false;
    for (;;) {
        size_t word = strspn(name, LOWER DIGITS);
        if (word == 0)
            return false;
        name += word;
        if (*name == '\0')
            return true;
        size_t separator = *name == '/' ? 1 : separator_length(name);
        if (separator == 0)
            return false;
        name += separator;
    }
}

bool reference_valid_tag(const char *tag)
{
    size_t length = strlen(tag);
    return length > 0 && length <= TAG_LIMIT && tag[0] != '.' && tag[0] != '-' &&
           strspn(tag, LOWER UPPER DIGITS "._-") == length;
}

static bool valid_port(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 5 && strspn(text, DIGITS) == length && atoi(text) > 0 &&
           atoi(text) <= 65535;
}

static bool valid_host(const char *host)
{
    const char *rest;
    if (host[0] == '[') {
        size_t length = strspn(host + 1, "abcdefABCDEF" DIGITS ":.");
        if (length < 2 || host[1 + length] != ']')
            return false;
        rest = host + length + 2;
    } else {
        size_t length = strspn(host, LOWER UPPER DIGITS ".-");
        if (length == 0 || length > 253 || host[0] == '-' || host[0] == '.')
            return false;
        rest = host + length;
    }
    return *rest == '\0' || (*rest == ':' && valid_port(rest + 1));
}

bool reference_is_loopback(const char *host)
{
    auto_free char *name = mem_strdup(host);
    char *end = name[0] == '[' ? strchr(name, ']') : strchr(name, ':');
    if (end != NULL)
        end[name[0] == '[' ? 1 : 0] = '\0';
    if (strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0)
        return true;
    /* Only a literal address: 127.example.org resolves to wherever its owner likes. */
    return strncmp(name, "127.", 4) == 0 && strspn(name, DIGITS ".") == strlen(name);
}

/* Splits a tag or a digest off `rest` (what follows HOST/), which is cut short. */
static int split_suffix(char *rest, struct reference *out, struct firn_error **err)
{
    char *at = strchr(rest, '@');
    if (at != NULL) {
        *at = '\0';
        if (!digest_valid(at + 1))
            return fail(err, FIRN_INVALID,
                        "'%s' is not a digest (sha256: and 64 lower-case hex digits)", at + 1);
        out->digest = mem_strdup(at + 1);
    }
    char *slash = strrchr(rest, '/');
    char *colon = strchr(slash == NULL ? rest : slash, ':');
    if (colon == NULL)
        return 0;
    if (out->digest != NULL)
        return fail(err, FIRN_INVALID, "name a tag or a digest, not both");
    *colon = '\0';
    if (!reference_valid_tag(colon + 1))
        return fail(err, FIRN_INVALID,
                    "'%s' is not a tag (letters, digits, '_', '.', '-', at most 128)", colon + 1);
    out->tag = mem_strdup(colon + 1);
    return 0;
}

/* What kind of thing the path names; takes a trailing slash away. */
static enum reference_kind kind_of(char *path, const struct reference *reference)
{
    if (reference->digest != NULL)
        return REFERENCE_DIGEST;
    if (reference->tag != NULL)
        return REFERENCE_TAG;
    size_t length = strlen(path);
    if (length == 0)
        return REFERENCE_REGISTRY;
    if (path[length - 1] == '/') {
        path[length - 1] = '\0';
        return REFERENCE_NAMESPACE;
    }
    return strchr(path, '/') == NULL ? REFERENCE_NAMESPACE : REFERENCE_REPOSITORY;
}

int reference_parse(const char *text, struct reference *out, struct firn_error **err)
{
    *out = (struct reference){0};
    auto_reference struct reference reference = {0};
    const char *slash = strchr(text, '/');
    auto_free char *host = slash == NULL ? mem_strdup(text) : mem_dup(text, (size_t)(slash - text));
    if (!valid_host(host))
        return fail(err, FIRN_INVALID,
                    "'%s' does not begin with a registry (HOST[:PORT]/NAMESPACE/NAME)", text);
    auto_free char *path = mem_strdup(slash == NULL ? "" : slash + 1);
    if (split_suffix(path, &reference, err) < 0)
        return wrap(err, "%s", text);
    reference.kind = kind_of(path, &reference);
    if (reference.kind != REFERENCE_REGISTRY && !reference_valid_name(path))
        return fail(err, FIRN_INVALID,
                    "'%s': '%s' is not a repository's name (lower case, words joined by '/')", text,
                    path);
    reference.host = steal(host);
    reference.path = steal(path);
    *out = reference;
    reference = (struct reference){0};
    return 0;
}
