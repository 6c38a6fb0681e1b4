/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a domain is besides its disks:
 *
 *     domain.xml       what it is started from           checkpoint.xml   the checkpoint that the snapshot ended on
 *     domain-live.xml  what it ran with                  disks.json       all disks, the skipped ones as well
 *     nvram            variables of the UEFI firmware    tpm/PATH         state of the emulated TPM, file by file
 */
#include "capture.h"
#include "tpm.h"

#include "core/buf.h"
#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"
#include "xml.h"

#include <string.h>

#define XML_TYPE(what) "application/vnd.firn.libvirt." what "+xml"
/* A document holds at most 16 MiB. */
#define DOCUMENT_LIMIT ((size_t)16 << 20)

static int give_text(struct capture *capture, const char *name, const char *type, const char *text)
{
    if (text == NULL)
        return 0;
    return capture->sink->document(capture->sink, name, type, text, strlen(text));
}

static int give_file(struct capture *capture, const char *name, const char *type, const char *path)
{
    auto_error struct firn_error *error = NULL;
    auto_buf struct buf content = buf_new(DOCUMENT_LIMIT);
    if (connection_require_local(capture->connection, "read it", &error) < 0 ||
        file_read(path, DOCUMENT_LIMIT, &content, &error) < 0) {
        connection_log(capture->connection, WARNING, "%s: %s is not captured: %s",
                       capture->request->reference, name, error_message(error));
        return 0;
    }
    return capture->sink->document(capture->sink, name, type, buf_text(&content), content.length);
}

static int give_nvram(struct capture *capture)
{
    xmlNodePtr root = xmlDocGetRootElement(capture->domain.document);
    auto_free char *path = xml_string(root, "os/nvram");
    auto_free char *source = xml_string(root, "os/nvram/source/@file");
    const char *file = source != NULL ? source : path;
    if (file == NULL || *file == '\0')
        return 0;
    return give_file(capture, "nvram", "application/vnd.firn.libvirt.nvram", file);
}

static int give_tpm_file(void *context, const char *name, const char *path)
{
    auto_free char *document = mem_printf(TPM_PREFIX "%s", name);
    return give_file(context, document, "application/vnd.firn.libvirt.tpm", path);
}

static int give_tpm(struct capture *capture)
{
    xmlNodePtr root = xmlDocGetRootElement(capture->domain.document);
    if (xml_element(root, "devices/tpm/backend[@type='emulator']") == NULL)
        return 0;
    auto_error struct firn_error *error = NULL;
    auto_free char *directory = tpm_directory(capture->connection, capture->domain.uuid);
    bool refused = false;
    if (connection_require_local(capture->connection, "read it", &error) < 0 ||
        tpm_each_file(directory, give_tpm_file, capture, &refused, &error) < 0)
        connection_log(capture->connection, WARNING, "%s: the state of the TPM is not captured: %s",
                       capture->request->reference, error_message(error));
    return refused ? -1 : 0;
}

static int give_disk_table(struct capture *capture)
{
    auto_json struct json_object *table = disks_table(&capture->disks);
    auto_buf struct buf text = buf_new(DOCUMENT_LIMIT);
    json_write_pretty(&text, table);
    return give_text(capture, "disks.json", "application/vnd.firn.libvirt.disks+json",
                     buf_text(&text));
}

int documents_capture(struct capture *capture, struct firn_error **err)
{
    (void)err; /* only the sink can refuse, and the host knows why it did */
    const struct domain *domain = &capture->domain;
    if (give_text(capture, "domain.xml", XML_TYPE("domain"), domain->definition) < 0 ||
        give_text(capture, "domain-live.xml", XML_TYPE("domain"), domain->live) < 0 ||
        give_text(capture, "checkpoint.xml", XML_TYPE("checkpoint"), capture->checkpoint_xml) < 0 ||
        give_disk_table(capture) < 0 || give_nvram(capture) < 0 || give_tpm(capture) < 0)
        return -1;
    return 0;
}
