/* SPDX-License-Identifier: Apache-2.0 */
#include "nbd_queue.h"

#include "core/clock.h"
#include "core/mem.h"

#include <stdbool.h>
#include <string.h>

/* 4 MiB a disk keep QEMU's NBD server busy; more does not make it faster. */
#define DEPTH       8
#define PIECE       (8u * FIRN_BLOCK_SIZE)
#define POLL_TIME   500
#define STALL_LIMIT 300000

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_DONE };

struct slot {
    struct nbd_queue *queue;
    enum slot_state state;
    bool is_read;
    int error; /* errno of the request */
    uint64_t offset;
    uint32_t length;
    unsigned char *data;
};

struct nbd_queue {
    struct nbd_handle **nbd;
    const struct firn_host *host;
    const atomic_bool *stop;
    struct nbd_queue_handler handler;
    struct slot slots[DEPTH];
    unsigned busy;
};

void nbd_error_set(struct firn_error **err, const char *format, ...)
{
    const char *reason = nbd_get_error();
    va_list arguments;
    va_start(arguments, format);
    auto_free char *what = mem_vprintf(format, arguments);
    va_end(arguments);
    error_set(err, FIRN_INTERNAL, "%s: %s", what,
              reason == NULL ? "libnbd gives no reason" : reason);
}

struct nbd_queue *nbd_queue_new(struct nbd_handle **nbd, const struct firn_host *host,
                                const atomic_bool *stop, const struct nbd_queue_handler *handler)
{
    struct nbd_queue *queue = mem_zalloc(sizeof(*queue));
    queue->nbd = nbd;
    queue->host = host;
    queue->stop = stop;
    if (handler != NULL)
        queue->handler = *handler;
    for (size_t i = 0; i < DEPTH; i++)
        queue->slots[i] = (struct slot){.queue = queue, .data = mem_aligned(PIECE)};
    return queue;
}

void nbd_queue_free(struct nbd_queue *queue)
{
    if (queue->busy > 0)
        nbd_close(steal(*queue->nbd));
    for (size_t i = 0; i < DEPTH; i++)
        free(queue->slots[i].data);
    free(queue);
}

/* ------------------------------------------------------------------------------------------------ waiting */

static int on_completion(void *context, int *error)
{
    struct slot *slot = context;
    slot->error = *error;
    slot->state = SLOT_DONE;
    return 1; /* the request is retired: nobody asks for it again */
}

static int finish_slot(struct nbd_queue *queue, struct slot *slot, struct firn_error **err)
{
    slot->state = SLOT_FREE;
    queue->busy--;
    if (slot->error != 0)
        return fail(err, FIRN_INTERNAL, "%s %u bytes at %llu: %s", slot->is_read ? "read" : "write",
                    slot->length, (unsigned long long)slot->offset, strerror(slot->error));
    if (!slot->is_read)
        return 0;
    return queue->handler.deliver(queue->handler.context, slot->offset, slot->data, slot->length,
                                  err);
}

/* Takes what has come back: how many, or -1. */
static int reap(struct nbd_queue *queue, struct firn_error **err)
{
    int count = 0;
    for (size_t i = 0; i < DEPTH; i++) {
        if (queue->slots[i].state != SLOT_DONE)
            continue;
        if (finish_slot(queue, &queue->slots[i], err) < 0)
            return -1;
        count++;
    }
    return count;
}

static int check_stop(struct nbd_queue *queue, struct firn_error **err)
{
    if (atomic_load(queue->stop) || queue->host->cancelled(queue->host))
        return fail(err, FIRN_CANCELLED, "cancelled");
    return 0;
}

/* Waits until at least one request has come back. */
static int wait_for_one(struct nbd_queue *queue, struct firn_error **err)
{
    int64_t limit = clock_monotonic() + STALL_LIMIT;
    for (;;) {
        int count = reap(queue, err);
        if (count != 0)
            return count < 0 ? -1 : 0;
        if (check_stop(queue, err) < 0)
            return -1;
        if (clock_monotonic() > limit)
            return fail(err, FIRN_RETRY, "the NBD server has not answered for %d s",
                        STALL_LIMIT / 1000);
        if (nbd_poll(*queue->nbd, POLL_TIME) < 0)
            return fail_nbd(err, "wait for the NBD server");
    }
}

static int take_slot(struct nbd_queue *queue, struct slot **out, struct firn_error **err)
{
    if (check_stop(queue, err) < 0)
        return -1;
    while (queue->busy == DEPTH) {
        if (wait_for_one(queue, err) < 0)
            return -1;
    }
    size_t i = 0;
    while (queue->slots[i].state != SLOT_FREE)
        i++;
    *out = &queue->slots[i];
    return 0;
}

/* ------------------------------------------------------------------------------------------------ requests */

static int submit(struct nbd_queue *queue, struct slot *slot, struct firn_error **err)
{
    nbd_completion_callback callback = {.callback = on_completion, .user_data = slot};
    slot->state = SLOT_BUSY;
    slot->error = 0;
    queue->busy++;
    int64_t cookie;
    if (slot->is_read)
        cookie = nbd_aio_pread(*queue->nbd, slot->data, slot->length, slot->offset, callback, 0);
    else
        cookie = nbd_aio_pwrite(*queue->nbd, slot->data, slot->length, slot->offset, callback, 0);
    if (cookie < 0)
        return fail_nbd(err, "%s at %llu", slot->is_read ? "read" : "write",
                        (unsigned long long)slot->offset);
    return 0;
}

/* The next piece of a range: up to a multiple of its size, so that pieces are aligned. */
static uint32_t piece_length(uint64_t offset, uint64_t length)
{
    uint64_t most = PIECE - offset % PIECE;
    return (uint32_t)(length < most ? length : most);
}

int nbd_queue_read(struct nbd_queue *queue, uint64_t offset, uint64_t length,
                   struct firn_error **err)
{
    while (length > 0) {
        struct slot *slot = NULL;
        if (take_slot(queue, &slot, err) < 0)
            return -1;
        slot->is_read = true;
        slot->offset = offset;
        slot->length = piece_length(offset, length);
        if (submit(queue, slot, err) < 0)
            return -1;
        offset += slot->length;
        length -= slot->length;
    }
    return 0;
}

int nbd_queue_write(struct nbd_queue *queue, uint64_t offset, const void *data, uint64_t length,
                    struct firn_error **err)
{
    const unsigned char *bytes = data;
    while (length > 0) {
        struct slot *slot = NULL;
        if (take_slot(queue, &slot, err) < 0)
            return -1;
        slot->is_read = false;
        slot->offset = offset;
        slot->length = piece_length(offset, length);
        memcpy(slot->data, bytes, slot->length);
        if (submit(queue, slot, err) < 0)
            return -1;
        offset += slot->length;
        bytes += slot->length;
        length -= slot->length;
    }
    return 0;
}

int nbd_queue_drain(struct nbd_queue *queue, struct firn_error **err)
{
    while (queue->busy > 0) {
        if (wait_for_one(queue, err) < 0)
            return -1;
    }
    return 0;
}
