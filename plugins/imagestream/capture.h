/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture: walks from what a reference names to everything that it leads to, and gives it to the
 * sink.
 */
#ifndef IMAGESTREAM_CAPTURE_H
#define IMAGESTREAM_CAPTURE_H

struct firn_capture;
struct firn_error;
struct firn_host;
struct firn_sink;
struct names;
struct reference;
struct registry;

int capture_images(const struct firn_host *host, const struct firn_capture *request,
                   struct firn_sink *sink, struct firn_error **err);
/* The repositories that a reference of a registry or a namespace stands for. */
int capture_repositories(struct registry *registry, const struct reference *reference,
                         struct names *out, struct firn_error **err);

#endif
