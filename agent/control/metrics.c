/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "core/buf.h"
#include "core/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS_MAX 24u

static const double seconds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 0};

struct series {
    const struct metric *metric;
    char *values[METRIC_LABELS_MAX];
    double value;     /* of a histogram: the sum */
    uint64_t *counts; /* of a histogram: for each bucket, then for all */
};

struct metrics {
    pthread_mutex_t lock;
    struct series *series; /* sorted by family and labels */
    size_t count, capacity;
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_zalloc(sizeof(*metrics));
    pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

static void series_clear(struct series *series)
{
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        free(series->values[i]);
    free(series->counts);
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < metrics->count; i++)
        series_clear(&metrics->series[i]);
    free(metrics->series);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static const double *bounds_of(const struct metric *metric)
{
    return metric->bounds != NULL ? metric->bounds : seconds;
}

static size_t bucket_count(const struct metric *metric)
{
    size_t count = 0;
    while (count < BUCKETS_MAX && bounds_of(metric)[count] != 0)
        count++;
    return count;
}

static size_t label_count(const struct metric *metric)
{
    size_t count = 0;
    while (count < METRIC_LABELS_MAX && metric->labels[count] != NULL)
        count++;
    return count;
}

static int compare(const struct series *series, const struct metric *metric,
                   const char *const *values)
{
    int order = strcmp(series->metric->name, metric->name);
    for (size_t i = 0; order == 0 && i < label_count(metric); i++)
        order = strcmp(series->values[i], values[i]);
    return order;
}

/* The place of the series, or where it belongs. */
static size_t place_of(const struct metrics *metrics, const struct metric *metric,
                       const char *const *values)
{
    size_t low = 0, high = metrics->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&metrics->series[middle], metric, values) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct series *touch(struct metrics *metrics, const struct metric *metric,
                            const char *const *values)
{
    size_t place = place_of(metrics, metric, values);
    struct series *series = metrics->series + place;
    if (place < metrics->count && compare(series, metric, values) == 0)
        return series;
    if (metrics->count == metrics->capacity) {
        metrics->capacity = metrics->capacity > 0 ? metrics->capacity * 2 : 64;
        metrics->series = mem_resize(metrics->series, metrics->capacity, sizeof(*metrics->series));
        series = metrics->series + place;
    }
    memmove(series + 1, series, (metrics->count - place) * sizeof(*series));
    metrics->count++;
    *series = (struct series){.metric = metric};
    for (size_t i = 0; i < label_count(metric); i++)
        series->values[i] = mem_strdup(values[i]);
    if (metric->type == METRIC_HISTOGRAM)
        series->counts = mem_array(bucket_count(metric) + 1, sizeof(*series->counts));
    return series;
}

static void observe(struct series *series, double value)
{
    size_t buckets = bucket_count(series->metric);
    series->value += value;
    series->counts[buckets]++;
    for (size_t i = 0; i < buckets; i++)
        if (value <= bounds_of(series->metric)[i])
            series->counts[i]++;
}

/* Sums up, replaces or observes, as `how` says. */
enum how { ADD, SET, OBSERVE };

static void change(struct metrics *metrics, const struct metric *metric, enum how how, double value,
                   va_list arguments)
{
    const char *values[METRIC_LABELS_MAX];
    for (size_t i = 0; i < label_count(metric); i++)
        values[i] = va_arg(arguments, const char *);
    pthread_mutex_lock(&metrics->lock);
    struct series *series = touch(metrics, metric, values);
    if (how == OBSERVE)
        observe(series, value);
    else
        series->value = how == ADD ? series->value + value : value;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_add(struct metrics *metrics, const struct metric *metric, double value, ...)
{
    va_list arguments;
    va_start(arguments, value);
    change(metrics, metric, ADD, value, arguments);
    va_end(arguments);
}

void metrics_set(struct metrics *metrics, const struct metric *metric, double value, ...)
{
    va_list arguments;
    va_start(arguments, value);
    change(metrics, metric, SET, value, arguments);
    va_end(arguments);
}

void metrics_observe(struct metrics *metrics, const struct metric *metric, double value, ...)
{
    va_list arguments;
    va_start(arguments, value);
    change(metrics, metric, OBSERVE, value, arguments);
    va_end(arguments);
}

static bool begins_with(const struct series *series, const struct metric *metric,
                        const char *const *values, size_t count)
{
    if (strcmp(series->metric->name, metric->name) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(series->values[i], values[i]) != 0)
            return false;
    return true;
}

void metrics_forget(struct metrics *metrics, const struct metric *metric, ...)
{
    const char *values[METRIC_LABELS_MAX];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, metric);
    for (const char *value = va_arg(arguments, const char *);
         value != NULL && count < label_count(metric); value = va_arg(arguments, const char *))
        values[count++] = value;
    va_end(arguments);
    pthread_mutex_lock(&metrics->lock);
    size_t kept = 0;
    for (size_t i = 0; i < metrics->count; i++) {
        if (begins_with(&metrics->series[i], metric, values, count))
            series_clear(&metrics->series[i]);
        else
            metrics->series[kept++] = metrics->series[i];
    }
    metrics->count = kept;
    pthread_mutex_unlock(&metrics->lock);
}

/* -------------------------------------------------------------------------------------------------------------- writing */

static void write_escaped(struct buf *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buf_puts(out, "\\\\");
        else if (*text == '\n')
            buf_puts(out, "\\n");
        else if (*text == '"' && quotes)
            buf_puts(out, "\\\"");
        else
            buf_putc(out, *text);
    }
}

static void write_number(struct buf *out, double value)
{
    if (value > -1e15 && value < 1e15 && (double)(int64_t)value == value)
        buf_printf(out, "%lld", (long long)value);
    else
        buf_printf(out, "%.9g", value);
}

/* {a="1",b="2"}; `bound`: with a bucket's label behind them, NULL without. */
static void write_labels(struct buf *out, const struct series *series, const char *bound)
{
    size_t count = label_count(series->metric);
    if (count == 0 && bound == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%c%s=\"", i == 0 ? '{' : ',', series->metric->labels[i]);
        write_escaped(out, series->values[i], true);
        buf_putc(out, '"');
    }
    if (bound != NULL)
        buf_printf(out, "%cle=\"%s\"", count == 0 ? '{' : ',', bound);
    buf_putc(out, '}');
}

static void write_line(struct buf *out, const struct series *series, const char *suffix,
                       const char *bound, double value)
{
    buf_printf(out, "%s%s", series->metric->name, suffix);
    write_labels(out, series, bound);
    buf_putc(out, ' ');
    write_number(out, value);
    buf_putc(out, '\n');
}

static void write_series(struct buf *out, const struct series *series)
{
    if (series->metric->type != METRIC_HISTOGRAM) {
        write_line(out, series, "", NULL, series->value);
        return;
    }
    size_t buckets = bucket_count(series->metric);
    for (size_t i = 0; i < buckets; i++) {
        char bound[32];
        snprintf(bound, sizeof(bound), "%g", bounds_of(series->metric)[i]);
        write_line(out, series, "_bucket", bound, (double)series->counts[i]);
    }
    write_line(out, series, "_bucket", "+Inf", (double)series->counts[buckets]);
    write_line(out, series, "_sum", NULL, series->value);
    write_line(out, series, "_count", NULL, (double)series->counts[buckets]);
}

void metrics_write(struct metrics *metrics, struct buf *out)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    pthread_mutex_lock(&metrics->lock);
    const struct metric *family = NULL;
    for (size_t i = 0; i < metrics->count; i++) {
        const struct series *series = &metrics->series[i];
        if (family != series->metric) {
            family = series->metric;
            buf_printf(out, "# HELP %s ", family->name);
            write_escaped(out, family->help, false);
            buf_printf(out, "\n# TYPE %s %s\n", family->name, types[family->type]);
        }
        write_series(out, series);
    }
    pthread_mutex_unlock(&metrics->lock);
}
