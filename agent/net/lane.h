/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes: libcurl handles, each with the connections that it keeps open, lent to one exchange at a
 * time. All share the DNS and TLS session caches; libcurl does not let threads share connections,
 * so an exchange gets the lane that was last used for its host.
 */
#ifndef NET_LANE_H
#define NET_LANE_H

#include <curl/curl.h>

struct firn_error;
struct lanes; /* any thread may use it */

struct lane {
    struct lane *next;
    char *key; /* what it was last used for */
    CURLM *multi;
    CURL *easy; /* reset, but for its connections */
};

struct lanes *lanes_new(void);
void lanes_free(struct lanes *lanes); /* every lane must be back; NULL is fine */
/* A lane, if possible one last used for key. INTERNAL if libcurl has no memory for another. */
int lanes_borrow(struct lanes *lanes, const char *key, struct lane **out, struct firn_error **err);
void lanes_return(struct lanes *lanes, struct lane *lane);

#endif
