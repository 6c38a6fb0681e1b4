/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

int input_open(struct image *image, const char *reference, const char *bitmap, struct input **out)
{
    if (image_is_uri(reference))
        return input_open_nbd(image, reference, bitmap, out);
    if (bitmap != NULL)
        return fail(image, FIRN_INVALID,
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

int transfer_next(struct transfer *transfer, struct piece *piece)
{
    pthread_mutex_lock(&transfer->lock);
    int more = next_locked(transfer, piece);
    if (more < 0)
        transfer->failed = true;
    pthread_mutex_unlock(&transfer->lock);
    return more;
}

int transfer_take(struct transfer *transfer, const struct piece *piece, void *buffer)
{
    pthread_mutex_lock(&transfer->lock);
    int result =
        transfer->sink->extent_take(transfer->object, piece->offset, buffer, piece->length);
    if (result < 0)
        transfer->failed = true;
    pthread_mutex_unlock(&transfer->lock);
    transfer->image->host->progress(transfer->image->host, 0, piece->length);
    return result;
}

void transfer_give_up(struct transfer *transfer)
{
    pthread_mutex_lock(&transfer->lock);
    transfer->failed = true;
    pthread_mutex_unlock(&transfer->lock);
}
