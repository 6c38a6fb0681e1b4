/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector: a step of every round that there is, and the beginning of a new one (docs/collection.md). Needs no key.
 */
#ifndef REPO_COLLECT_H
#define REPO_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

struct firn_error;
struct repo;

struct collect_options {
    int64_t grace;   /* ms, at least COLLECTION_GRACE_LEAST */
    int64_t min_age; /* ms */
    bool exclusive;  /* nothing else runs: no grace, no least age */
    bool dry_run;    /* only look */
};

struct collect_sum {
    uint64_t packs, bytes;
};

struct collect_result {
    int64_t now; /* by the store's clock */
    uint64_t snapshots;
    struct collect_sum alive;
    struct collect_sum
        young; /* not alive, and not to be condemned: too young, or named by what is too young */
    struct collect_sum condemned; /* by this run */
    struct collect_sum waiting;   /* condemned before, and not due or not decided */
    struct collect_sum pardoned;  /* condemned, and something relies on them again */
    struct collect_sum removed;
    struct collect_sum refused; /* to be removed, and the store does not let go of them */
    char *refusal;              /* why, of one of them; NULL: none */
    char *undecided;            /* why rounds that are due were not decided; NULL: they were */
    int64_t due;                /* when the next round is, by the store's clock; 0: none waits */
    uint32_t missing;           /* packs that snapshots rely on, and that are not there */
};

/* step: what is being done, static; done of total bytes, both 0: not counted. */
typedef void collect_progress(void *context, const char *step, uint64_t done, uint64_t total);

/* -1: what it had done so far stands. CORRUPT: what snapshots rely on cannot be known, or a verdict is damaged; nothing was
 * condemned or removed. progress may be NULL; it is called by any thread, but one at a time. */
int collect_run(struct repo *repo, const struct collect_options *options,
                collect_progress *progress, void *context, struct collect_result *result,
                struct firn_error **err);
void collect_result_free(struct collect_result *result); /* what it holds */

#endif
