/* SPDX-License-Identifier: Apache-2.0 */
#include "s3_xml.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>

static void free_document(xmlDocPtr *document)
{
    if (*document != NULL)
        xmlFreeDoc(*document);
}
#define auto_document __attribute__((cleanup(free_document)))

/* Its root, if that is called `name` (NULL: whatever it is called); NULL else. Entities are refused with the DTD that would define them. */
static xmlNodePtr parse(const char *body, size_t length, const char *name, xmlDocPtr *out)
{
    if (body == NULL || length == 0 || length > INT_MAX)
        return NULL;
    *out = xmlReadMemory(body, (int)length, NULL, NULL,
                         XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (*out == NULL || xmlGetIntSubset(*out) != NULL)
        return NULL;
    xmlNodePtr root = xmlDocGetRootElement(*out);
    return root != NULL && (name == NULL || strcmp((const char *)root->name, name) == 0) ? root
                                                                                         : NULL;
}

static bool is_element(xmlNodePtr node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* The text of the child element `name` as a new string; NULL if there is none. */
static char *child_text(xmlNodePtr node, const char *name)
{
    for (xmlNodePtr child = node->children; child != NULL; child = child->next) {
        if (!is_element(child, name))
            continue;
        xmlChar *text = xmlNodeGetContent(child);
        char *copy = mem_strdup((const char *)text);
        xmlFree(text);
        return copy;
    }
    return NULL;
}

/* The element after `node` in the document, below `root`; NULL: that was the last. */
static xmlNodePtr next_node(xmlNodePtr node, xmlNodePtr root)
{
    if (node->type == XML_ELEMENT_NODE && node->children != NULL)
        return node->children;
    while (node != root && node->next == NULL)
        node = node->parent;
    return node == root ? NULL : node->next;
}

char *s3_xml_find(const char *body, size_t length, const char *name)
{
    auto_document xmlDocPtr document = NULL;
    xmlNodePtr root = parse(body, length, NULL, &document);
    for (xmlNodePtr node = root; node != NULL; node = next_node(node, root))
        if (node != root && is_element(node, name))
            return child_text(node->parent, name);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ errors */

static void copy_text(xmlNodePtr node, const char *name, char *out, size_t size)
{
    auto_free char *text = child_text(node, name);
    out[0] = '\0';
    if (text == NULL || !utf8_is_printable(text))
        return;
    size_t length = 0, step;
    while (text[length] != '\0' &&
           (step = utf8_character(text + length, strlen(text + length))) > 0 &&
           length + step < size)
        length += step;
    memcpy(out, text, length);
    out[length] = '\0';
}

void s3_xml_fault(const char *body, size_t length, struct s3_fault *out)
{
    auto_document xmlDocPtr document = NULL;
    *out = (struct s3_fault){.code = ""};
    xmlNodePtr root = parse(body, length, "Error", &document);
    if (root == NULL)
        return;
    copy_text(root, "Code", out->code, sizeof(out->code));
    copy_text(root, "Message", out->message, sizeof(out->message));
    copy_text(root, "Region", out->region, sizeof(out->region));
}

/* ------------------------------------------------------------------------------------------------ listings */

static int corrupt(const char *what, struct firn_error **err)
{
    return fail(err, FIRN_CORRUPT, "the server's listing is damaged: %s", what);
}

/* Percent-decodes in place. A key with a NUL in it ends there, and is then no valid name or another's: refused. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        uint8_t byte = (uint8_t)*at;
        if (*at == '%') {
            char digits[3] = {at[1], at[1] == '\0' ? '\0' : at[2], '\0'};
            if (!hex_decode(digits, &byte, 1) || byte == 0)
                return false;
            at += 2;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return true;
}

static int parse_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    if (text == NULL || !isdigit((unsigned char)*text))
        return -1;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *out <= INT64_MAX ? 0 : -1;
}

struct page {
    bool encoded; /* keys are percent-encoded */
    const char *prefix;
    store_list_callback *each;
    void *context;
};

/* Decodes the key in place. The name in it, borrowed; NULL: it is none of the store's. */
static const char *name_of(char *key, bool encoded, const char *prefix)
{
    size_t skip = strlen(prefix);
    if ((encoded && !decode(key)) || strncmp(key, prefix, skip) != 0 ||
        !store_name_valid(key + skip))
        return NULL;
    return key + skip;
}

static int read_size(xmlNodePtr node, uint64_t *out, struct firn_error **err)
{
    auto_free char *text = child_text(node, "Size");
    return parse_number(text, out) < 0 ? corrupt("an entry has no size", err) : 0;
}

static int read_time(xmlNodePtr node, int64_t *out, struct firn_error **err)
{
    auto_free char *text = child_text(node, "LastModified");
    bool good = text != NULL && clock_parse(text, out, NULL) == 0;
    return good ? 0 : corrupt("an entry has no time", err);
}

static int take_entry(const struct page *page, xmlNodePtr node, struct firn_error **err)
{
    auto_free char *key = child_text(node, "Key");
    if (key == NULL)
        return corrupt("an entry has no key", err);
    struct store_entry entry = {.name = name_of(key, page->encoded, page->prefix)};
    if (entry.name == NULL)
        return 0;
    if (read_size(node, &entry.length, err) < 0 || read_time(node, &entry.modified, err) < 0)
        return -1;
    return page->each(page->context, &entry, err);
}

static int take_next(xmlNodePtr root, char **next, struct firn_error **err)
{
    auto_free char *truncated = child_text(root, "IsTruncated");
    *next = NULL;
    if (truncated == NULL)
        return corrupt("it does not say whether it is complete", err);
    if (strcmp(truncated, "true") != 0)
        return 0;
    *next = child_text(root, "NextContinuationToken");
    if (*next != NULL && (*next)[0] != '\0')
        return 0;
    free(steal(*next));
    return corrupt("it goes on, and does not say where", err);
}

int s3_xml_page(const char *body, size_t length, const char *prefix, store_list_callback *each,
                void *context, char **next, struct firn_error **err)
{
    auto_document xmlDocPtr document = NULL;
    xmlNodePtr root = parse(body, length, "ListBucketResult", &document);
    *next = NULL;
    if (root == NULL)
        return corrupt("it is no ListBucketResult", err);
    auto_free char *encoding = child_text(root, "EncodingType");
    struct page page = {.prefix = prefix, .each = each, .context = context};
    page.encoded = encoding != NULL && strcmp(encoding, "url") == 0;
    for (xmlNodePtr child = root->children; child != NULL; child = child->next)
        if (is_element(child, "Contents") && take_entry(&page, child, err) < 0)
            return -1;
    return take_next(root, next, err);
}

/* ------------------------------------------------------------------------------------------------ versions */

void s3_version_place_free(struct s3_version_place *place)
{
    free(steal(place->key));
    free(steal(place->id));
}

struct versions {
    bool encoded; /* keys are percent-encoded */
    const char *prefix;
    s3_version_callback *each;
    void *context;
};

static int take_version(const struct versions *page, xmlNodePtr node, struct firn_error **err)
{
    auto_free char *key = child_text(node, "Key");
    auto_free char *id = child_text(node, "VersionId");
    auto_free char *etag = child_text(node, "ETag");
    auto_free char *current = child_text(node, "IsLatest");
    if (key == NULL)
        return corrupt("a version has no key", err);
    struct s3_version version = {.name = name_of(key, page->encoded, page->prefix)};
    if (version.name == NULL)
        return 0;
    if (id == NULL || id[0] == '\0' || strlen(id) >= S3_VERSION_LENGTH || !utf8_is_printable(id))
        return corrupt("a version has no id", err);
    version.id = id;
    version.etag = etag == NULL ? "" : etag;
    version.current = current != NULL && strcmp(current, "true") == 0;
    version.marker = is_element(node, "DeleteMarker");
    if (read_time(node, &version.modified, err) < 0 ||
        (!version.marker && read_size(node, &version.length, err) < 0))
        return -1;
    return page->each(page->context, &version, err);
}

static int take_next_version(xmlNodePtr root, bool encoded, struct s3_version_place *next,
                             struct firn_error **err)
{
    auto_free char *truncated = child_text(root, "IsTruncated");
    if (truncated == NULL)
        return corrupt("it does not say whether it is complete", err);
    if (strcmp(truncated, "true") != 0)
        return 0;
    next->key = child_text(root, "NextKeyMarker");
    next->id = child_text(root, "NextVersionIdMarker");
    if (next->key != NULL && next->key[0] != '\0' && (!encoded || decode(next->key)))
        return 0;
    s3_version_place_free(next);
    return corrupt("it goes on, and does not say where", err);
}

int s3_xml_versions(const char *body, size_t length, const char *prefix, s3_version_callback *each,
                    void *context, struct s3_version_place *next, struct firn_error **err)
{
    auto_document xmlDocPtr document = NULL;
    xmlNodePtr root = parse(body, length, "ListVersionsResult", &document);
    *next = (struct s3_version_place){.key = NULL};
    if (root == NULL)
        return corrupt("it is no ListVersionsResult", err);
    auto_free char *encoding = child_text(root, "EncodingType");
    struct versions page = {.prefix = prefix, .each = each, .context = context};
    page.encoded = encoding != NULL && strcmp(encoding, "url") == 0;
    for (xmlNodePtr child = root->children; child != NULL; child = child->next)
        if ((is_element(child, "Version") || is_element(child, "DeleteMarker")) &&
            take_version(&page, child, err) < 0)
            return -1;
    return take_next_version(root, page.encoded, next, err);
}

/* ------------------------------------------------------------------------------------------------ Object Lock */

static xmlNodePtr child_of(xmlNodePtr node, const char *name)
{
    xmlNodePtr child = node == NULL ? NULL : node->children;
    while (child != NULL && !is_element(child, name))
        child = child->next;
    return child;
}

static int read_default(xmlNodePtr retention, struct s3_lock_default *out, struct firn_error **err)
{
    auto_free char *mode = child_text(retention, "Mode");
    auto_free char *days = child_text(retention, "Days");
    auto_free char *years = child_text(retention, "Years");
    uint64_t count = 0;
    out->mode = store_lock_mode_parse(mode == NULL ? "" : mode);
    bool number = parse_number(days != NULL ? days : years, &count) == 0 && count <= 36500;
    if (out->mode == STORE_UNLOCKED || !number)
        return fail(err, FIRN_CORRUPT, "the server's default retention makes no sense");
    out->period = (int64_t)count * (days != NULL ? 1 : 365) * 86400000;
    return 0;
}

int s3_xml_lock(const char *body, size_t length, struct s3_lock_default *out,
                struct firn_error **err)
{
    auto_document xmlDocPtr document = NULL;
    *out = (struct s3_lock_default){.enabled = false};
    xmlNodePtr root = parse(body, length, "ObjectLockConfiguration", &document);
    if (root == NULL)
        return fail(err, FIRN_CORRUPT, "the server's answer is no ObjectLockConfiguration");
    auto_free char *enabled = child_text(root, "ObjectLockEnabled");
    out->enabled = enabled != NULL && strcmp(enabled, "Enabled") == 0;
    xmlNodePtr retention = child_of(child_of(root, "Rule"), "DefaultRetention");
    return retention == NULL ? 0 : read_default(retention, out, err);
}
