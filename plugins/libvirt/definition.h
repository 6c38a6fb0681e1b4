/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The definition of a restored domain: the captured XML, turned into that of a new domain that can live beside the old one.
 */
#ifndef PLUGIN_LIBVIRT_DEFINITION_H
#define PLUGIN_LIBVIRT_DEFINITION_H

#include "connection.h"

#include <libxml/tree.h>
#include <stdbool.h>

struct image {
    char *target; /* vda */
    char *format; /* raw or qcow2 */
    char *path;   /* where it will be in the end */
    char *part;   /* where it is until then */
    uint64_t size;
    bool placed; /* is at path */
};

struct images {
    struct image *list;
    size_t count;
};

/* A random UUID, as text. */
void definition_new_uuid(char out[VIR_UUID_STRING_BUFLEN]);

/* Gives the domain its name, UUID, new MAC addresses, and the images as disks. nvram: the path of its own NVRAM; NULL if
 * it has none. Disks without an image leave the domain, drives for removable media are emptied; both are logged. */
void definition_adapt(struct connection *connection, xmlDocPtr document, const char *name,
                      const char *uuid, const struct images *images, const char *nvram);

/* Whether the domain keeps variables of a UEFI firmware in a file. */
bool definition_has_nvram(xmlDocPtr document);

/* Logs what the domain needs and this host does not have; how many things that are. */
size_t definition_check(struct connection *connection, xmlDocPtr document);

#endif
