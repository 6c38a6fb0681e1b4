/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object `config`: says that there is a repository, and which. In the clear, so nothing secret
 * may rest on it: the id in it is proven by the key slots, which open under that id only.
 */
#ifndef REPO_CONFIG_H
#define REPO_CONFIG_H

#include "format.h"
#include "store/lock.h"
#include "store/store.h"

#include <stdint.h>

struct firn_error;

struct config {
    uint8_t id[FORMAT_ID_LENGTH];
    int64_t created; /* ms since 1970 */
    struct store_abilities abilities;
    struct lock_rule lock;
};

/* NOTFOUND: no repository there. CORRUPT: not a config. INVALID: a format that this version does not know. */
int config_read(struct store *store, struct config *out, struct firn_error **err);
/* CONFLICT: there is one already. */
int config_write(struct store *store, const struct config *config, struct firn_error **err);

#endif
