/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "mem.h"
#include "utf8.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define LINE_LIMIT 65536

static struct {
    pthread_mutex_t lock; /* held for one line, so that lines and display do not mix */
    enum log_format format;
    enum firn_log_level least;
    void (*clear)(void);
    void (*redraw)(void);
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .format = LOG_TEXT, .least = FIRN_LOG_INFO};

static _Thread_local struct {
    char run[64];
    char item[256];
} context;

void log_init(enum log_format format, enum firn_log_level least)
{
    pthread_mutex_lock(&state.lock);
    state.format = format;
    state.least = least;
    pthread_mutex_unlock(&state.lock);
}

void log_show(enum firn_log_level level)
{
    pthread_mutex_lock(&state.lock);
    if (level < state.least)
        state.least = level;
    pthread_mutex_unlock(&state.lock);
}

static void copy_name(char *out, size_t size, const char *name)
{
    size_t length = name == NULL ? 0 : strnlen(name, size - 1);
    if (length > 0)
        memcpy(out, name, length);
    out[length] = '\0';
}

void log_context(const char *run, const char *item)
{
    copy_name(context.run, sizeof(context.run), run);
    copy_name(context.item, sizeof(context.item), item);
}

void log_display(void (*clear)(void), void (*redraw)(void))
{
    pthread_mutex_lock(&state.lock);
    state.clear = clear;
    state.redraw = redraw;
    pthread_mutex_unlock(&state.lock);
}

static const char *level_name(enum firn_log_level level)
{
    switch (level) {
    case FIRN_LOG_DEBUG:
        return "debug";
    case FIRN_LOG_INFO:
        return "info";
    case FIRN_LOG_WARNING:
        return "warning";
    case FIRN_LOG_ERROR:
        return "error";
    }
    return "info";
}

/* Appends the character at `text`, spelled out if it is no character or controls something. Returns its length. */
static size_t append_character(struct buf *line, const uint8_t *text, size_t left)
{
    size_t length = utf8_character(text, left);
    bool control = text[0] < 0x20 || text[0] == 0x7f || (text[0] == 0xc2 && text[1] < 0xa0);
    if (length > 0 && !control) {
        buf_append(line, text, length);
        return length;
    }
    buf_printf(line, "\\x%02x", text[0]);
    return 1;
}

/* Messages quote foreign text: nothing in it may end the line, move the cursor, or break the JSON. */
static void append_clean(struct buf *line, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    for (size_t left = strlen(text); left > 0;) {
        size_t length = append_character(line, at, left);
        at += length;
        left -= length;
    }
}

static void write_text(struct buf *line, enum firn_log_level level, const char *message)
{
    char time[CLOCK_TEXT_LENGTH];
    clock_format(clock_now(), time);
    buf_printf(line, "%s %-7s ", time, level_name(level));
    if (context.run[0] != '\0')
        buf_printf(line, "%s ", context.run);
    if (context.item[0] != '\0')
        buf_printf(line, "%s: ", context.item);
    buf_puts(line, message);
    buf_putc(line, '\n');
}

static void write_json(struct buf *line, enum firn_log_level level, const char *message)
{
    char time[CLOCK_TEXT_LENGTH];
    clock_format(clock_now(), time);
    auto_json struct json_object *object = json_object_new_object();
    json_set_string(object, "time", time);
    json_set_string(object, "level", level_name(level));
    json_set_string(object, "run", context.run[0] == '\0' ? NULL : context.run);
    json_set_string(object, "item", context.item[0] == '\0' ? NULL : context.item);
    json_set_string(object, "message", message);
    json_write(line, object);
    buf_putc(line, '\n');
}

/* What standard error does not take is lost: there is nowhere left to say so. */
static void emit(const struct buf *line)
{
    const char *at = buf_text(line);
    size_t left = line->length;
    while (left > 0) {
        ssize_t put = write(STDERR_FILENO, at, left);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return;
        at += put;
        left -= (size_t)put;
    }
}

void log_line(enum firn_log_level level, const char *format, ...)
{
    pthread_mutex_lock(&state.lock);
    bool wanted = level >= state.least;
    bool json = state.format == LOG_JSON;
    pthread_mutex_unlock(&state.lock);
    if (!wanted)
        return;
    va_list arguments;
    va_start(arguments, format);
    auto_free char *raw = mem_vprintf(format, arguments);
    va_end(arguments);
    auto_buf struct buf message = buf_new(LINE_LIMIT);
    append_clean(&message, raw);
    auto_buf struct buf line = buf_new(8 * LINE_LIMIT);
    (json ? write_json : write_text)(&line, level, buf_text(&message));

    pthread_mutex_lock(&state.lock);
    if (state.clear != NULL)
        state.clear();
    emit(&line);
    if (state.redraw != NULL)
        state.redraw();
    pthread_mutex_unlock(&state.lock);
}
