/* SPDX-License-Identifier: Apache-2.0 */
#include "aws_profile.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <strings.h>
#include <unistd.h>

#define FILE_LIMIT (1u << 20)

static const struct {
    const char *name;
    size_t member;
} settings[] = {
    {"aws_access_key_id", offsetof(struct aws_profile, access_key)},
    {"aws_secret_access_key", offsetof(struct aws_profile, secret_key)},
    {"aws_session_token", offsetof(struct aws_profile, session_token)},
    {"region", offsetof(struct aws_profile, region)},
    {"role_arn", offsetof(struct aws_profile, role_arn)},
    {"source_profile", offsetof(struct aws_profile, source_profile)},
    {"credential_source", offsetof(struct aws_profile, credential_source)},
    {"web_identity_token_file", offsetof(struct aws_profile, web_identity_token_file)},
    {"role_session_name", offsetof(struct aws_profile, role_session_name)},
    {"external_id", offsetof(struct aws_profile, external_id)},
    {"duration_seconds", offsetof(struct aws_profile, duration_seconds)},
    {"mfa_serial", offsetof(struct aws_profile, mfa_serial)},
    {"credential_process", offsetof(struct aws_profile, credential_process)},
    {"sso_session", offsetof(struct aws_profile, sso_session)},
    {"sso_start_url", offsetof(struct aws_profile, sso_start_url)},
};
#define KEY_SETTINGS 3u /* the first of them, which belong together */

static char **member(struct aws_profile *profile, size_t setting)
{
    return (char **)((char *)profile + settings[setting].member);
}

static void wipe_text(char **text)
{
    if (*text != NULL)
        OPENSSL_cleanse(*text, strlen(*text));
    free(steal(*text));
}

void aws_profile_wipe(struct aws_profile *profile)
{
    for (size_t i = 0; i < array_length(settings); i++)
        wipe_text(member(profile, i));
    profile->found = false;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text + strspn(text, " \t\r");
}

/* Sections are "[name]", in the config file "[profile name]" but for default. */
static bool is_section(char *line, const char *profile)
{
    char *end = strchr(line, ']');
    if (end == NULL)
        return false;
    *end = '\0';
    char *name = trim(line + 1);
    if (strncmp(name, "profile", 7) == 0 && isspace((unsigned char)name[7]))
        name = trim(name + 7);
    return strcmp(name, profile) == 0;
}

static void take_setting(struct aws_profile *out, char *line)
{
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return;
    *equals = '\0';
    const char *name = trim(line);
    const char *value = trim(equals + 1);
    for (size_t i = 0; i < array_length(settings); i++)
        if (strcasecmp(settings[i].name, name) == 0 && *member(out, i) == NULL && value[0] != '\0')
            *member(out, i) = mem_strdup(value);
}

/* A line that begins with a blank belongs to a nested setting. */
static void parse_file(char *text, const char *name, struct aws_profile *out)
{
    bool inside = false;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '[')
            out->found = (inside = is_section(line, name)) || out->found;
        else if (inside && line[0] != '#' && line[0] != ';' && !isspace((unsigned char)line[0]))
            take_setting(out, line);
    }
}

static void merge(struct aws_profile *to, struct aws_profile *from)
{
    bool keys = to->access_key != NULL || to->secret_key != NULL;
    for (size_t i = keys ? KEY_SETTINGS : 0; i < array_length(settings); i++)
        if (*member(to, i) == NULL)
            *member(to, i) = steal(*member(from, i));
    to->found = to->found || from->found;
}

static int read_file(const char *path, const char *name, struct aws_profile *out,
                     struct firn_error **err)
{
    if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    auto_buf struct buf text = buf_new(FILE_LIMIT);
    auto_profile struct aws_profile found = {.found = false};
    int result = file_read(path, FILE_LIMIT, &text, err);
    if (result == 0 && text.length > 0)
        parse_file(text.data, name, &found);
    merge(out, &found);
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.capacity);
    return result;
}

/* $variable, else HOME/name; NULL if neither is known. */
static char *file_path(const char *override, const char *name)
{
    const char *own = getenv(override);
    const char *home = getenv("HOME");
    if (own != NULL && own[0] != '\0')
        return mem_strdup(own);
    return home == NULL || home[0] == '\0' ? NULL : file_join(home, name);
}

int aws_profile_read(const char *name, struct aws_profile *out, struct firn_error **err)
{
    auto_free char *own = file_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    auto_free char *config = file_path("AWS_CONFIG_FILE", ".aws/config");
    *out = (struct aws_profile){.found = false};
    if ((own == NULL || read_file(own, name, out, err) == 0) &&
        (config == NULL || read_file(config, name, out, err) == 0))
        return 0;
    aws_profile_wipe(out);
    return -1;
}
