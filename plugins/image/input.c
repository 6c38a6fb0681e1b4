/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

int input_open(struct image *image, const char *reference, const char *bitmap, struct input **out)
{
    if (image_is_uri(reference))
        return input_open_nbd(image, reference, bitmap, out);
    if (bitmap != NULL)
        return image_fail(image, FIRN_INVALID,
                          "%s: only an NBD server has bitmaps; use --changed with a file or device",
                          reference);
    return input_open_file(image, reference, out);
}

void input_close(struct input *input)
{
    if (input != NULL)
        input->operations->close(input);
}

/* ------------------------------------------------------------------------------------------------ transfers */

static int pass_on(struct transfer *transfer, const struct piece *piece)
{
    if (piece->kind == PIECE_ZERO)
        return transfer->sink->zero(transfer->object, piece->offset, piece->length);
    return transfer->sink->same(transfer->object, piece->offset, piece->length);
}

static int next_locked(struct transfer *transfer, struct piece *piece)
{
    for (;;) {
        if (transfer->failed || image_check_cancelled(transfer->image) < 0)
            return -1;
        int more = walk_next(transfer->walk, piece);
        if (more != 1 || piece->kind == PIECE_DATA)
            return more;
        if (pass_on(transfer, piece) < 0)
            return -1;
        transfer->image->host->progress(transfer->image->host, 0, piece->length);
    }
}

void transfer_begin(struct transfer *transfer)
{
    pthread_mutex_init(&transfer->lock, NULL);
    pthread_cond_init(&transfer->passed, NULL);
}

void transfer_end(struct transfer *transfer)
{
    pthread_cond_destroy(&transfer->passed);
    pthread_mutex_destroy(&transfer->lock);
}

static void give_up_locked(struct transfer *transfer)
{
    transfer->failed = true;
    pthread_cond_broadcast(&transfer->passed);
}

void transfer_give_up(struct transfer *transfer)
{
    pthread_mutex_lock(&transfer->lock);
    give_up_locked(transfer);
    pthread_mutex_unlock(&transfer->lock);
}

int transfer_next(struct transfer *transfer, struct piece *piece)
{
    pthread_mutex_lock(&transfer->lock);
    int more = next_locked(transfer, piece);
    if (more == 1)
        piece->turn = transfer->given++;
    else if (more < 0)
        give_up_locked(transfer);
    pthread_mutex_unlock(&transfer->lock);
    return more;
}

/* Who waits holds one buffer; the reader whose turn it is holds at most one more, so that both can always go on. */
int transfer_take(struct transfer *transfer, const struct piece *piece, void *buffer)
{
    struct firn_sink *sink = transfer->sink;
    int result = -1;
    pthread_mutex_lock(&transfer->lock);
    while (!transfer->failed && transfer->taken != piece->turn)
        pthread_cond_wait(&transfer->passed, &transfer->lock);
    if (transfer->failed)
        sink->buffer_put(sink, buffer);
    else if ((result = sink->extent_take(transfer->object, piece->offset, buffer, piece->length)) <
             0)
        give_up_locked(transfer);
    transfer->taken++;
    pthread_cond_broadcast(&transfer->passed);
    pthread_mutex_unlock(&transfer->lock);
    transfer->image->host->progress(transfer->image->host, 0, piece->length);
    return result;
}
