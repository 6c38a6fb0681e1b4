/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates: the CA and the client certificate that Docker and Podman keep for a registry
 * (certs.d(5)): the first *.crt, and the first *.cert with its *.key, in HOST:PORT below
 * $XDG_CONFIG_HOME/containers/certs.d (or ~/.config/containers/certs.d), /etc/containers/certs.d
 * and /etc/docker/certs.d.
 */
#ifndef IMAGESTREAM_CERTIFICATES_H
#define IMAGESTREAM_CERTIFICATES_H

struct certificates {
    char *ca_file; /* NULL: the system's CAs alone */
    char *client_cert;
    char *client_key;
};
#define auto_certificates __attribute__((cleanup(certificates_free)))

/* Those for the host of a URL. ca_file, if not NULL, takes the place of what is found. */
void certificates_find(const char *url, const char *ca_file, struct certificates *out);
void certificates_free(struct certificates *certificates);

#endif
