/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Challenges: what a registry asks for in WWW-Authenticate (RFC 9110, 11.6.1; distribution's token
 * specification).
 */
#ifndef IMAGESTREAM_CHALLENGE_H
#define IMAGESTREAM_CHALLENGE_H

enum challenge_scheme { CHALLENGE_NONE = 0, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
    enum challenge_scheme scheme;
    char *realm; /* of Bearer: the URL of the token service */
    char *service;
    char *scope;
    char *error; /* why a token or a password was refused */
};
#define auto_challenge __attribute__((cleanup(challenge_free)))

/* Reads one header's value, which may hold several challenges. *out keeps the strongest seen so far
 * (Bearer, then Basic), so that several headers are read by several calls on the same *out (zeroed
 * at first). Garbage is skipped. */
void challenge_read(const char *value, struct challenge *out);
void challenge_free(struct challenge *challenge);

#endif
