/* SPDX-License-Identifier: Apache-2.0 */
#include "display.h"

#include "cli.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "host/progress.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LINE_EVERY 10000 /* ms, off a terminal */
#define BAR_EVERY  200   /* ms */
#define BAR_WIDTH  24u

struct display {
    char *label;
    struct progress *progress;
    bool bar, json;
    /* the rate, over the last few seconds */
    int64_t rate_time;
    uint64_t rate_done;
    double rate;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

/* The thread draws the bar again within BAR_EVERY. */
static void clear_bar(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

static void update_rate(struct display *display, uint64_t done)
{
    int64_t now = clock_monotonic();
    int64_t passed = now - display->rate_time;
    if (passed < 1000)
        return;
    double current = (double)(done - display->rate_done) * 1000 / (double)passed;
    display->rate = display->rate == 0 ? current : 0.7 * display->rate + 0.3 * current;
    display->rate_time = now;
    display->rate_done = done;
}

/* "1.2 GiB of 4.0 GiB, 310 MiB/s, 9 s left" */
static void describe(const struct display *display, const struct progress_view *view,
                     struct buf *out)
{
    char done[SIZE_TEXT_LENGTH], total[SIZE_TEXT_LENGTH], rate[SIZE_TEXT_LENGTH],
        left[DURATION_TEXT_LENGTH];
    size_format(view->done, done);
    size_format(view->total, total);
    size_format((uint64_t)display->rate, rate);
    if (view->total > 0)
        buf_printf(out, "%s of %s", done, total);
    if (display->rate >= 1)
        buf_printf(out, ", %s/s", rate);
    if (display->rate >= 1 && view->total > view->done) {
        duration_format((int64_t)((double)(view->total - view->done) / display->rate * 1000), left);
        buf_printf(out, ", %s left", left);
    }
    if (view->step[0] != '\0')
        buf_printf(out, "%s%s", out->length > 0 ? "  " : "", view->step);
}

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* The bar takes the room that label and figures leave. */
static void put_bar(struct buf *line, const struct progress_view *view, size_t room)
{
    size_t width = room > BAR_WIDTH ? BAR_WIDTH : room < 5 ? 5 : room;
    uint64_t done = view->done < view->total ? view->done : view->total;
    double share = (double)done / (double)view->total;
    size_t filled = (size_t)(share * (double)width);
    buf_putc(line, '[');
    for (size_t i = 0; i < width; i++)
        buf_putc(line, i < filled ? '=' : i == filled ? '>' : ' ');
    buf_printf(line, "] %3u %%  ", (unsigned)(share * 100));
}

static void draw_bar(const struct display *display, const struct progress_view *view)
{
    auto_buf struct buf figures = buf_new(512);
    auto_buf struct buf line = buf_new(1024);
    size_t width = terminal_width() - 1;
    describe(display, view, &figures);
    buf_printf(&line, "%.40s  ", display->label);
    size_t taken = line.length + figures.length + sizeof("[] 100 %  ") - 1;
    if (view->total > 0)
        put_bar(&line, view, taken < width ? width - taken : 0);
    buf_puts(&line, buf_text(&figures));
    fprintf(stderr, "\r\033[K%.*s", (int)width, buf_text(&line));
    fflush(stderr);
}

static void write_line(const struct display *display, const struct progress_view *view)
{
    auto_buf struct buf figures = buf_new(512);
    describe(display, view, &figures);
    if (display->json)
        log_info("%s: %s", display->label, buf_text(&figures));
    else
        fprintf(stderr, "%s: %s\n", display->label, buf_text(&figures));
}

static bool wait(struct display *display)
{
    struct timespec until;
    int64_t pause = display->bar ? BAR_EVERY : LINE_EVERY;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + pause * 1000000;
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    pthread_mutex_lock(&display->lock);
    int woken = 0;
    while (!display->stopping && woken == 0)
        woken = pthread_cond_timedwait(&display->wake, &display->lock, &until);
    bool stopping = display->stopping;
    pthread_mutex_unlock(&display->lock);
    return !stopping;
}

static void *show(void *argument)
{
    struct display *display = argument;
    while (wait(display)) {
        struct progress_view view = progress_look(display->progress);
        update_rate(display, view.done);
        if (display->bar)
            draw_bar(display, &view);
        else
            write_line(display, &view);
    }
    return NULL;
}

struct display *display_start(const struct cli *cli, const char *label, struct progress *progress)
{
    if (cli->quiet)
        return NULL;
    const char *format = argument_text(cli->arguments, "log-format");
    struct display *display = mem_zalloc(sizeof(*display));
    display->label = mem_strdup(label);
    display->progress = progress;
    display->json = format != NULL && strcmp(format, "json") == 0;
    display->bar = !display->json && isatty(STDERR_FILENO) == 1;
    display->rate_time = clock_monotonic();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&display->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&display->lock, NULL);
    if (display->bar)
        log_display(clear_bar, NULL);
    if (pthread_create(&display->thread, NULL, show, display) != 0)
        abort();
    return display;
}

void display_stop(struct display *display)
{
    if (display == NULL)
        return;
    pthread_mutex_lock(&display->lock);
    display->stopping = true;
    pthread_cond_signal(&display->wake);
    pthread_mutex_unlock(&display->lock);
    pthread_join(display->thread, NULL);
    if (display->bar) {
        log_display(NULL, NULL);
        clear_bar();
    }
    pthread_cond_destroy(&display->wake);
    pthread_mutex_destroy(&display->lock);
    free(display->label);
    free(display);
}
