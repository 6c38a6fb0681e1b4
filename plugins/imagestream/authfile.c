/* SPDX-License-Identifier: Apache-2.0 */
#include "authfile.h"

#include "credentials.h"
#include "helper.h"

#include <core/error.h>
#include <core/json.h>
#include <core/mem.h>

#include <openssl/evp.h>
#include <string.h>

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value))
        return NULL;
    return value;
}

static const char *text_of(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* Docker writes keys as "https://host/v1/", too: the host alone. */
static char *key_host(const char *key)
{
    if (strncmp(key, "https://", 8) == 0)
        key += 8;
    else if (strncmp(key, "http://", 7) == 0)
        key += 7;
    else
        return NULL;
    return mem_dup(key, strcspn(key, "/"));
}

static struct json_object *legacy_entry(struct json_object *auths, const char *registry)
{
    json_object_object_foreach(auths, key, value)
    {
        auto_free char *host = key_host(key);
        if (host != NULL && strcmp(host, registry) == 0)
            return value;
    }
    return NULL;
}

/* The entry of the longest key that is the registry and a part of the path. */
static struct json_object *entry_for(struct json_object *auths, const char *registry,
                                     const char *path)
{
    if (!json_object_is_type(auths, json_type_object))
        return NULL;
    auto_free char *key = mem_printf("%s%s%s", registry, path[0] == '\0' ? "" : "/", path);
    for (;;) {
        struct json_object *entry = member(auths, key);
        if (entry != NULL)
            return entry;
        char *slash = strrchr(key, '/');
        if (slash == NULL)
            return legacy_entry(auths, registry);
        *slash = '\0';
    }
}

/* Decodes base64("user:password"). */
static int decode_auth(const char *encoded, struct credentials *out, struct firn_error **err)
{
    size_t length = strlen(encoded);
    auto_secret char *plain = mem_zalloc(length / 4 * 3 + 4);
    int decoded = length > INT32_MAX ? -1
                                     : EVP_DecodeBlock((unsigned char *)plain,
                                                       (const unsigned char *)encoded, (int)length);
    char *colon = decoded < 0 ? NULL : strchr(plain, ':');
    if (colon == NULL)
        return fail(err, FIRN_INVALID, "an \"auth\" that is not base64 of user:password");
    *colon = '\0';
    out->username = mem_strdup(plain);
    out->password = mem_strdup(colon + 1);
    return 1;
}

static int from_entry(struct json_object *entry, struct credentials *out, struct firn_error **err)
{
    const char *identity = text_of(member(entry, "identitytoken"));
    const char *auth = text_of(member(entry, "auth"));
    const char *username = text_of(member(entry, "username"));
    const char *password = text_of(member(entry, "password"));
    if (identity != NULL && identity[0] != '\0') {
        out->identity_token = mem_strdup(identity);
        return 1;
    }
    if (auth != NULL && auth[0] != '\0')
        return decode_auth(auth, out, err);
    if (username == NULL || password == NULL)
        return 0;
    out->username = mem_strdup(username);
    out->password = mem_strdup(password);
    return 1;
}

int authfile_find(struct json_object *file, const char *registry, const char *path,
                  struct credentials *out, struct firn_error **err)
{
    const char *helper = text_of(member(member(file, "credHelpers"), registry));
    if (helper == NULL)
        helper = text_of(member(file, "credsStore"));
    if (helper != NULL && helper[0] != '\0') {
        int result = helper_get(helper, registry, out, err);
        if (result != 0)
            return result;
    }
    struct json_object *entry = entry_for(member(file, "auths"), registry, path);
    return entry == NULL ? 0 : from_entry(entry, out, err);
}
