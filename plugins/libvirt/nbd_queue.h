/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in flight on one NBD connection: a fixed number of buffers, each with one read or write. What is read is
 * delivered in the caller's thread, in the order of arrival.
 */
#ifndef PLUGIN_LIBVIRT_NBD_QUEUE_H
#define PLUGIN_LIBVIRT_NBD_QUEUE_H

#include "core/error.h"

#include <firn/plugin.h>
#include <libnbd.h>
#include <stdatomic.h>

/* fail() with the last error of libnbd of this thread. */
#define fail_nbd(err, ...) (nbd_error_set((err), __VA_ARGS__), -1)
void nbd_error_set(struct firn_error **err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct nbd_queue;

struct nbd_queue_handler {
    /* Receives what was read. -1 with or without an error in *err. */
    int (*deliver)(void *context, uint64_t offset, void *data, uint32_t length,
                   struct firn_error **err);
    void *context;
};

/* handler: for reads, else NULL. stop: looked at while waiting; set means CANCELLED. nbd: borrowed, but see below. */
struct nbd_queue *nbd_queue_new(struct nbd_handle **nbd, const struct firn_host *host,
                                const atomic_bool *stop, const struct nbd_queue_handler *handler);
/* If requests are still in flight (after an error), the connection is closed and *nbd becomes NULL: they must not write to
 * buffers that are gone. */
void nbd_queue_free(struct nbd_queue *queue);

/* Cuts the range in pieces and asks for them; waits while all buffers are in use. */
int nbd_queue_read(struct nbd_queue *queue, uint64_t offset, uint64_t length,
                   struct firn_error **err);
/* Copies the data and writes it. */
int nbd_queue_write(struct nbd_queue *queue, uint64_t offset, const void *data, uint64_t length,
                    struct firn_error **err);
/* Waits until nothing is in flight. */
int nbd_queue_drain(struct nbd_queue *queue, struct firn_error **err);

#endif
