/* SPDX-License-Identifier: Apache-2.0 */
#include "vir.h"

#include "core/mem.h"

static enum firn_code code_of(int code)
{
    switch (code) {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_DOMAIN_CHECKPOINT:
    case VIR_ERR_NO_DOMAIN_METADATA:
        return FIRN_NOTFOUND;
    case VIR_ERR_DOM_EXIST:
        return FIRN_CONFLICT;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return FIRN_DENIED;
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_SYSTEM_ERROR:
        return FIRN_RETRY;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_INVALID_ARG:
        return FIRN_INVALID;
    default:
        return FIRN_INTERNAL;
    }
}

void vir_error(struct firn_error **err, const char *format, ...)
{
    virErrorPtr last = virGetLastError();
    va_list arguments;
    va_start(arguments, format);
    auto_free char *what = mem_vprintf(format, arguments);
    va_end(arguments);
    if (last == NULL || last->message == NULL)
        error_set(err, FIRN_INTERNAL, "%s: libvirt gives no reason", what);
    else
        error_set(err, code_of(last->code), "%s: %s", what, last->message);
}

void vir_connect_release(virConnectPtr *connection)
{
    if (*connection != NULL)
        virConnectClose(*connection);
}

void vir_domain_release(virDomainPtr *domain)
{
    if (*domain != NULL)
        virDomainFree(*domain);
}

void vir_checkpoint_release(virDomainCheckpointPtr *checkpoint)
{
    if (*checkpoint != NULL)
        virDomainCheckpointFree(*checkpoint);
}

void vir_domains_release(struct vir_domains *domains)
{
    for (int i = 0; i < domains->count; i++)
        virDomainFree(domains->list[i]);
    free(domains->list);
}

static void ignore(void *context, virErrorPtr error)
{
    (void)context;
    (void)error;
}

void vir_silence(void)
{
    virSetErrorFunc(NULL, ignore);
}
