/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <core/buf.h>
#include <core/error.h>
#include <core/mem.h>

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

struct digest_run {
    EVP_MD_CTX *context;
    const char *digest;
};

static const struct algorithm {
    const char *prefix;
    const char *name; /* OpenSSL's */
    size_t length;    /* bytes */
} algorithms[] = {
    {"sha256:", "SHA256", 32},
    {"sha512:", "SHA512", 64},
};

static const struct algorithm *algorithm_of(const char *text)
{
    for (size_t i = 0; i < array_length(algorithms); i++)
        if (strncmp(text, algorithms[i].prefix, strlen(algorithms[i].prefix)) == 0)
            return &algorithms[i];
    return NULL;
}

bool digest_valid(const char *text)
{
    const struct algorithm *algorithm = text == NULL ? NULL : algorithm_of(text);
    if (algorithm == NULL)
        return false;
    const char *hex = text + strlen(algorithm->prefix);
    return strlen(hex) == 2 * algorithm->length && strspn(hex, "0123456789abcdef") == strlen(hex);
}

struct digest_run *digest_run_new(const char *digest)
{
    const struct algorithm *algorithm = algorithm_of(digest);
    assert(algorithm != NULL);
    struct digest_run *run = mem_zalloc(sizeof(*run));
    run->digest = digest;
    run->context = EVP_MD_CTX_new();
    EVP_MD *md = EVP_MD_fetch(NULL, algorithm->name, NULL);
    int started = EVP_DigestInit_ex2(run->context, md, NULL);
    assert(started == 1);
    (void)started;
    EVP_MD_free(md);
    return run;
}

void digest_run_add(struct digest_run *run, const void *data, size_t length)
{
    EVP_DigestUpdate(run->context, data, length);
}

/* The digest of what was added, spelt out. */
static char *run_text(struct digest_run *run)
{
    const struct algorithm *algorithm = algorithm_of(run->digest);
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    /* A failure leaves the length at 0: a digest that nothing has. */
    EVP_DigestFinal_ex(run->context, value, &length);
    struct buf text = buf_new(256);
    buf_puts(&text, algorithm->prefix);
    buf_hex(&text, value, length);
    return buf_take(&text);
}

bool digest_run_matches(struct digest_run *run)
{
    auto_free char *actual = run_text(run);
    return strcmp(actual, run->digest) == 0;
}

void digest_run_free(struct digest_run **run)
{
    if (*run == NULL)
        return;
    EVP_MD_CTX_free((*run)->context);
    free(*run);
    *run = NULL;
}

char *digest_of(const char *like, const void *data, size_t length)
{
    auto_digest_run struct digest_run *run = digest_run_new(like == NULL ? "sha256:" : like);
    digest_run_add(run, data, length);
    return run_text(run);
}

int digest_check(const char *digest, const void *data, size_t length, const char *what,
                 struct firn_error **err)
{
    auto_free char *actual = digest_of(digest, data, length);
    if (strcmp(actual, digest) != 0)
        return fail(err, FIRN_CORRUPT, "%s: the bytes have digest %s, not %s", what, actual,
                    digest);
    return 0;
}
