/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes: the few kinds of failure that a caller can act on. A code says what the caller may
 * do next; the message that goes with it says what was being done, to what, and what the user can
 * do.
 */
#ifndef FIRN_ERROR_H
#define FIRN_ERROR_H

enum firn_code {
    FIRN_NOTFOUND = 1,  /* what was asked for does not exist: create it, or name another */
    FIRN_CONFLICT = 2,  /* somebody else holds or changed it: look again, then decide */
    FIRN_DENIED = 3,    /* a right, a key or a credential is missing or wrong */
    FIRN_RETRY = 4,     /* it may work later, unchanged */
    FIRN_CORRUPT = 5,   /* stored or received bytes are not what they were */
    FIRN_CANCELLED = 6, /* the user or the host asked to stop */
    FIRN_INVALID = 7,   /* the request itself is wrong: change it */
    FIRN_INTERNAL = 8,  /* the system failed (I/O, memory, a library): the message tells how */
};

#endif
