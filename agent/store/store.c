/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include "local.h"
#include "s3.h"

#include "core/error.h"
#include "core/mem.h"

#include <string.h>

typedef int store_opener(const char *location, const char *path, struct store **out,
                         struct firn_error **err);

static int open_with(store_opener *opener, const char *location, struct store **out,
                     struct firn_error **err)
{
    if (strncmp(location, "s3://", 5) == 0)
        return s3_open(location, out, err);
    const char *path = location;
    if (strncmp(location, "file://", 7) == 0) {
        path = location + 7;
        if (path[0] != '/')
            return fail(err, FIRN_INVALID,
                        "%s: file:// is followed by an absolute path, as in file:///srv/backup",
                        location);
    } else if (strstr(location, "://") != NULL) {
        return fail(err, FIRN_INVALID,
                    "%s: a repository is a directory, file:///PATH, or s3://HOST/BUCKET/PREFIX",
                    location);
    }
    if (path[0] == '\0')
        return fail(err, FIRN_INVALID, "the location of the repository is empty");
    return opener(location, path, out, err);
}

int store_open(const char *location, struct store **out, struct firn_error **err)
{
    return open_with(local_open, location, out, err);
}

int store_create(const char *location, struct store **out, struct firn_error **err)
{
    return open_with(local_create, location, out, err);
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->operations->close(store);
}

const char *store_location(const struct store *store)
{
    return store->location;
}

const struct store_manner *store_manner(const struct store *store)
{
    return &store->operations->manner;
}

bool store_name_valid(const char *name)
{
    if (name[0] == '\0' || strlen(name) > STORE_NAME_MAX)
        return false;
    char before = '/';
    for (const char *at = name; *at != '\0'; before = *at++) {
        bool first = before == '/';
        bool word = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9');
        if (!word && (first || (*at != '.' && *at != '-' && *at != '/')))
            return false;
    }
    return before != '/';
}

static int check_name(const char *name, struct firn_error **err)
{
    if (!store_name_valid(name))
        return fail(err, FIRN_INVALID, "\"%.*s\" cannot be the name of an object",
                    (int)STORE_NAME_MAX, name);
    return 0;
}

/* A prefix is empty, or a valid name and a slash. */
static int check_prefix(const char *prefix, struct firn_error **err)
{
    size_t length = strlen(prefix);
    auto_free char *name = mem_dup(prefix, length == 0 ? 0 : length - 1);
    if (length > 0 && (prefix[length - 1] != '/' || !store_name_valid(name)))
        return fail(err, FIRN_INVALID, "\"%.*s\" cannot be a prefix of names", (int)STORE_NAME_MAX,
                    prefix);
    return 0;
}

int store_put(struct store *store, const char *name, const void *data, size_t length,
              struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    return store->operations->put(store, name, data, length, err);
}

int store_writer_open(struct store *store, const char *name, struct store_writer **out,
                      struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    return store->operations->writer_open(store, name, out, err);
}

int store_write(struct store_writer *writer, const void *data, size_t length,
                struct firn_error **err)
{
    return writer->write(writer, data, length, err);
}

int store_writer_finish(struct store_writer *writer, struct firn_error **err)
{
    return writer->finish(writer, err);
}

void store_writer_abort(struct store_writer *writer)
{
    if (writer != NULL)
        writer->abort(writer);
}

int store_get(struct store *store, const char *name, uint64_t offset, void *data, size_t length,
              struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    if (offset > INT64_MAX || length > INT64_MAX - offset)
        return fail(err, FIRN_INVALID, "%s: no object reaches to byte %llu", name,
                    (unsigned long long)offset);
    return store->operations->get(store, name, offset, data, length, err);
}

int store_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
               struct firn_error **err)
{
    int64_t ignored;
    if (check_name(name, err) < 0)
        return -1;
    return store->operations->stat(store, name, length, modified == NULL ? &ignored : modified,
                                   err);
}

int store_now(struct store *store, int64_t *now, struct firn_error **err)
{
    return store->operations->now(store, now, err);
}

int store_list(struct store *store, const char *prefix, store_list_callback *each, void *context,
               struct firn_error **err)
{
    if (check_prefix(prefix, err) < 0)
        return -1;
    return store->operations->list(store, prefix, each, context, err);
}

int store_remove(struct store *store, const char *name, struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    return store->operations->remove(store, name, err);
}

/* ------------------------------------------------------------------------------------------------ versions, locks */

int store_list_overlaid(struct store *store, const char *prefix, store_overlaid_callback *each,
                        void *context, struct firn_error **err)
{
    if (!store_name_valid(prefix) && check_prefix(prefix, err) < 0)
        return -1;
    if (store->operations->list_overlaid == NULL)
        return 0;
    return store->operations->list_overlaid(store, prefix, each, context, err);
}

static int fail_unable(const struct store *store, const char *what, struct firn_error **err)
{
    return fail(err, FIRN_INVALID, "%s: a directory cannot %s: that takes a bucket of S3",
                store->location, what);
}

int store_uncover(struct store *store, const char *name, struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    if (store->operations->uncover == NULL)
        return fail_unable(store, "keep versions", err);
    return store->operations->uncover(store, name, err);
}

int store_probe(struct store *store, const char *name, struct store_abilities *out,
                struct firn_error **err)
{
    *out = (struct store_abilities){.condition = STORE_CONDITION_KEPT};
    if (check_name(name, err) < 0)
        return -1;
    return store->operations->probe == NULL ? 0 : store->operations->probe(store, name, out, err);
}

int store_can_lock(struct store *store, struct firn_error **err)
{
    if (store->operations->can_lock == NULL)
        return fail_unable(store, "lock objects", err);
    return store->operations->can_lock(store, err);
}

void store_set_lock_rule(struct store *store, const struct lock_rule *rule, int64_t since)
{
    if (store->operations->set_lock_rule != NULL)
        store->operations->set_lock_rule(store, rule, since);
}

int store_lock_read(struct store *store, const char *name, struct store_lock *out,
                    struct firn_error **err)
{
    *out = (struct store_lock){.mode = STORE_UNLOCKED};
    if (check_name(name, err) < 0)
        return -1;
    if (store->operations->lock_read == NULL)
        return 0;
    return store->operations->lock_read(store, name, out, err);
}

int store_lock_extend(struct store *store, const char *name, enum store_lock_mode mode,
                      int64_t until, struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    if (store->operations->lock_extend == NULL)
        return fail_unable(store, "lock objects", err);
    return store->operations->lock_extend(store, name, mode, until, err);
}

int store_hold(struct store *store, const char *name, struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    if (store->operations->hold == NULL)
        return fail_unable(store, "hold objects", err);
    return store->operations->hold(store, name, err);
}

int store_release(struct store *store, const char *name, struct firn_error **err)
{
    if (check_name(name, err) < 0)
        return -1;
    if (store->operations->release == NULL)
        return fail_unable(store, "hold objects", err);
    return store->operations->release(store, name, err);
}
