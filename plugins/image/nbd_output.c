/* SPDX-License-Identifier: Apache-2.0 */
/* NBD servers: one connection, one request at a time. */
#include "nbd_connection.h"
#include "output.h"

#include <pthread.h>
#include <stdlib.h>

#define WRITE_MOST (1024u * 1024u)
#define ZERO_MOST  (1024u * 1024u * 1024u)

struct nbd_output {
    struct output output;
    struct nbd_handle *nbd;
    char *uri;
    bool can_zero;
    pthread_mutex_t lock; /* the connection */
};

static struct nbd_output *of(struct output *output)
{
    return (struct nbd_output *)output;
}

static int write_all(struct output *output, const void *data, uint64_t length, uint64_t offset)
{
    struct nbd_output *nbd = of(output);
    const char *from = data;
    while (length > 0) {
        uint64_t part = length < WRITE_MOST ? length : WRITE_MOST;
        pthread_mutex_lock(&nbd->lock);
        int result = nbd_pwrite(nbd->nbd, from, (size_t)part, offset, 0);
        pthread_mutex_unlock(&nbd->lock);
        if (result < 0)
            return nbd_connection_fail(output->image, "writing", nbd->uri);
        from += part;
        offset += part;
        length -= part;
    }
    return 0;
}

static int zero(struct output *output, uint64_t length, uint64_t offset)
{
    static const char zeros[WRITE_MOST];
    struct nbd_output *nbd = of(output);
    if (output->clean)
        return 0;
    while (length > 0) {
        uint64_t most = nbd->can_zero ? ZERO_MOST : WRITE_MOST;
        uint64_t part = length < most ? length : most;
        pthread_mutex_lock(&nbd->lock);
        int result = nbd->can_zero ? nbd_zero(nbd->nbd, part, offset, 0)
                                   : nbd_pwrite(nbd->nbd, zeros, (size_t)part, offset, 0);
        pthread_mutex_unlock(&nbd->lock);
        if (result < 0)
            return nbd_connection_fail(output->image, "writing zeros", nbd->uri);
        offset += part;
        length -= part;
    }
    return 0;
}

static int sync_nbd(struct output *output)
{
    struct nbd_output *nbd = of(output);
    int result = 0;
    pthread_mutex_lock(&nbd->lock);
    if (nbd_can_flush(nbd->nbd) == 1 && nbd_flush(nbd->nbd, 0) < 0)
        result = -1;
    pthread_mutex_unlock(&nbd->lock);
    return result < 0 ? nbd_connection_fail(output->image, "flushing", nbd->uri) : 0;
}

static void close_nbd(struct output *output)
{
    struct nbd_output *nbd = of(output);
    nbd_connection_close(nbd->nbd);
    pthread_mutex_destroy(&nbd->lock);
    free(nbd->uri);
    free(nbd);
}

static const struct output_operations operations = {write_all, zero, sync_nbd, close_nbd};

static int check_server(struct nbd_output *nbd, uint64_t size)
{
    struct image *image = nbd->output.image;
    int64_t room = nbd_get_size(nbd->nbd);
    if (room < 0)
        return nbd_connection_fail(image, "size", nbd->uri);
    if (nbd_is_read_only(nbd->nbd) == 1)
        return image_fail(image, FIRN_DENIED, "%s: the server lets nobody write", nbd->uri);
    if ((uint64_t)room < size)
        return image_fail(image, FIRN_INVALID,
                          "%s: it has %lld bytes, too few for the image's %llu", nbd->uri,
                          (long long)room, (unsigned long long)size);
    nbd->can_zero = nbd_can_zero(nbd->nbd) == 1;
    return 0;
}

int output_open_nbd(struct image *image, const char *uri, uint64_t size, struct output **out)
{
    struct nbd_output *nbd = calloc(1, sizeof(*nbd));
    if (nbd == NULL)
        abort();
    nbd->output = (struct output){.operations = &operations, .image = image};
    nbd->uri = image_printf("%s", uri);
    pthread_mutex_init(&nbd->lock, NULL);
    if (nbd_connection_open(image, uri, NULL, &nbd->nbd) < 0 || check_server(nbd, size) < 0) {
        close_nbd(&nbd->output);
        return -1;
    }
    *out = &nbd->output;
    return 0;
}
