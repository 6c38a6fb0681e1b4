/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include "authfile.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/file.h>
#include <core/json.h>
#include <core/mem.h>

#include <firn/plugin.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define SECRET_LIMIT 65536
#define FILE_LIMIT   (4u << 20)
/* OpenShift's registry and most token services do not look at the name that comes with a token. */
#define TOKEN_USER "firn"

void credentials_wipe(char **secret)
{
    if (*secret != NULL)
        OPENSSL_cleanse(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void credentials_free(struct credentials *credentials)
{
    free(credentials->username);
    free(credentials->token_file);
    credentials_wipe(&credentials->password);
    credentials_wipe(&credentials->identity_token);
    *credentials = (struct credentials){0};
}

/* The content of a file that holds one secret, without the newline that editors leave. */
static int read_secret(const char *path, char **out, struct firn_error **err)
{
    struct buf text = buf_new(SECRET_LIMIT);
    int result = file_read(path, SECRET_LIMIT, &text, err);
    if (result == 0) {
        *out = buf_take(&text);
        (*out)[strcspn(*out, "\r\n")] = '\0';
    } else if (text.data != NULL) {
        OPENSSL_cleanse(text.data, text.length);
    }
    buf_free(&text);
    return result;
}

/* 1: given by parameters, 0: not, -1: error. */
static int from_parameters(const struct firn_host *host, struct credentials *out,
                           struct firn_error **err)
{
    const char *username = host->param(host, "username");
    const char *password_file = host->param(host, "registry-password-file");
    const char *token_file = host->param(host, "token-file");
    if (username == NULL && password_file == NULL && token_file == NULL)
        return 0;
    if (token_file != NULL && password_file != NULL)
        return fail(err, FIRN_INVALID, "give token-file or registry-password-file, not both");
    if (token_file == NULL && (username == NULL || password_file == NULL))
        return fail(err, FIRN_INVALID, "username and registry-password-file belong together");
    if (password_file != NULL && read_secret(password_file, &out->password, err) < 0)
        return -1;
    out->token_file = mem_strdup(token_file);
    out->username = mem_strdup(username == NULL ? TOKEN_USER : username);
    return 1;
}

/* 1: found in the file, 0: not, -1: error. */
static int from_file(const char *path, const char *registry, const char *repository,
                     struct credentials *out, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(FILE_LIMIT);
    if (file_read(path, FILE_LIMIT, &text, err) < 0)
        return -1;
    auto_json struct json_object *json = NULL;
    int result = json_parse(buf_text(&text), text.length, path, &json, err);
    OPENSSL_cleanse(text.data, text.length);
    if (result < 0)
        return -1;
    result = authfile_find(json, registry, repository, out, err);
    return result < 0 ? wrap(err, "%s", path) : result;
}

static char *below_environment(const char *variable, const char *fallback, const char *name)
{
    const char *folder = getenv(variable);
    const char *home = getenv("HOME");
    if (folder != NULL && folder[0] == '/')
        return file_join(folder, name);
    if (fallback == NULL || home == NULL)
        return NULL;
    auto_free char *base = file_join(home, fallback);
    return file_join(base, name);
}

int credentials_find(const struct firn_host *host, const char *registry, const char *path,
                     struct credentials *out, struct firn_error **err)
{
    *out = (struct credentials){0};
    auto_credentials struct credentials found = {0};
    int result = from_parameters(host, &found, err);
    const char *only = getenv("REGISTRY_AUTH_FILE");
    if (result == 0 && only != NULL && only[0] != '\0') {
        result = from_file(only, registry, path, &found, err);
    } else if (result == 0) {
        auto_free char *runtime =
            below_environment("XDG_RUNTIME_DIR", NULL, "containers/auth.json");
        auto_free char *config =
            below_environment("XDG_CONFIG_HOME", ".config", "containers/auth.json");
        auto_free char *docker = below_environment("DOCKER_CONFIG", ".docker", "config.json");
        const char *files[] = {runtime, config, docker};
        for (size_t i = 0; i < array_length(files) && result == 0; i++)
            if (files[i] != NULL && access(files[i], F_OK) == 0)
                result = from_file(files[i], registry, path, &found, err);
    }
    if (result < 0)
        return wrap(err, "credentials for %s", registry);
    *out = found;
    found = (struct credentials){0};
    return 0;
}

int credentials_basic(const struct credentials *credentials, char **out, struct firn_error **err)
{
    *out = NULL;
    auto_secret char *password = NULL;
    if (credentials->token_file != NULL) {
        if (read_secret(credentials->token_file, &password, err) < 0)
            return -1;
    } else {
        password = mem_strdup(credentials->password);
    }
    if (password == NULL)
        return 0;
    auto_secret char *plain = mem_printf("%s:%s", credentials->username, password);
    size_t length = strlen(plain);
    auto_secret char *encoded = mem_zalloc((length + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, (int)length);
    *out = mem_printf("Basic %s", encoded);
    return 0;
}
