/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: the text that Prometheus reads. */
#include "unit/unit.h"

#include "control/metrics.h"
#include "core/buf.h"

static const struct metric runs = {
    METRIC_COUNTER, "firn_test_runs_total", "Runs, \\ and\nmore.", {"policy", "result"}, NULL};
static const struct metric depth = {METRIC_GAUGE, "firn_test_depth", "Depth.", {NULL}, NULL};
static const double bounds[] = {0.5, 2, 0};
static const struct metric times = {
    METRIC_HISTOGRAM, "firn_test_seconds", "Times.", {"verb"}, bounds};

static void expect_written(struct metrics *metrics, const char *wanted)
{
    auto_buf struct buf out = buf_new(65536);
    metrics_write(metrics, &out);
    expect_text(out.data != NULL ? out.data : "", wanted);
}

static void test_written(void)
{
    struct metrics *metrics = metrics_new();
    expect_written(metrics, "");
    metrics_add(metrics, &runs, 1, "weekly", "Failed");
    metrics_add(metrics, &runs, 1, "a \"b\"\\\n", "Succeeded");
    metrics_add(metrics, &runs, 2, "weekly", "Failed");
    metrics_set(metrics, &depth, 4);
    metrics_set(metrics, &depth, 2.5);
    metrics_observe(metrics, &times, 0.5, "GET");
    metrics_observe(metrics, &times, 1, "GET");
    metrics_observe(metrics, &times, 100, "GET");
    expect_written(metrics,
                   "# HELP firn_test_depth Depth.\n"
                   "# TYPE firn_test_depth gauge\n"
                   "firn_test_depth 2.5\n"
                   "# HELP firn_test_runs_total Runs, \\\\ and\\nmore.\n"
                   "# TYPE firn_test_runs_total counter\n"
                   "firn_test_runs_total{policy=\"a \\\"b\\\"\\\\\\n\",result=\"Succeeded\"} 1\n"
                   "firn_test_runs_total{policy=\"weekly\",result=\"Failed\"} 3\n"
                   "# HELP firn_test_seconds Times.\n"
                   "# TYPE firn_test_seconds histogram\n"
                   "firn_test_seconds_bucket{verb=\"GET\",le=\"0.5\"} 1\n"
                   "firn_test_seconds_bucket{verb=\"GET\",le=\"2\"} 2\n"
                   "firn_test_seconds_bucket{verb=\"GET\",le=\"+Inf\"} 3\n"
                   "firn_test_seconds_sum{verb=\"GET\"} 101.5\n"
                   "firn_test_seconds_count{verb=\"GET\"} 3\n");
    metrics_free(metrics);
}

static void test_forgotten(void)
{
    struct metrics *metrics = metrics_new();
    metrics_add(metrics, &runs, 1, "a", "Failed");
    metrics_add(metrics, &runs, 1, "a", "Succeeded");
    metrics_add(metrics, &runs, 1, "b", "Succeeded");
    metrics_set(metrics, &depth, 1);
    metrics_forget(metrics, &runs, "a", NULL);
    expect_written(metrics, "# HELP firn_test_depth Depth.\n"
                            "# TYPE firn_test_depth gauge\n"
                            "firn_test_depth 1\n"
                            "# HELP firn_test_runs_total Runs, \\\\ and\\nmore.\n"
                            "# TYPE firn_test_runs_total counter\n"
                            "firn_test_runs_total{policy=\"b\",result=\"Succeeded\"} 1\n");
    metrics_free(metrics);
}

static void test_many(void)
{
    struct metrics *metrics = metrics_new();
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "p%d", i * 7919 % 1000);
        metrics_add(metrics, &runs, 1, name, "Succeeded");
        metrics_observe(metrics, &times, i, name);
    }
    auto_buf struct buf out = buf_new(1 << 20);
    metrics_write(metrics, &out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "{policy=\"p999\",result=\"Succeeded\"} 1\n"));
    size_t lines = 0;
    for (const char *line = out.data; (line = strchr(line, '\n')) != NULL; line++)
        lines++;
    CU_ASSERT_EQUAL(lines, 4 + 1000 + 5 * 1000);
    metrics_free(metrics);
}

static const struct unit_test tests[] = {
    {"the text", test_written},
    {"series that are forgotten", test_forgotten},
    {"many series", test_many},
};

int main(void)
{
    return unit_run("metrics", tests, array_length(tests));
}
