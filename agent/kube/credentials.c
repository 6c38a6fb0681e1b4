/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include "config.h"
#include "exec.h"

#include "core/base64.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define FILE_LIMIT  (1u << 20)
#define EARLY       10000 /* ms before a credential of an exec plugin expires that it is renewed */
#define REJECT_LULL 5000  /* ms between two runs of an exec plugin because of rejections */

enum source { CA, CERTIFICATE, KEY, TOKEN, SOURCES };

/* A file, as it was when it was read. */
struct source_state {
    const char *path; /* of the config; NULL: not a file */
    struct stat status;
    char *text;
};

struct kube_credentials {
    pthread_mutex_t lock;
    const struct kube_config *config;
    struct source_state sources[SOURCES];
    struct exec_credential exec;
    bool exec_valid;
    int64_t exec_run; /* when, by the monotonic clock */
    struct kube_identity *current;
};

/* The identity with its count; what callers see is its first member. */
struct shared {
    struct kube_identity identity;
    atomic_uint users;
    char *texts[5]; /* what the identity points to */
};

static atomic_uint_fast64_t next_serial = 1;

static void wipe(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void kube_identity_put(const struct kube_identity *identity)
{
    struct shared *shared = (struct shared *)(uintptr_t)identity;
    if (shared == NULL || atomic_fetch_sub(&shared->users, 1) > 1)
        return;
    for (size_t i = 0; i < array_length(shared->texts); i++)
        wipe(shared->texts[i]);
    wipe(shared->identity.authorization);
    free(shared);
}

struct kube_credentials *kube_credentials_new(const struct kube_config *config)
{
    struct kube_credentials *credentials = mem_zalloc(sizeof(*credentials));
    pthread_mutex_init(&credentials->lock, NULL);
    credentials->config = config;
    credentials->sources[CA].path = config->ca_file;
    credentials->sources[CERTIFICATE].path = config->certificate_file;
    credentials->sources[KEY].path = config->key_file;
    credentials->sources[TOKEN].path = config->token_file;
    return credentials;
}

void kube_credentials_free(struct kube_credentials *credentials)
{
    if (credentials == NULL)
        return;
    kube_identity_put(credentials->current);
    for (size_t i = 0; i < SOURCES; i++)
        wipe(credentials->sources[i].text);
    exec_credential_free(&credentials->exec);
    pthread_mutex_destroy(&credentials->lock);
    free(credentials);
}

/* ---- files */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_source(struct source_state *source, struct firn_error **err)
{
    auto_buf struct buf text = buf_new(FILE_LIMIT + 1);
    if (file_read(source->path, FILE_LIMIT, &text, err) < 0)
        return wrap(err, "credentials");
    wipe(source->text);
    source->text = buf_take(&text);
    return 0;
}

/* 1: it is another than before. What cannot be read now, but could, stays what it was: it is being replaced. */
static int refresh_source(struct source_state *source, struct firn_error **err)
{
    struct stat status;
    auto_error struct firn_error *failure = NULL;
    if (source->path == NULL)
        return 0;
    if (stat(source->path, &status) < 0) {
        if (source->text == NULL)
            return fail_errno(err, "credentials: %s", source->path);
        return 0;
    }
    if (source->text != NULL && same_file(&status, &source->status))
        return 0;
    if (read_source(source, &failure) < 0) {
        if (source->text == NULL && err != NULL)
            *err = steal(failure);
        return source->text == NULL ? -1 : 0;
    }
    source->status = status;
    return 1;
}

static int refresh_files(struct kube_credentials *credentials, struct firn_error **err)
{
    int changed = 0;
    for (size_t i = 0; i < SOURCES; i++) {
        int result = refresh_source(&credentials->sources[i], err);
        if (result < 0)
            return -1;
        changed |= result;
    }
    return changed;
}

/* ---- the exec plugin */

static int refresh_exec(struct kube_credentials *credentials, struct firn_error **err)
{
    struct exec_credential *exec = &credentials->exec;
    if (credentials->config->exec == NULL)
        return 0;
    if (credentials->exec_valid && (exec->expires == 0 || clock_now() < exec->expires - EARLY))
        return 0;
    struct exec_credential fresh = {0};
    credentials->exec_run = clock_monotonic();
    if (exec_credential_get(credentials->config, &fresh, err) < 0)
        return -1;
    exec_credential_free(exec);
    *exec = fresh;
    credentials->exec_valid = true;
    return 1;
}

/* ---- putting it together */

static char *bearer(const char *token)
{
    size_t length = strlen(token);
    while (length > 0 && isspace((unsigned char)token[length - 1]))
        length--;
    return mem_printf("Bearer %.*s", (int)length, token);
}

static char *basic(const char *username, const char *password)
{
    auto_buf struct buf value = buf_new(8192);
    auto_buf struct buf plain = buf_new(4096);
    buf_printf(&plain, "%s:%s", username, password == NULL ? "" : password);
    buf_puts(&value, "Basic ");
    base64_encode(&value, buf_text(&plain), plain.length);
    OPENSSL_cleanse(plain.data, plain.length);
    return buf_take(&value);
}

static char *authorization(const struct kube_credentials *credentials)
{
    const struct kube_config *config = credentials->config;
    const char *file = credentials->sources[TOKEN].text;
    if (credentials->exec.token != NULL)
        return bearer(credentials->exec.token);
    if (file != NULL)
        return bearer(file);
    if (config->token != NULL)
        return bearer(config->token);
    return config->username == NULL ? NULL : basic(config->username, config->password);
}

static const char *first(const char *a, const char *b, const char *c)
{
    if (a != NULL)
        return a;
    return b != NULL ? b : c;
}

/* socks5 of a kubeconfig leaves names to the proxy, which libcurl calls socks5h. */
static char *proxy_url(const char *proxy)
{
    return proxy != NULL && strncmp(proxy, "socks5://", 9) == 0
               ? mem_printf("socks5h://%s", proxy + 9)
               : mem_strdup(proxy);
}

static struct kube_identity *assemble(const struct kube_credentials *credentials)
{
    const struct kube_config *config = credentials->config;
    const struct source_state *sources = credentials->sources;
    const struct exec_credential *exec = &credentials->exec;
    struct shared *shared = mem_zalloc(sizeof(*shared));
    shared->users = 1;
    shared->texts[0] = mem_strdup(first(config->ca, sources[CA].text, NULL));
    shared->texts[1] =
        mem_strdup(first(exec->certificate, config->certificate, sources[CERTIFICATE].text));
    shared->texts[2] = mem_strdup(first(exec->key, config->key, sources[KEY].text));
    shared->texts[3] = mem_strdup(config->server_name);
    shared->texts[4] = proxy_url(config->proxy);
    shared->identity = (struct kube_identity){
        .wire = {.serial = next_serial++,
                 .trust = shared->texts[0],
                 .certificate = shared->texts[1],
                 .key = shared->texts[2],
                 .server_name = shared->texts[3],
                 .proxy = shared->texts[4],
                 .unverified = config->unverified},
        .authorization = authorization(credentials),
    };
    return &shared->identity;
}

static int refresh(struct kube_credentials *credentials, struct firn_error **err)
{
    int files = refresh_files(credentials, err);
    int exec = files < 0 ? -1 : refresh_exec(credentials, err);
    if (exec < 0)
        return -1;
    if (credentials->current != NULL && files == 0 && exec == 0)
        return 0;
    kube_identity_put(credentials->current);
    credentials->current = assemble(credentials);
    return 0;
}

int kube_credentials_get(struct kube_credentials *credentials, const struct kube_identity **out,
                         struct firn_error **err)
{
    pthread_mutex_lock(&credentials->lock);
    int result = refresh(credentials, err);
    if (result == 0) {
        ((struct shared *)credentials->current)->users++;
        *out = credentials->current;
    }
    pthread_mutex_unlock(&credentials->lock);
    return result;
}

bool kube_credentials_reject(struct kube_credentials *credentials,
                             const struct kube_identity *identity)
{
    pthread_mutex_lock(&credentials->lock);
    bool other = credentials->current != identity; /* somebody was faster */
    if (!other && credentials->config->exec != NULL &&
        clock_monotonic() - credentials->exec_run > REJECT_LULL) {
        log_debug("credentials: not accepted, the plugin runs again");
        credentials->exec_valid = false;
        other = true;
    }
    if (!other)
        other = refresh_files(credentials, NULL) == 1;
    if (other && credentials->current == identity) {
        kube_identity_put(credentials->current);
        credentials->current = NULL;
    }
    pthread_mutex_unlock(&credentials->lock);
    return other;
}
