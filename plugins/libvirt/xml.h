/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML by libxml2: XPath for reading what libvirt says, a small set of calls for changing and making it. Nothing is ever
 * loaded from outside a document: neither entities nor the network.
 */
#ifndef PLUGIN_LIBVIRT_XML_H
#define PLUGIN_LIBVIRT_XML_H

#include <libxml/tree.h>
#include <stddef.h>

struct firn_error;

#define auto_xml __attribute__((cleanup(xml_release)))
void xml_release(xmlDocPtr *document);

/* -1 with INVALID, naming `what`. *out: the caller's. */
int xml_parse(const char *text, size_t length, const char *what, xmlDocPtr *out,
              struct firn_error **err);
/* A new document whose root is <name/>. */
xmlDocPtr xml_new(const char *name);
/* The document as text without the XML declaration; the caller's. */
char *xml_text_of(xmlDocPtr document);

/* The string value of an XPath expression below node ("driver/@type"), or NULL if nothing is there. The caller's. */
char *xml_string(xmlNodePtr node, const char *path);
/* The first element that path selects below node, or NULL. Borrowed. */
xmlNodePtr xml_element(xmlNodePtr node, const char *path);
/* All elements that path selects, in document order: count, and an array that is the caller's. */
size_t xml_elements(xmlNodePtr node, const char *path, xmlNodePtr **out);

/* A new child element at the end of parent; text may be NULL. */
xmlNodePtr xml_add(xmlNodePtr parent, const char *name, const char *text);
/* Sets an attribute; a NULL value removes it. */
void xml_set(xmlNodePtr node, const char *name, const char *value);
/* Replaces what is in the element by text. */
void xml_set_text(xmlNodePtr node, const char *text);
/* Removes everything that path selects below node. */
void xml_remove(xmlNodePtr node, const char *path);

#endif
