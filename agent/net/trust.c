/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include "core/buf.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT (8u << 20)

struct entry {
    struct entry *next;
    char *ca_file;
    struct stat status; /* of ca_file when it was read */
    char *text;
    size_t length;
};

struct trust {
    pthread_mutex_t lock;
    struct entry *entries; /* one for each ca_file: there are few */
};

struct trust *trust_new(void)
{
    struct trust *trust = mem_zalloc(sizeof(*trust));
    pthread_mutex_init(&trust->lock, NULL);
    return trust;
}

void trust_free(struct trust *trust)
{
    if (trust == NULL)
        return;
    while (trust->entries != NULL) {
        struct entry *entry = trust->entries;
        trust->entries = entry->next;
        free(entry->ca_file);
        free(entry->text);
        free(entry);
    }
    pthread_mutex_destroy(&trust->lock);
    free(trust);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_texts(const char *ca_file, struct buf *text, struct firn_error **err)
{
    const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
    if (system != NULL && file_read(system, FILE_LIMIT, text, NULL) < 0)
        buf_reset(
            text); /* a machine without a bundle still has what libcurl finds in its directory */
    buf_putc(text, '\n');
    size_t own = text->length;
    if (file_read(ca_file, FILE_LIMIT, text, err) < 0)
        return wrap(err, "trusted certificates");
    if (strstr(buf_text(text) + own, "-----BEGIN ") == NULL)
        return fail(err, FIRN_INVALID, "trusted certificates: there is none in %s (PEM is wanted)",
                    ca_file);
    return 0;
}

static struct entry *find_entry(struct trust *trust, const char *ca_file)
{
    for (struct entry *entry = trust->entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->ca_file, ca_file) == 0)
            return entry;
    struct entry *entry = mem_zalloc(sizeof(*entry));
    entry->ca_file = mem_strdup(ca_file);
    entry->next = trust->entries;
    trust->entries = entry;
    return entry;
}

static int refresh(struct entry *entry, struct firn_error **err)
{
    struct stat status;
    if (stat(entry->ca_file, &status) < 0)
        return fail_errno(err, "trusted certificates: %s", entry->ca_file);
    if (entry->text != NULL && same_file(&status, &entry->status))
        return 0;
    auto_buf struct buf text = buf_new(2 * (size_t)FILE_LIMIT + 1);
    if (read_texts(entry->ca_file, &text, err) < 0)
        return -1;
    free(entry->text);
    entry->length = text.length;
    entry->text = buf_take(&text);
    entry->status = status;
    return 0;
}

int trust_text(struct trust *trust, const char *ca_file, char **out, size_t *length,
               struct firn_error **err)
{
    pthread_mutex_lock(&trust->lock);
    struct entry *entry = find_entry(trust, ca_file);
    int result = refresh(entry, err);
    if (result == 0) {
        *out = mem_dup(entry->text, entry->length);
        *length = entry->length;
    }
    pthread_mutex_unlock(&trust->lock);
    return result;
}
