/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics in the text format of Prometheus (version 0.0.4): counters, gauges and histograms with labels.
 *
 * A family is declared once, statically; its series come to be when they are first touched. Labels are given in the order of
 * the family's names:
 *
 *     static struct metric runs = {METRIC_COUNTER, "firn_runs_total", "Backups that ended.", "namespace", "policy", "result"};
 *     metrics_add(metrics, &runs, 1, "shop", "nightly", "Succeeded");
 *
 * Thread-safe.
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include <stddef.h>

struct buf;
struct metrics;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX 4

struct metric {
    enum metric_type type;
    const char *name; /* by the conventions: a unit behind it, _total behind counters */
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; /* names; NULL behind the last */
    const double *
        bounds; /* of a histogram's buckets, rising; 0 behind the last; NULL: seconds, 5 ms to 10 s */
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* As many label values (const char *) follow as the family has labels. */
void metrics_add(struct metrics *metrics, const struct metric *metric, double value, ...);
void metrics_set(struct metrics *metrics, const struct metric *metric, double value, ...);
void metrics_observe(struct metrics *metrics, const struct metric *metric, double value, ...);
/* Forgets every series of the family whose first labels have these values; the list ends with NULL. For what is deleted. */
void metrics_forget(struct metrics *metrics, const struct metric *metric, ...);

/* All of it, families and series in the order of their names. */
void metrics_write(struct metrics *metrics, struct buf *out);

#endif
