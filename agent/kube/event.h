/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events (events.k8s.io/v1): what happened to an object, for `kubectl describe`. One that repeats is
 * counted in its series: the server hears of it at most once a minute, and at the end. Any thread.
 */
#ifndef KUBE_EVENT_H
#define KUBE_EVENT_H

#include <stdbool.h>

struct firn_error;
struct json_object;
struct kube_client;
struct kube_recorder;

struct kube_event {
    struct json_object *regarding; /* the object; borrowed */
    bool warning;                  /* type Warning, else Normal */
    const char *reason;            /* UpperCamelCase, for programs: BackupFailed */
    const char *action;            /* what was being done: Freeze */
    const char *note;              /* for people, at most 1024 bytes (cut) */
};

/* controller: "firn.dev/agent"; instance: the pod's name. The client must outlive it. */
struct kube_recorder *kube_recorder_new(struct kube_client *client, const char *controller,
                                        const char *instance);
/* Tells the server what repetitions it does not know of yet. */
void kube_recorder_free(struct kube_recorder *recorder); /* NULL is fine */
/* Records it. An event is a courtesy: whoever gets an error goes on. */
int kube_event(struct kube_recorder *recorder, const struct kube_event *event,
               struct firn_error **err);

#endif
