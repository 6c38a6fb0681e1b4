/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images behind NBD servers. Several reads are in flight at once, each into a buffer of the sink; they are handed over in
 * the order in which they were asked for, so that the repository stores neighbours together.
 */
#include "input.h"
#include "nbd_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT     8u
#define STATUS_WINDOW (1024u * 1024u * 1024u)
#define RUNS_MOST     65536u
#define ALLOCATION    "base:allocation"

/* What a meta context says about the image from `begin` on. */
struct context {
    const char *name; /* NULL: not asked for */
    uint64_t begin;
    struct {
        uint32_t length;
        uint32_t flags;
    } * runs;
    size_t count;
    size_t at;
};

struct nbd_input {
    struct input input;
    struct nbd_handle *nbd;
    char *uri;
    struct context allocation;
    struct context bitmap;
};

static struct nbd_input *of(struct input *input)
{
    return (struct nbd_input *)input;
}

/* ------------------------------------------------------------------------------------------------ block status */

static struct context *context_named(struct nbd_input *input, const char *name)
{
    if (input->allocation.name != NULL && strcmp(name, input->allocation.name) == 0)
        return &input->allocation;
    if (input->bitmap.name != NULL && strcmp(name, input->bitmap.name) == 0)
        return &input->bitmap;
    return NULL;
}

static int on_extents(void *user_data, const char *name, uint64_t offset, uint32_t *entries,
                      size_t entry_count, int *error)
{
    struct context *context = context_named(user_data, name);
    (void)error;
    if (context == NULL)
        return 0;
    context->begin = offset;
    context->count = context->at = 0;
    for (size_t i = 0; i + 1 < entry_count && context->count < RUNS_MOST; i += 2) {
        context->runs[context->count].length = entries[i];
        context->runs[context->count++].flags = entries[i + 1];
    }
    return 0;
}

/* Goes on in what is known to the run that holds offset; false if it is not known. *left: from offset to the run's end. */
static bool look_up(struct context *context, uint64_t offset, uint32_t *flags, uint64_t *left)
{
    if (offset < context->begin)
        return false;
    while (context->at < context->count) {
        uint64_t end = context->begin + context->runs[context->at].length;
        if (offset < end) {
            *flags = context->runs[context->at].flags;
            *left = end - offset;
            return true;
        }
        context->begin = end;
        context->at++;
    }
    return false;
}

static bool known(struct context *context, uint64_t offset, uint32_t *flags, uint64_t *left)
{
    return context->name == NULL || look_up(context, offset, flags, left);
}

static int ask(struct nbd_input *input, uint64_t offset, uint64_t end)
{
    uint64_t length = end - offset < STATUS_WINDOW ? end - offset : STATUS_WINDOW;
    nbd_extent_callback callback = {.callback = on_extents, .user_data = input};
    input->allocation.count = input->bitmap.count = 0;
    if (nbd_block_status(input->nbd, length, offset, callback, 0) < 0)
        return nbd_connection_fail(input->input.image, "asking for block status", input->uri);
    return 0;
}

static int status(struct input *base, uint64_t offset, uint64_t end, enum piece_kind *kind,
                  uint64_t *length)
{
    struct nbd_input *input = of(base);
    uint32_t allocation = 0, dirty = 1;
    uint64_t left_allocation = end - offset, left_bitmap = end - offset;
    *kind = PIECE_DATA;
    *length = end - offset;
    if (input->allocation.name == NULL && input->bitmap.name == NULL)
        return 0;
    if (!known(&input->allocation, offset, &allocation, &left_allocation) ||
        !known(&input->bitmap, offset, &dirty, &left_bitmap)) {
        if (ask(input, offset, end) < 0)
            return -1;
        if (!known(&input->allocation, offset, &allocation, &left_allocation) ||
            !known(&input->bitmap, offset, &dirty, &left_bitmap))
            return image_fail(base->image, FIRN_INTERNAL,
                              "%s: the server tells nothing about offset %llu", input->uri,
                              (unsigned long long)offset);
    }
    if (offset >= base->known_end)
        dirty = 1;
    else if (!(dirty & 1) && left_bitmap > base->known_end - offset)
        left_bitmap = base->known_end - offset;
    if (!(dirty & 1))
        *kind = PIECE_SAME;
    else if (allocation & LIBNBD_STATE_ZERO)
        *kind = PIECE_ZERO;
    uint64_t left = left_allocation < left_bitmap ? left_allocation : left_bitmap;
    if (*kind == PIECE_SAME)
        left = left_bitmap;
    *length = left < *length ? left : *length;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

struct request {
    struct piece piece;
    void *buffer;
    int64_t cookie;
};

/* A ring: requests begin .. begin + count. */
struct queue {
    struct request ring[IN_FLIGHT];
    size_t begin, count;
};

static int send_request(struct nbd_input *input, struct transfer *transfer, struct queue *queue,
                        const struct piece *piece)
{
    struct request *request = &queue->ring[(queue->begin + queue->count) % IN_FLIGHT];
    size_t capacity;
    request->piece = *piece;
    if (transfer->sink->buffer_get(transfer->sink, &request->buffer, &capacity) < 0)
        return -1;
    request->cookie = capacity < piece->length
                          ? -1
                          : nbd_aio_pread(input->nbd, request->buffer, (size_t)piece->length,
                                          piece->offset, NBD_NULL_COMPLETION, 0);
    if (request->cookie < 0) {
        transfer->sink->buffer_put(transfer->sink, request->buffer);
        return nbd_connection_fail(input->input.image, "reading", input->uri);
    }
    queue->count++;
    return 0;
}

static int wait_for_first(struct nbd_input *input, const struct transfer *transfer,
                          const struct request *request)
{
    for (;;) {
        int done = nbd_aio_command_completed(input->nbd, (uint64_t)request->cookie);
        if (done == 1)
            return 0;
        if (done == 0 && image_check_cancelled(transfer->image) < 0)
            return -1;
        if (done < 0 || nbd_poll(input->nbd, 1000) < 0)
            return image_fail(input->input.image,
                              nbd_get_errno() == ENOMEM ? FIRN_INTERNAL : FIRN_RETRY,
                              "%s: reading at offset %llu: %s", input->uri,
                              (unsigned long long)request->piece.offset, nbd_get_error());
    }
}

static int receive_first(struct nbd_input *input, struct transfer *transfer, struct queue *queue)
{
    struct request *request = &queue->ring[queue->begin];
    if (wait_for_first(input, transfer, request) < 0)
        return -1;
    queue->begin = (queue->begin + 1) % IN_FLIGHT;
    queue->count--;
    return transfer_take(transfer, &request->piece, request->buffer);
}

/* libnbd writes into the buffers until the connection is gone: only then may they go back. */
static void drop_requests(struct nbd_input *input, struct transfer *transfer, struct queue *queue)
{
    if (queue->count == 0)
        return;
    nbd_close(input->nbd);
    input->nbd = NULL;
    for (; queue->count > 0; queue->count--) {
        transfer->sink->buffer_put(transfer->sink, queue->ring[queue->begin].buffer);
        queue->begin = (queue->begin + 1) % IN_FLIGHT;
    }
}

static int transfer(struct input *base, struct transfer *transfer)
{
    struct nbd_input *input = of(base);
    struct queue queue = {.count = 0};
    struct piece piece;
    int more = 1, result = 0;
    while (result == 0 && (more == 1 || queue.count > 0)) {
        if (more == 1 && queue.count < IN_FLIGHT) {
            more = transfer_next(transfer, &piece);
            result = more < 0 ? -1 : more == 1 ? send_request(input, transfer, &queue, &piece) : 0;
        } else {
            result = receive_first(input, transfer, &queue);
        }
    }
    drop_requests(input, transfer, &queue);
    return result;
}

static const char *disturbed(struct input *input)
{
    (void)input;
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ opening */

static void close_nbd(struct input *base)
{
    struct nbd_input *input = of(base);
    nbd_connection_close(input->nbd);
    free(input->allocation.runs);
    free(input->bitmap.runs);
    free(input->uri);
    free(input);
}

static const struct input_operations operations = {status, transfer, disturbed, close_nbd};

static void use_context(struct context *context, const char *name)
{
    context->name = name;
    context->runs = calloc(RUNS_MOST, sizeof(*context->runs));
    if (context->runs == NULL)
        abort();
}

static int connect_input(struct nbd_input *input, const char *bitmap)
{
    struct image *image = input->input.image;
    const char *const contexts[] = {ALLOCATION, bitmap, NULL};
    if (nbd_connection_open(image, input->uri, contexts, &input->nbd) < 0)
        return -1;
    int64_t size = nbd_get_size(input->nbd);
    if (size < 0)
        return nbd_connection_fail(image, "size", input->uri);
    input->input.size = (uint64_t)size;
    if (nbd_can_meta_context(input->nbd, ALLOCATION) == 1)
        use_context(&input->allocation, ALLOCATION);
    if (bitmap == NULL)
        return 0;
    if (nbd_can_meta_context(input->nbd, bitmap) != 1)
        return image_fail(image, FIRN_NOTFOUND,
                          "%s: the server has no meta context \"%s\": is the bitmap exported?",
                          input->uri, bitmap);
    use_context(&input->bitmap, bitmap);
    return 0;
}

int input_open_nbd(struct image *image, const char *uri, const char *bitmap, struct input **out)
{
    struct nbd_input *input = calloc(1, sizeof(*input));
    if (input == NULL)
        abort();
    input->input = (struct input){
        .operations = &operations, .image = image, .what = "NBD export", .known_end = UINT64_MAX};
    input->uri = image_printf("%s", uri);
    if (connect_input(input, bitmap) < 0) {
        close_nbd(&input->input);
        return -1;
    }
    *out = &input->input;
    return 0;
}
