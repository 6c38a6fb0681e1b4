/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that knows two parameters of the libvirt plugin and keeps what is logged.
 */
#ifndef UNIT_LIBVIRT_FAKE_HOST_H
#define UNIT_LIBVIRT_FAKE_HOST_H

#include "libvirt/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *fake_disks, *fake_excluded;
static char fake_log[4096];

static const char *fake_param(const struct firn_host *host, const char *name)
{
    (void)host;
    if (strcmp(name, "disks") == 0)
        return fake_disks;
    return strcmp(name, "exclude-disks") == 0 ? fake_excluded : NULL;
}

__attribute__((format(printf, 3, 4))) static void fake_log_line(const struct firn_host *host,
                                                                enum firn_log_level level,
                                                                const char *format, ...)
{
    size_t used = strlen(fake_log);
    va_list arguments;
    (void)host;
    (void)level;
    va_start(arguments, format);
    vsnprintf(fake_log + used, sizeof(fake_log) - used, format, arguments);
    va_end(arguments);
}

static const struct firn_host fake_host = {
    .size = sizeof(fake_host), .abi = FIRN_PLUGIN_ABI, .log = fake_log_line, .param = fake_param};
static struct connection fake_connection = {.host = &fake_host};

#endif
