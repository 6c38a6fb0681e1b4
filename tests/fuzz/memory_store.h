/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in memory, and a repository in it, for fuzzers that bring an object to its reader: sealed as a writer with the keys
 * would, so that what lies behind the seal is reached.
 */
#ifndef TESTS_MEMORY_STORE_H
#define TESTS_MEMORY_STORE_H

#include "core/buf.h"
#include "core/error.h"
#include "core/mem.h"
#include "repo/keys.h"
#include "repo/repo.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_OBJECTS 16u

struct memory_object {
    char *name; /* NULL: free */
    void *data;
    size_t length;
};

struct memory_store {
    struct store base; /* first */
    struct memory_object objects[MEMORY_OBJECTS];
};

static struct memory_object *memory_find(struct store *store, const char *name)
{
    struct memory_store *memory = (struct memory_store *)store;
    for (size_t i = 0; i < MEMORY_OBJECTS; i++) {
        struct memory_object *object = &memory->objects[i];
        if (name == NULL ? object->name == NULL
                         : object->name != NULL && strcmp(object->name, name) == 0)
            return object;
    }
    return NULL;
}

static int memory_put(struct store *store, const char *name, const void *data, size_t length,
                      struct firn_error **err)
{
    if (memory_find(store, name) != NULL)
        return fail(err, FIRN_CONFLICT, "%s is there", name);
    struct memory_object *object = memory_find(store, NULL);
    if (object == NULL)
        abort();
    *object = (struct memory_object){mem_strdup(name), mem_dup(data, length), length};
    return 0;
}

static int memory_get(struct store *store, const char *name, uint64_t offset, void *data,
                      size_t length, struct firn_error **err)
{
    const struct memory_object *object = memory_find(store, name);
    if (object == NULL)
        return fail(err, FIRN_NOTFOUND, "%s", name);
    if (offset > object->length || length > object->length - offset)
        return fail(err, FIRN_CORRUPT, "%s ends", name);
    if (length > 0)
        memcpy(data, (const char *)object->data + offset, length);
    return 0;
}

static int memory_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
                       struct firn_error **err)
{
    const struct memory_object *object = memory_find(store, name);
    if (object == NULL)
        return fail(err, FIRN_NOTFOUND, "%s", name);
    *length = object->length;
    *modified = 1;
    return 0;
}

static int memory_now(struct store *store, int64_t *now, struct firn_error **err)
{
    (void)store;
    (void)err;
    *now = 1;
    return 0;
}

static int memory_list(struct store *store, const char *prefix, store_list_callback *each,
                       void *context, struct firn_error **err)
{
    struct memory_store *memory = (struct memory_store *)store;
    for (size_t i = 0; i < MEMORY_OBJECTS; i++) {
        const struct memory_object *object = &memory->objects[i];
        struct store_entry entry = {.name = object->name, .length = object->length, .modified = 1};
        if (object->name != NULL && strncmp(object->name, prefix, strlen(prefix)) == 0 &&
            each(context, &entry, err) < 0)
            return -1;
    }
    return 0;
}

static int memory_remove(struct store *store, const char *name, struct firn_error **err)
{
    struct memory_object *object = memory_find(store, name);
    if (object == NULL)
        return fail(err, FIRN_NOTFOUND, "%s", name);
    free(object->name);
    free(object->data);
    *object = (struct memory_object){0};
    return 0;
}

/* What is written piece by piece goes nowhere: no fuzzer reads it back from the store. */
static int memory_write(struct store_writer *writer, const void *data, size_t length,
                        struct firn_error **err)
{
    (void)writer;
    (void)data;
    (void)length;
    (void)err;
    return 0;
}

static int memory_finish(struct store_writer *writer, struct firn_error **err)
{
    (void)err;
    free(writer);
    return 0;
}

static void memory_abort(struct store_writer *writer)
{
    free(writer);
}

static int memory_writer_open(struct store *store, const char *name, struct store_writer **out,
                              struct firn_error **err)
{
    (void)store;
    (void)name;
    (void)err;
    *out = mem_alloc(sizeof(**out));
    **out = (struct store_writer){memory_write, memory_finish, memory_abort};
    return 0;
}

static void memory_close(struct store *store)
{
    while (true) {
        struct memory_store *memory = (struct memory_store *)store;
        size_t i = 0;
        while (i < MEMORY_OBJECTS && memory->objects[i].name == NULL)
            i++;
        if (i == MEMORY_OBJECTS)
            break;
        memory_remove(store, memory->objects[i].name, NULL);
    }
    free(store->location);
    free(store);
}

static const struct store_operations memory_operations = {
    .manner = {.range = 1 << 20, .writers = 1},
    .put = memory_put,
    .writer_open = memory_writer_open,
    .get = memory_get,
    .stat = memory_stat,
    .list = memory_list,
    .remove = memory_remove,
    .now = memory_now,
    .close = memory_close,
};

static struct store *memory_store_new(void)
{
    struct memory_store *memory = mem_zalloc(sizeof(*memory));
    memory->base.operations = &memory_operations;
    memory->base.location = mem_strdup("memory");
    return &memory->base;
}

/* A repository, made once a process. */
static inline struct repo *memory_repo(void)
{
    static struct repo *repo;
    if (repo != NULL)
        return repo;
    auto_buf struct buf file = buf_new(1024);
    key_file_generate(&file);
    struct key_credential key = {.kind = KEY_FILE, .secret = file.data, .length = file.length};
    const struct repo_options options = {.credential = &key, .label = "fuzz"};
    if (repo_init(memory_store_new(), &options, &repo, NULL) < 0)
        abort();
    return repo;
}

#endif
