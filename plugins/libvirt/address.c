/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include "core/mem.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void address_release(struct address *address)
{
    free(address->socket);
    free(address->host);
    free(address->listen);
    free(address->port);
    *address = (struct address){.socket = NULL};
}

static int choose_socket(const struct connection *connection, virDomainPtr domain,
                         struct address *address, struct firn_error **err)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    virDomainGetUUIDString(domain, uuid);
    address->socket = mem_printf("%s/firn-%s.nbd", connection->scratch_directory, uuid);
    if (strlen(address->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return fail(
            err, FIRN_INVALID,
            "scratch-directory %s: too long a path for a socket in it; choose a shorter one",
            connection->scratch_directory);
    return 0;
}

/* The numeric form of the address that the name leads to: over there the same name may lead to a loopback address. */
static int resolve(const char *host, char **out, struct firn_error **err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char text[NI_MAXHOST];
    int failed = getaddrinfo(host, NULL, &hints, &found);
    if (failed == 0) {
        failed = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                             NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    if (failed != 0)
        return fail(err, FIRN_INVALID,
                    "find the address of %s: %s; name the machine that libvirt runs on with "
                    "nbd-host",
                    host, gai_strerror(failed));
    *out = mem_strdup(text);
    return 0;
}

static void choose_security(const struct connection *connection, struct address *address)
{
    const struct firn_host *host = connection->host;
    address->tls = host->param_integer(host, "nbd-plain") == 0;
    address->certificates = host->param(host, "tls-certificates");
    if (!address->tls)
        connection_log(connection, WARNING,
                       "nbd-plain: the disks cross the network in the clear, and while the backup "
                       "runs whoever reaches %s port %s can read them",
                       address->listen, address->port);
}

static int choose_tcp(const struct connection *connection, struct address *address,
                      struct firn_error **err)
{
    const struct firn_host *host = connection->host;
    const char *name = host->param(host, "nbd-host");
    const char *listen = host->param(host, "nbd-listen");
    long long port = host->param_integer(host, "nbd-port");
    address->host = mem_strdup(name != NULL ? name : connection->machine);
    if (port < 1 || port > 65535)
        return fail(err, FIRN_INVALID, "nbd-port: from 1 to 65535, not %lld", port);
    address->port = mem_printf("%lld", port);
    if (listen != NULL)
        address->listen = mem_strdup(listen);
    else if (resolve(address->host, &address->listen, err) < 0)
        return -1;
    choose_security(connection, address);
    return 0;
}

int address_choose(const struct connection *connection, virDomainPtr domain, struct address *out,
                   struct firn_error **err)
{
    auto_address struct address address = {.socket = NULL};
    int result = connection->machine == NULL ? choose_socket(connection, domain, &address, err)
                                             : choose_tcp(connection, &address, err);
    if (result < 0)
        return -1;
    *out = address;
    address = (struct address){.socket = NULL};
    return 0;
}
