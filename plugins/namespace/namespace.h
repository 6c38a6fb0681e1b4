/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this plugin share. A snapshot of a namespace holds:
 *
 *     namespace            document: the Namespace itself
 *     deployments.apps     stream: a List of all objects of one kind, cleaned, in the order of their names; what kubectl apply
 *     configmaps …         takes. One for each kind that has any
 *     report               document: what was left out, and why
 */
#ifndef NAMESPACE_NAMESPACE_H
#define NAMESPACE_NAMESPACE_H

#include <firn/plugin.h>

struct cluster;
struct firn_error;

#define NAMESPACE_DOCUMENT "namespace"
#define REPORT_DOCUMENT    "report"
#define MANIFEST_TYPE      "application/json"

int capture_namespace(const struct cluster *cluster, const struct firn_capture *request,
                      struct firn_sink *sink, struct firn_error **err);
int restore_namespace(const struct cluster *cluster, const struct firn_restore *request,
                      struct firn_source *source, struct firn_error **err);

/* The code of an error whose reason the host knows already. */
#define FIRN_UNSAID ((enum firn_code)0)

#endif
