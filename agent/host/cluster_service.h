/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster that a plugin is lent: the client is opened with the first request, for most plugins never ask. Any thread.
 */
#ifndef HOST_CLUSTER_SERVICE_H
#define HOST_CLUSTER_SERVICE_H

#include <firn/plugin.h>

struct cluster_service;
struct firn_error;

/* kubeconfig, context: as in struct kube_options; borrowed until the service is freed; NULL: not given. */
struct cluster_service *cluster_service_new(const char *kubeconfig, const char *context);
void cluster_service_free(struct cluster_service *service); /* NULL is fine */

/* One request. *text: the answer, the caller's. Errors as in kube/status.h; NOTFOUND also if there is no cluster. */
int cluster_service_request(struct cluster_service *service,
                            const struct firn_kube_request *request, char **text, size_t *length,
                            struct firn_error **err);

#endif
