/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a cluster is and who we are there: what a kubeconfig file or the ServiceAccount of a pod
 * comes to. Which of them:
 *
 *     options.kubeconfig    that file alone
 *     $KUBECONFIG           a list of files, merged as kubectl does: of two entries of one name the first counts, whole
 *     ~/.kube/config        if it is there
 *     in the cluster        if this is a pod: $KUBERNETES_SERVICE_HOST and the ServiceAccount's files
 *
 * Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include <stdbool.h>

struct firn_error;
struct json_object;

/* What the command line says; NULL: nothing. Borrowed. */
struct kube_options {
    const char *kubeconfig;
    const char *context;
    const char *namespace;
};

/* All strings are its own; NULL: not set. Paths are absolute, or relative to the working directory. */
struct kube_config {
    char *source;    /* "context lab of /root/.kube/config", "the ServiceAccount of this pod" */
    char *server;    /* URL, without a slash at its end */
    char *namespace; /* the one to use where none is named: never NULL */

    char *ca;      /* PEM text */
    char *ca_file; /* read again when it changes */
    char *server_name;
    char *proxy;
    bool unverified;

    char *certificate; /* PEM text; key and certificate each as text or as a file */
    char *certificate_file;
    char *key;
    char *key_file;
    char *token;
    char *token_file; /* counts before token; read again as it rotates */
    char *username;
    char *password;
    char *impersonate;
    struct json_object *impersonate_groups; /* array of strings */
    struct json_object *exec;               /* users[].user.exec as it stands */
    struct json_object *exec_config;        /* what the cluster's entry holds for exec plugins */
    char *
        exec_folder; /* of the file that exec came from: a command with a slash is relative to it */
};
#define auto_kube_config __attribute__((cleanup(kube_config_free_pointer)))

/* NOTFOUND if there is no cluster to be found, INVALID what is wrong in a file, and where. A choice that gives up
 * verification is logged as a warning. */
int kube_config_load(const struct kube_options *options, struct kube_config **out,
                     struct firn_error **err);
/* One text in the format of kubeconfig files, without the machine's files and environment.
 * `folder` is what its relative paths start from. */
int kube_config_parse(const char *text, const char *folder, const struct kube_options *options,
                      struct kube_config **out, struct firn_error **err);
void kube_config_free(struct kube_config *config); /* wipes secrets; NULL is fine */
void kube_config_free_pointer(struct kube_config **config);

#endif
