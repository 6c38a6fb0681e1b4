/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <unistd.h>

#define FILE_LIMIT (1u << 20)

static void wipe_text(char **text)
{
    if (*text != NULL)
        OPENSSL_cleanse(*text, strlen(*text));
    free(steal(*text));
}

void credentials_wipe(struct credentials *credentials)
{
    wipe_text(&credentials->access_key);
    wipe_text(&credentials->secret_key);
    wipe_text(&credentials->session_token);
    free(steal(credentials->region));
}

void credentials_copy(struct credentials *to, const struct credentials *from)
{
    to->access_key = mem_strdup(from->access_key);
    to->secret_key = mem_strdup(from->secret_key);
    to->session_token = mem_strdup(from->session_token);
    to->region = mem_strdup(from->region);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
    return same_text(a->access_key, b->access_key) && same_text(a->secret_key, b->secret_key) &&
           same_text(a->session_token, b->session_token);
}

/* ------------------------------------------------------------------------------------------------ environment */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static void from_environment(struct credentials *out)
{
    out->access_key = mem_strdup(variable("AWS_ACCESS_KEY_ID"));
    out->secret_key = mem_strdup(variable("AWS_SECRET_ACCESS_KEY"));
    out->session_token = mem_strdup(variable("AWS_SESSION_TOKEN"));
}

/* ------------------------------------------------------------------------------------------------ files */

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

static void take_setting(struct credentials *out, char *line)
{
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return;
    *equals = '\0';
    const struct {
        const char *name;
        char **member;
    } settings[] = {
        {"aws_access_key_id", &out->access_key},
        {"aws_secret_access_key", &out->secret_key},
        {"aws_session_token", &out->session_token},
        {"region", &out->region},
    };
    const char *name = trim(line);
    const char *value = trim(equals + 1);
    for (size_t i = 0; i < array_length(settings); i++)
        if (strcasecmp(settings[i].name, name) == 0 && *settings[i].member == NULL)
            *settings[i].member = mem_strdup(value);
}

/* What the file says of the profile, where nothing is known yet. A line that begins with a blank
 * belongs to a nested setting. */
static void parse_file(char *text, const char *profile, struct credentials *out)
{
    bool inside = false;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '[')
            inside = is_section(line, profile);
        else if (inside && line[0] != '#' && line[0] != ';' && !isspace((unsigned char)line[0]))
            take_setting(out, line);
    }
}

static int read_profile(const char *path, const char *profile, struct credentials *out,
                        struct firn_error **err)
{
    if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    auto_buf struct buf text = buf_new(FILE_LIMIT);
    int result = file_read(path, FILE_LIMIT, &text, err);
    /* A key and its secret come from one file. */
    struct credentials found = {.region = mem_strdup(out->region)};
    if (result == 0 && text.length > 0)
        parse_file(text.data, profile, &found);
    if (out->access_key == NULL && out->secret_key == NULL) {
        free(out->region);
        *out = found;
    } else {
        if (out->region == NULL)
            out->region = steal(found.region);
        credentials_wipe(&found);
    }
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.capacity);
    return result;
}

/* $variable, else HOME/name; NULL if neither is known. */
static char *file_path(const char *override, const char *name)
{
    const char *home = variable("HOME");
    if (variable(override) != NULL)
        return mem_strdup(variable(override));
    return home == NULL ? NULL : file_join(home, name);
}

static int from_files(const char *profile, struct credentials *out, struct firn_error **err)
{
    auto_free char *own = file_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    auto_free char *config = file_path("AWS_CONFIG_FILE", ".aws/config");
    if (own != NULL && read_profile(own, profile, out, err) < 0)
        return wrap(err, "credentials");
    if (config != NULL && read_profile(config, profile, out, err) < 0)
        return wrap(err, "credentials");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ all */

static int complete(const struct credentials *found, const char *profile, struct firn_error **err)
{
    if (found->access_key == NULL && found->secret_key == NULL)
        return fail(err, FIRN_DENIED,
                    "there are no credentials for S3: set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or name a profile (no profile \"%s\" with keys was "
                    "found)",
                    profile);
    if (found->access_key == NULL || found->secret_key == NULL)
        return fail(err, FIRN_INVALID,
                    "the credentials for S3 are incomplete: the %s access key is missing",
                    found->access_key == NULL ? "id of the" : "secret");
    return 0;
}

int credentials_load(const char *profile, struct credentials *out, struct firn_error **err)
{
    *out = (struct credentials){.region = NULL};
    if (profile == NULL)
        from_environment(out);
    const char *name = profile != NULL ? profile : variable("AWS_PROFILE");
    name = name != NULL ? name : "default";
    if ((out->access_key == NULL && out->secret_key == NULL && from_files(name, out, err) < 0) ||
        complete(out, name, err) < 0) {
        credentials_wipe(out);
        return -1;
    }
    return 0;
}
