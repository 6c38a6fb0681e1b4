/* SPDX-License-Identifier: Apache-2.0 */
#include "nbd.h"

#include "core/mem.h"
#include "extents.h"
#include "nbd_queue.h"

#include <string.h>

#define ALLOCATION "base:allocation"
#define DIRTY      "qemu:dirty-bitmap:"
/* How much of the disk one question for its block status is about. */
#define WINDOW ((uint64_t)1 << 30)
/* More extents than this in one answer are not believed: a window of 1 GiB has 2 Mi sectors. */
#define MOST_RUNS ((size_t)1 << 21)

void nbd_release(struct nbd_handle **nbd)
{
    if (*nbd != NULL)
        nbd_close(*nbd);
}

static char *bitmap_context(const char *bitmap)
{
    return bitmap == NULL ? NULL : mem_printf(DIRTY "%s", bitmap);
}

static int connect_tcp(struct nbd_handle *nbd, const struct address *address,
                       struct firn_error **err)
{
    if (address->tls && (nbd_set_tls(nbd, LIBNBD_TLS_REQUIRE) < 0 ||
                         (address->certificates != NULL &&
                          nbd_set_tls_certificates(nbd, address->certificates) < 0)))
        return fail_nbd(err, "set up TLS");
    if (nbd_connect_tcp(nbd, address->host, address->port) < 0)
        return fail_nbd(err, "connect to QEMU on %s port %s%s", address->host, address->port,
                        address->tls ? " with TLS" : "");
    return 0;
}

static int connect_to(struct nbd_handle *nbd, const struct address *address,
                      struct firn_error **err)
{
    if (address->socket == NULL)
        return connect_tcp(nbd, address, err);
    if (nbd_connect_unix(nbd, address->socket) < 0)
        return fail_nbd(err, "connect to %s", address->socket);
    return 0;
}

static int negotiate(struct nbd_handle *nbd, const struct nbd_target *target,
                     struct firn_error **err)
{
    auto_free char *context = bitmap_context(target->bitmap);
    if (nbd_set_export_name(nbd, target->export_name) < 0 ||
        nbd_add_meta_context(nbd, ALLOCATION) < 0 ||
        (context != NULL && nbd_add_meta_context(nbd, context) < 0))
        return fail_nbd(err, "set up NBD");
    if (target->address != NULL && connect_to(nbd, target->address, err) < 0)
        return -1;
    if (target->server != NULL) {
        /* libnbd changes nothing in the array, but takes it as execvp() does. */
        char **words = NULL;
        memcpy(&words, &target->server, sizeof(words));
        if (nbd_connect_systemd_socket_activation(nbd, words) < 0)
            return fail_nbd(err, "start %s", target->server[0]);
    }
    if (context != NULL && nbd_can_meta_context(nbd, context) != 1)
        return fail(err, FIRN_INTERNAL, "the NBD server does not show the dirty bitmap %s",
                    target->bitmap);
    return 0;
}

int nbd_open(const struct nbd_target *target, struct nbd_handle **out, struct firn_error **err)
{
    auto_nbd struct nbd_handle *nbd = nbd_create();
    if (nbd == NULL)
        return fail_nbd(err, "use libnbd");
    if (negotiate(nbd, target, err) < 0)
        return wrap(err, "NBD export \"%s\"", target->export_name);
    *out = steal(nbd);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ block status */

/* What a context says about a window: runs of equal flags, one after the other. */
struct runs {
    struct {
        uint64_t length;
        uint32_t flags;
    } * list;
    size_t count;
    uint64_t covered;
    size_t next; /* reading: the current run, and what is left of it */
    uint64_t left;
};

struct status {
    const char *dirty_context; /* NULL: not asked */
    uint64_t offset;
    struct runs allocation;
    struct runs dirty;
    bool refused; /* an answer that cannot be right */
};

static int on_status(void *context, const char *name, uint64_t offset, uint32_t *entries,
                     size_t count, int *error)
{
    struct status *status = context;
    (void)error;
    struct runs *runs = NULL;
    if (strcmp(name, ALLOCATION) == 0)
        runs = &status->allocation;
    else if (status->dirty_context != NULL && strcmp(name, status->dirty_context) == 0)
        runs = &status->dirty;
    if (runs == NULL)
        return 0;
    if (offset != status->offset || runs->count > 0 || count / 2 > MOST_RUNS) {
        status->refused = true;
        return 0;
    }
    runs->list = mem_array(count / 2, sizeof(*runs->list));
    for (size_t i = 0; i + 1 < count; i += 2) {
        runs->list[runs->count].length = entries[i];
        runs->list[runs->count++].flags = entries[i + 1];
        runs->covered += entries[i];
    }
    return 0;
}

static void runs_rewind(struct runs *runs)
{
    runs->next = 0;
    runs->left = runs->count > 0 ? runs->list[0].length : 0;
}

static void runs_skip(struct runs *runs, uint64_t length)
{
    if (runs->count == 0)
        return;
    runs->left -= length;
    while (runs->left == 0 && ++runs->next < runs->count)
        runs->left = runs->list[runs->next].length;
}

static void status_free(struct status *status)
{
    free(status->allocation.list);
    free(status->dirty.list);
}

/* The status of the window at offset: *covered is how much of it the server told about, in all contexts. */
static int ask_status(struct nbd_transfer *transfer, struct status *status, uint64_t length,
                      uint64_t *covered, struct firn_error **err)
{
    *covered = length;
    if (nbd_can_meta_context(transfer->nbd, ALLOCATION) != 1 && status->dirty_context == NULL)
        return 0;
    nbd_extent_callback callback = {.callback = on_status, .user_data = status};
    if (nbd_block_status(transfer->nbd, length, status->offset, callback, 0) < 0)
        return fail_nbd(err, "ask for the block status");
    if (status->allocation.count > 0 && status->allocation.covered < *covered)
        *covered = status->allocation.covered;
    if (status->dirty_context != NULL && status->dirty.covered < *covered)
        *covered = status->dirty.covered;
    if (status->refused || *covered == 0)
        return fail(err, FIRN_CORRUPT, "the NBD server gives a block status that makes no sense");
    runs_rewind(&status->allocation);
    runs_rewind(&status->dirty);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ capture */

struct capture {
    struct nbd_transfer *transfer;
    struct nbd_queue *queue;
    struct firn_sink *sink;
    struct firn_object *object;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Bytes of the window that will be looked at: those changed, or all. */
static uint64_t window_total(const struct status *status, uint64_t covered)
{
    if (status->dirty_context == NULL)
        return covered;
    uint64_t total = 0, position = 0;
    for (size_t i = 0; i < status->dirty.count && position < covered; i++) {
        uint64_t length = smaller(status->dirty.list[i].length, covered - position);
        total += status->dirty.list[i].flags & 1 ? length : 0;
        position += length;
    }
    return total;
}

static int take_run(struct capture *capture, uint64_t offset, uint64_t length, bool zero,
                    struct firn_error **err)
{
    const struct firn_host *host = capture->transfer->host;
    if (!zero) {
        capture->transfer->bytes += length;
        return nbd_queue_read(capture->queue, offset, length, err);
    }
    if (capture->sink->zero(capture->object, offset, length) < 0)
        return -1;
    host->progress(host, 0, length);
    return 0;
}

static int take_window(struct capture *capture, struct status *status, uint64_t covered,
                       struct firn_error **err)
{
    const struct firn_host *host = capture->transfer->host;
    struct runs *allocation = &status->allocation, *dirty = &status->dirty;
    host->progress(host, window_total(status, covered), 0);
    for (uint64_t done = 0; done < covered;) {
        uint64_t length = covered - done;
        bool changed = true, zero = false;
        if (allocation->count > 0) {
            length = smaller(length, allocation->left);
            zero = (allocation->list[allocation->next].flags & LIBNBD_STATE_ZERO) != 0;
        }
        if (status->dirty_context != NULL) {
            length = smaller(length, dirty->left);
            changed = (dirty->list[dirty->next].flags & 1) != 0;
        }
        if (length > 0 && changed &&
            take_run(capture, status->offset + done, length, zero, err) < 0)
            return -1;
        runs_skip(allocation, length);
        runs_skip(dirty, length);
        done += length;
    }
    return 0;
}

static int capture_window(struct capture *capture, const char *dirty_context, uint64_t *offset,
                          struct firn_error **err)
{
    struct status status = {.dirty_context = dirty_context, .offset = *offset};
    uint64_t length = smaller(WINDOW, capture->transfer->size - *offset);
    uint64_t covered = 0;
    int result = ask_status(capture->transfer, &status, length, &covered, err);
    if (result == 0)
        result = take_window(capture, &status, covered, err);
    status_free(&status);
    *offset += covered;
    return result;
}

static int deliver(void *context, uint64_t offset, void *data, uint32_t length,
                   struct firn_error **err)
{
    struct capture *capture = context;
    const struct firn_host *host = capture->transfer->host;
    (void)err;
    if (capture->sink->extent(capture->object, offset, data, length) < 0)
        return -1;
    host->progress(host, 0, length);
    return 0;
}

int nbd_capture(struct nbd_transfer *transfer, struct firn_sink *sink, struct firn_object *object,
                const char *bitmap, struct firn_error **err)
{
    auto_free char *dirty_context = bitmap_context(bitmap);
    struct capture capture = {.transfer = transfer, .sink = sink, .object = object};
    struct nbd_queue_handler handler = {.deliver = deliver, .context = &capture};
    capture.queue = nbd_queue_new(&transfer->nbd, transfer->host, transfer->stop, &handler);
    int result = 0;
    for (uint64_t offset = 0; result == 0 && offset < transfer->size;)
        result = capture_window(&capture, dirty_context, &offset, err);
    if (result == 0)
        result = nbd_queue_drain(capture.queue, err);
    nbd_queue_free(capture.queue);
    return result;
}

/* ------------------------------------------------------------------------------------------------ restore */

struct writing {
    struct nbd_transfer *transfer;
    struct nbd_queue *queue;
};

static int write_data(void *context, uint64_t offset, const void *data, uint64_t length,
                      struct firn_error **err)
{
    struct writing *writing = context;
    writing->transfer->bytes += length;
    return nbd_queue_write(writing->queue, offset, data, length, err);
}

int nbd_restore(struct nbd_transfer *transfer, struct firn_source *source,
                struct firn_reader *reader, struct firn_error **err)
{
    struct nbd_queue *queue = nbd_queue_new(&transfer->nbd, transfer->host, transfer->stop, NULL);
    struct writing writing = {.transfer = transfer, .queue = queue};
    struct extents extents = {.host = transfer->host,
                              .stop = transfer->stop,
                              .size = transfer->size,
                              .write = write_data,
                              .context = &writing};
    int result = extents_write(&extents, source, reader, err);
    if (result == 0)
        result = nbd_queue_drain(queue, err);
    nbd_queue_free(queue);
    if (result == 0 && nbd_can_flush(transfer->nbd) == 1 && nbd_flush(transfer->nbd, 0) < 0)
        return fail_nbd(err, "flush");
    return result;
}
