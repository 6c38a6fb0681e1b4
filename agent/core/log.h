/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines for whoever runs Firn, on standard error, as text or as one JSON object a line.
 * Every line carries the run and the item of the thread that wrote it. Secrets are never logged. A
 * function returns an error or logs it, never both.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <firn/plugin.h> /* enum firn_log_level */

enum log_format { LOG_TEXT, LOG_JSON };

void log_init(enum log_format format, enum firn_log_level least);
/* Lines of this level are shown from now on, too. */
void log_show(enum firn_log_level level);
/* Run and item of this thread's lines; NULL: none. Copied. Threads inherit nothing: a pool sets them from its job. */
void log_context(const char *run, const char *item);
void log_line(enum firn_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Called around every line, so that a progress display can clear itself and come back. NULL: nobody. */
void log_display(void (*clear)(void), void (*redraw)(void));

#define log_debug(...)   log_line(FIRN_LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_line(FIRN_LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(FIRN_LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_line(FIRN_LOG_ERROR, __VA_ARGS__)

#endif
