/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that counts what is asked of another one: tests say what an operation costs in requests, not in time.
 */
#ifndef TESTS_COUNTING_STORE_H
#define TESTS_COUNTING_STORE_H

#include "core/mem.h"
#include "store/store.h"

#include <stdatomic.h>

struct counting_store {
    struct store base;   /* first */
    struct store *inner; /* borrowed */
    atomic_size_t gets, stats, lists, puts;
    atomic_size_t bytes; /* read */
};

static inline struct counting_store *counting(struct store *store)
{
    return (struct counting_store *)store;
}

static int counting_put(struct store *store, const char *name, const void *data, size_t length,
                        struct firn_error **err)
{
    counting(store)->puts++;
    return store_put(counting(store)->inner, name, data, length, err);
}

static int counting_writer_open(struct store *store, const char *name, struct store_writer **out,
                                struct firn_error **err)
{
    counting(store)->puts++;
    return store_writer_open(counting(store)->inner, name, out, err);
}

static int counting_get(struct store *store, const char *name, uint64_t offset, void *data,
                        size_t length, struct firn_error **err)
{
    counting(store)->gets++;
    counting(store)->bytes += length;
    return store_get(counting(store)->inner, name, offset, data, length, err);
}

static int counting_stat(struct store *store, const char *name, uint64_t *length, int64_t *modified,
                         struct firn_error **err)
{
    counting(store)->stats++;
    return store_stat(counting(store)->inner, name, length, modified, err);
}

static int counting_now(struct store *store, int64_t *now, struct firn_error **err)
{
    counting(store)->puts++;
    return store_now(counting(store)->inner, now, err);
}

static int counting_list(struct store *store, const char *prefix, store_list_callback *each,
                         void *context, struct firn_error **err)
{
    counting(store)->lists++;
    return store_list(counting(store)->inner, prefix, each, context, err);
}

static int counting_remove(struct store *store, const char *name, struct firn_error **err)
{
    return store_remove(counting(store)->inner, name, err);
}

static const struct store_operations counting_operations = {
    .put = counting_put,
    .writer_open = counting_writer_open,
    .get = counting_get,
    .stat = counting_stat,
    .list = counting_list,
    .remove = counting_remove,
    .now = counting_now,
};

static inline struct counting_store counting_store(struct store *inner)
{
    return (struct counting_store){
        .base = {.operations = &counting_operations, .location = inner->location},
        .inner = inner,
    };
}

/* Requests since the last call. */
static inline size_t counted(struct counting_store *store)
{
    return atomic_exchange(&store->gets, 0) + atomic_exchange(&store->stats, 0) +
           atomic_exchange(&store->lists, 0) + atomic_exchange(&store->puts, 0);
}

#endif
