/* SPDX-License-Identifier: Apache-2.0 */
#include "nbd_connection.h"

#include <errno.h>
#include <stddef.h>

int nbd_connection_fail(struct image *image, const char *what, const char *uri)
{
    int number = nbd_get_errno();
    enum firn_code code = number == ENOENT                               ? FIRN_NOTFOUND
                          : number == EACCES || number == EPERM          ? FIRN_DENIED
                          : number == ECONNREFUSED || number == ENOTCONN ? FIRN_RETRY
                                                                         : FIRN_INTERNAL;
    return image_fail(image, code, "%s: %s: %s", uri, what, nbd_get_error());
}

/* Certificates and keys are named by parameters only: a URI, which may come from elsewhere, must not make us read files. */
static int connect_uri(struct image *image, struct nbd_handle *nbd, const char *uri,
                       const char *const *contexts)
{
    const char *certificates = image_param(image, "tls-certificates");
    const char *psk_file = image_param(image, "tls-psk-file");
    if (certificates != NULL && nbd_set_tls_certificates(nbd, certificates) < 0)
        return nbd_connection_fail(image, "tls-certificates", uri);
    if (psk_file != NULL && nbd_set_tls_psk_file(nbd, psk_file) < 0)
        return nbd_connection_fail(image, "tls-psk-file", uri);
    for (; contexts != NULL && *contexts != NULL; contexts++)
        if (nbd_add_meta_context(nbd, *contexts) < 0)
            return nbd_connection_fail(image, *contexts, uri);
    if (nbd_connect_uri(nbd, uri) < 0)
        return nbd_connection_fail(image, "connecting", uri);
    return 0;
}

int nbd_connection_open(struct image *image, const char *uri, const char *const *contexts,
                        struct nbd_handle **out)
{
    struct nbd_handle *nbd = nbd_create();
    if (nbd == NULL)
        return nbd_connection_fail(image, "libnbd", uri);
    if (connect_uri(image, nbd, uri, contexts) < 0) {
        nbd_close(nbd);
        return -1;
    }
    *out = nbd;
    return 0;
}

void nbd_connection_close(struct nbd_handle *nbd)
{
    if (nbd == NULL)
        return;
    nbd_shutdown(nbd, 0);
    nbd_close(nbd);
}
