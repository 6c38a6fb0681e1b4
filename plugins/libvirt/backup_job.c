/* SPDX-License-Identifier: Apache-2.0 */
#include "backup_job.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/mem.h"
#include "xml.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define END_LIMIT 30000

/* "firn-UUID": what the names of all files of the domain's job begin with. */
static char *file_prefix(virDomainPtr domain)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    virDomainGetUUIDString(domain, uuid);
    return mem_printf("firn-%s", uuid);
}

/* ------------------------------------------------------------------------------------------------ begin */

/* QEMU does not take a scratch file that is there already, so that each run has its own. */
static void add_disk(const char *scratch, const struct backup_job *job, xmlNodePtr list,
                     const struct disk *disk)
{
    xmlNodePtr node = xml_add(list, "disk", NULL);
    xml_set(node, "name", disk->target);
    xml_set(node, "backup", disk->skipped == NULL ? "yes" : "no");
    if (disk->skipped != NULL)
        return;
    auto_free char *file = mem_printf("%s-%s-%s.scratch", scratch, job->run, disk->target);
    xml_set(node, "type", "file");
    xml_set(node, "exportname", disk->target);
    xml_set(node, "backupmode", disk->incremental ? "incremental" : "full");
    if (disk->incremental) {
        xml_set(node, "incremental", job->parent);
        xml_set(node, "exportbitmap", BACKUP_BITMAP);
    }
    xml_set(xml_add(node, "scratch", NULL), "file", file);
}

static void add_server(xmlNodePtr root, const struct address *address)
{
    xmlNodePtr server = xml_add(root, "server", NULL);
    xml_set(server, "transport", address->socket != NULL ? "unix" : "tcp");
    xml_set(server, "socket", address->socket);
    xml_set(server, "name", address->listen);
    xml_set(server, "port", address->port);
    if (address->tls)
        xml_set(server, "tls", "yes");
}

static char *job_xml(const struct connection *connection, virDomainPtr domain,
                     const struct backup_job *job)
{
    auto_xml xmlDocPtr document = xml_new("domainbackup");
    xmlNodePtr root = xmlDocGetRootElement(document);
    auto_free char *prefix = file_prefix(domain);
    auto_free char *scratch = file_join(connection->scratch_directory, prefix);
    xml_set(root, "mode", "pull");
    add_server(root, job->address);
    xmlNodePtr list = xml_add(root, "disks", NULL);
    for (size_t i = 0; i < job->disks->count; i++)
        add_disk(scratch, job, list, &job->disks->list[i]);
    return xml_text_of(document);
}

int backup_job_begin(struct connection *connection, virDomainPtr domain,
                     const struct backup_job *job, struct firn_error **err)
{
    auto_free char *xml = job_xml(connection, domain, job);
    if (virDomainBackupBegin(domain, xml, job->checkpoint_xml, 0) < 0)
        return fail_vir(err, "start the backup job");
    return 0;
}

/* ------------------------------------------------------------------------------------------------ end */

/* Whether a backup job is there: 1, 0, or -1. */
static int job_active(virDomainPtr domain, struct firn_error **err)
{
    virDomainJobInfo info;
    if (virDomainIsActive(domain) == 0)
        return 0;
    if (virDomainGetJobInfo(domain, &info) < 0)
        return fail_vir(err, "ask for the domain's job");
    return info.type == VIR_DOMAIN_JOB_BOUNDED || info.type == VIR_DOMAIN_JOB_UNBOUNDED;
}

/* On another machine they are libvirt's own to remove. */
static void remove_files(const struct connection *connection, virDomainPtr domain)
{
    if (connection->machine != NULL)
        return;
    auto_free char *prefix = file_prefix(domain);
    DIR *directory = opendir(connection->scratch_directory);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
}

/* The job's end is an event that libvirt works off after the abort has returned. socket: NULL if there is none here. */
static int wait_for_end(virDomainPtr domain, const char *socket, struct firn_error **err)
{
    int64_t end = clock_monotonic() + END_LIMIT;
    for (;;) {
        int active = job_active(domain, err);
        if (active < 0)
            return -1;
        if (active == 0 &&
            (socket == NULL || access(socket, F_OK) < 0 || virDomainIsActive(domain) == 0))
            return 0;
        if (clock_monotonic() >= end)
            return fail(err, FIRN_RETRY, "the backup job does not end");
        clock_sleep(20);
    }
}

int backup_job_end(struct connection *connection, virDomainPtr domain, struct firn_error **err)
{
    auto_address struct address address = {.socket = NULL};
    if (connection->machine == NULL && address_choose(connection, domain, &address, err) < 0)
        return -1;
    int active = job_active(domain, err);
    if (active < 0)
        return -1;
    if (active == 1 && virDomainAbortJob(domain) < 0 && job_active(domain, NULL) == 1)
        return fail_vir(err, "end the backup job");
    if (wait_for_end(domain, address.socket, err) < 0)
        return -1;
    remove_files(connection, domain);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ what a dead one left */

/* Whether the domain's backup job is Firn's: 1, 0 (somebody else's job), 2 (none). */
static int job_owner(virDomainPtr domain)
{
    auto_free char *text = virDomainBackupGetXMLDesc(domain, 0);
    auto_xml xmlDocPtr document = NULL;
    if (text == NULL || xml_parse(text, strlen(text), "backup job", &document, NULL) < 0)
        return job_active(domain, NULL) == 1 ? 0 : 2;
    auto_free char *scratch =
        xml_string(xmlDocGetRootElement(document), "disks/disk/scratch/@file");
    auto_free char *prefix = file_prefix(domain);
    const char *name = scratch == NULL ? NULL : strrchr(scratch, '/');
    return name != NULL && strncmp(name + 1, prefix, strlen(prefix)) == 0;
}

int backup_job_sweep(struct connection *connection, virDomainPtr domain, struct firn_error **err)
{
    if (virDomainIsActive(domain) == 1) {
        int owner = job_owner(domain);
        if (owner == 0)
            return fail(err, FIRN_CONFLICT,
                        "%s: another program runs a job on this domain; try again when it is done",
                        virDomainGetName(domain));
        if (owner == 1) {
            connection_log(connection, WARNING, "%s: ending the backup job of a Firn that died",
                           virDomainGetName(domain));
            return backup_job_end(connection, domain, err);
        }
    }
    remove_files(connection, domain);
    return 0;
}
