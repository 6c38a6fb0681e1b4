/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in which one operation fails, counted from the first, or that one and all after it; or one whose answer is lost: it
 * does what it is asked for, and says that it has failed.
 */
#ifndef TESTS_FAILING_STORE_H
#define TESTS_FAILING_STORE_H

#include "core/error.h"
#include "core/mem.h"
#include "store/store.h"

#include <stdatomic.h>

enum failing_kind { FAILING_ONCE, FAILING_FROM, FAILING_ANSWER };

struct failing_store {
    struct store base;   /* first */
    struct store *inner; /* borrowed */
    enum failing_kind kind;
    atomic_long left; /* operations before the one that fails */
};

struct failing_writer {
    struct store_writer base; /* first */
    struct store_writer *inner;
    struct failing_store *store;
};

static inline struct failing_store *failing(struct store *store)
{
    return (struct failing_store *)store;
}

/* Whether the failure has come to pass. */
static inline bool failing_struck(const struct failing_store *store)
{
    return atomic_load(&store->left) < 0;
}

static int failing_answer(struct firn_error **err)
{
    error_clear(err);
    return fail(err, FIRN_RETRY, "the store was struck");
}

/* 1: this operation is to fail without being done, 2: after it was. */
static int failing_now(struct failing_store *store)
{
    long left = atomic_fetch_sub(&store->left, 1);
    if (left > 0 || (left < 0 && store->kind != FAILING_FROM))
        return 0;
    return store->kind == FAILING_ANSWER ? 2 : 1;
}

#define failing_do(store, err, call)                                                               \
    do {                                                                                           \
        int failing_how = failing_now(store);                                                      \
        if (failing_how == 1)                                                                      \
            return failing_answer(err);                                                            \
        int failing_result = (call);                                                               \
        return failing_how == 2 ? failing_answer(err) : failing_result;                            \
    } while (0)

static int failing_put(struct store *store, const char *name, const void *data, size_t length,
                       struct firn_error **err)
{
    failing_do(failing(store), err, store_put(failing(store)->inner, name, data, length, err));
}

static int failing_get(struct store *store, const char *name, uint64_t offset, void *data,
                       size_t length, struct firn_error **err)
{
    failing_do(failing(store), err,
               store_get(failing(store)->inner, name, offset, data, length, err));
}

static int failing_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
                        struct firn_error **err)
{
    failing_do(failing(store), err, store_stat(failing(store)->inner, name, length, modified, err));
}

static int failing_time(struct store *store, int64_t *now, struct firn_error **err)
{
    failing_do(failing(store), err, store_now(failing(store)->inner, now, err));
}

static int failing_list(struct store *store, const char *prefix, store_list_callback *each,
                        void *context, struct firn_error **err)
{
    failing_do(failing(store), err, store_list(failing(store)->inner, prefix, each, context, err));
}

static int failing_remove(struct store *store, const char *name, struct firn_error **err)
{
    failing_do(failing(store), err, store_remove(failing(store)->inner, name, err));
}

static int failing_write(struct store_writer *base, const void *data, size_t length,
                         struct firn_error **err)
{
    struct failing_writer *writer = (struct failing_writer *)base;
    failing_do(writer->store, err, store_write(writer->inner, data, length, err));
}

static int failing_finish(struct store_writer *base, struct firn_error **err)
{
    struct failing_writer writer = *(struct failing_writer *)base;
    free(base);
    int how = failing_now(writer.store);
    if (how == 1) {
        store_writer_abort(writer.inner);
        return failing_answer(err);
    }
    int result = store_writer_finish(writer.inner, err);
    return how == 2 ? failing_answer(err) : result;
}

static void failing_abort(struct store_writer *base)
{
    struct failing_writer *writer = (struct failing_writer *)base;
    store_writer_abort(writer->inner);
    free(writer);
}

static int failing_writer_open(struct store *store, const char *name, struct store_writer **out,
                               struct firn_error **err)
{
    struct store_writer *inner = NULL;
    if (failing_now(failing(store)) != 0)
        return failing_answer(err);
    if (store_writer_open(failing(store)->inner, name, &inner, err) < 0)
        return -1;
    struct failing_writer *writer = mem_zalloc(sizeof(*writer));
    *writer = (struct failing_writer){
        .base = {.write = failing_write, .finish = failing_finish, .abort = failing_abort},
        .inner = inner,
        .store = failing(store)};
    *out = &writer->base;
    return 0;
}

static const struct store_operations failing_operations = {
    .manner = {.range = 1 << 20, .writers = 2},
    .put = failing_put,
    .writer_open = failing_writer_open,
    .get = failing_get,
    .stat = failing_stat,
    .list = failing_list,
    .remove = failing_remove,
    .now = failing_time,
};

/* The operation number `before` (from 0) fails. */
static inline struct failing_store failing_store(struct store *inner, enum failing_kind kind,
                                                 long before)
{
    return (struct failing_store){
        .base = {.operations = &failing_operations, .location = inner->location},
        .inner = inner,
        .kind = kind,
        .left = before,
    };
}

#endif
