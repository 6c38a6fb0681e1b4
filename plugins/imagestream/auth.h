/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Auth: what Firn puts into Authorization, and what it does when the registry wants something else.
 *
 *     no credentials ─► 401 Bearer realm ─► token service ─► Bearer, renewed before it expires
 *                   └─► 401 Basic        ─► Basic
 *
 * OpenShift answers a bad token and a missing right alike with a 401 and a Basic challenge: what
 * was refused with fresh credentials is refused for good.
 */
#ifndef IMAGESTREAM_AUTH_H
#define IMAGESTREAM_AUTH_H

#include <stdbool.h>

struct answer;
struct auth;
struct credentials;
struct firn_error;
struct transport;

struct authorization {
    char *value; /* NULL: none is needed, as far as is known */
    bool fresh;  /* made for this very request: if it is refused, there is nothing better */
};
#define auto_authorization __attribute__((cleanup(authorization_free)))
void authorization_free(struct authorization *authorization);

/* credentials are consumed; transport and registry are borrowed. Thread-safe, like all of this. */
struct auth *auth_new_take(const struct transport *transport, const char *registry,
                           struct credentials *credentials);
void auth_free(struct auth *auth);

/* What to send for a scope: "repository:NAME:pull,push", several joined by blanks. */
int auth_authorize(struct auth *auth, const char *scope, struct authorization *out,
                   struct firn_error **err);
/* Learns from a 401. 0: authorize again and repeat the request; -1 with DENIED: there is no way in,
 * and why. */
int auth_refused(struct auth *auth, const char *scope, const struct answer *answer,
                 const struct authorization *sent, struct firn_error **err);

#endif
