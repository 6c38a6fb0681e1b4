/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: who Firn is to a registry. Looked for in this order:
 *
 *  1. the parameters token-file, or username and registry-password-file;
 *  2. $REGISTRY_AUTH_FILE, and then nothing else;
 *  3. Podman's $XDG_RUNTIME_DIR/containers/auth.json, then $XDG_CONFIG_HOME/containers/auth.json
 *     (~/.config);
 *  4. Docker's $DOCKER_CONFIG (~/.docker)/config.json.
 *
 * In a file: a credential helper (credHelpers, then credsStore), then "auths", the most specific
 * key first.
 */
#ifndef IMAGESTREAM_CREDENTIALS_H
#define IMAGESTREAM_CREDENTIALS_H

struct firn_error;
struct firn_host;

struct credentials {
    char *username;
    char *password;
    char *identity_token; /* an OAuth2 refresh token instead of a password */
    char *token_file;     /* read anew each time: a service account's token is replaced */
};
#define auto_credentials __attribute__((cleanup(credentials_free)))

/* For a registry (HOST[:PORT]) and a path in it ("": any). Nothing found is no error: *out is then
 * empty. */
int credentials_find(const struct firn_host *host, const char *registry, const char *path,
                     struct credentials *out, struct firn_error **err);
/* "Basic …" for these credentials, or NULL if there is no password. -1 if the token file cannot be
 * read. The caller wipes what it gets with credentials_wipe(). */
int credentials_basic(const struct credentials *credentials, char **out, struct firn_error **err);
void credentials_free(struct credentials *credentials);
void credentials_wipe(char **secret); /* overwrites and frees */
#define auto_secret __attribute__((cleanup(credentials_wipe)))

#endif
