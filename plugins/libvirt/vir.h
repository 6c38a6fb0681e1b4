/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvirt in the manner of this house: its errors as ours, its references released by attributes.
 */
#ifndef PLUGIN_LIBVIRT_VIR_H
#define PLUGIN_LIBVIRT_VIR_H

#include "core/error.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

/* fail() with the last error of libvirt of this thread appended, and the code derived from it. */
#define fail_vir(err, ...) (vir_error((err), __VA_ARGS__), -1)
void vir_error(struct firn_error **err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define auto_connect    __attribute__((cleanup(vir_connect_release)))
#define auto_domain     __attribute__((cleanup(vir_domain_release)))
#define auto_checkpoint __attribute__((cleanup(vir_checkpoint_release)))
void vir_connect_release(virConnectPtr *connection);
void vir_domain_release(virDomainPtr *domain);
void vir_checkpoint_release(virDomainCheckpointPtr *checkpoint);

/* A list as virConnectListAllDomains() gives it. */
struct vir_domains {
    virDomainPtr *list;
    int count;
};
#define auto_domains __attribute__((cleanup(vir_domains_release)))
void vir_domains_release(struct vir_domains *domains);

/* Keeps libvirt from writing its errors to standard error. */
void vir_silence(void);

#endif
