/* SPDX-License-Identifier: Apache-2.0 */
#include "xml.h"

#include "core/error.h"
#include "core/mem.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <limits.h>
#include <string.h>

#define utf8(text) ((const xmlChar *)(text))

void xml_release(xmlDocPtr *document)
{
    if (*document != NULL)
        xmlFreeDoc(*document);
}

int xml_parse(const char *text, size_t length, const char *what, xmlDocPtr *out,
              struct firn_error **err)
{
    if (length > INT_MAX)
        return fail(err, FIRN_INVALID, "%s: too large", what);
    *out = xmlReadMemory(text, (int)length, NULL, NULL,
                         XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                             XML_PARSE_NOBLANKS);
    if (*out == NULL)
        return fail(err, FIRN_INVALID, "%s: not well-formed XML", what);
    if (xmlDocGetRootElement(*out) == NULL || xmlGetIntSubset(*out) != NULL) {
        xmlFreeDoc(steal(*out));
        return fail(err, FIRN_INVALID, "%s: not XML as libvirt writes it", what);
    }
    return 0;
}

xmlDocPtr xml_new(const char *name)
{
    xmlDocPtr document = xmlNewDoc(utf8("1.0"));
    xmlDocSetRootElement(document, xmlNewDocNode(document, NULL, utf8(name), NULL));
    return document;
}

char *xml_text_of(xmlDocPtr document)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    xmlNodeDump(buffer, document, xmlDocGetRootElement(document), 0, 1);
    char *text = mem_dup(xmlBufferContent(buffer), (size_t)xmlBufferLength(buffer));
    xmlBufferFree(buffer);
    return text;
}

static xmlXPathObjectPtr evaluate(xmlNodePtr node, const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(node->doc);
    context->node = node;
    xmlXPathObjectPtr result = xmlXPathEvalExpression(utf8(path), context);
    xmlXPathFreeContext(context);
    return result;
}

static size_t node_count(xmlXPathObjectPtr result)
{
    return result == NULL || result->nodesetval == NULL ? 0 : (size_t)result->nodesetval->nodeNr;
}

char *xml_string(xmlNodePtr node, const char *path)
{
    xmlXPathObjectPtr result = evaluate(node, path);
    char *text = NULL;
    if (node_count(result) > 0) {
        xmlChar *value = xmlXPathCastNodeToString(result->nodesetval->nodeTab[0]);
        text = mem_strdup((const char *)value);
        xmlFree(value);
    }
    xmlXPathFreeObject(result);
    return text;
}

xmlNodePtr xml_element(xmlNodePtr node, const char *path)
{
    xmlXPathObjectPtr result = evaluate(node, path);
    xmlNodePtr found = node_count(result) > 0 ? result->nodesetval->nodeTab[0] : NULL;
    xmlXPathFreeObject(result);
    return found;
}

size_t xml_elements(xmlNodePtr node, const char *path, xmlNodePtr **out)
{
    xmlXPathObjectPtr result = evaluate(node, path);
    size_t count = node_count(result);
    *out = mem_array(count, sizeof(**out));
    if (count > 0)
        memcpy(*out, result->nodesetval->nodeTab, count * sizeof(**out));
    xmlXPathFreeObject(result);
    return count;
}

xmlNodePtr xml_add(xmlNodePtr parent, const char *name, const char *text)
{
    return xmlNewTextChild(parent, NULL, utf8(name), text == NULL ? NULL : utf8(text));
}

void xml_set(xmlNodePtr node, const char *name, const char *value)
{
    if (value == NULL)
        xmlUnsetProp(node, utf8(name));
    else
        xmlSetProp(node, utf8(name), utf8(value));
}

void xml_set_text(xmlNodePtr node, const char *text)
{
    xmlNodeSetContent(node, utf8(""));
    xmlNodeAddContent(node, utf8(text));
}

void xml_remove(xmlNodePtr node, const char *path)
{
    auto_free xmlNodePtr *nodes = NULL;
    size_t count = xml_elements(node, path, &nodes);
    for (size_t i = 0; i < count; i++) {
        xmlUnlinkNode(nodes[i]);
        xmlFreeNode(nodes[i]);
    }
}
