/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: what a function that can fail says about its failure.
 *
 * A function returns 0, or -1 with *err set. `err` may be NULL: then the caller only wants to know
 * that it failed. *err must be NULL on entry.
 *
 *     return fail(err, FIRN_NOTFOUND, "snapshot %s: there is none in this repository", id);
 *     if (pack_open(…, err) < 0)
 *         return wrap(err, "restore %s", name);
 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include <firn/error.h>

struct firn_error {
    enum firn_code code;
    char *message; /* one line, no full stop, outermost context first */
};

/* Sets *err and evaluates to -1, so that `return fail(…)` shows analysers that the path fails. */
#define fail(err, code, ...) (error_set((err), (code), __VA_ARGS__), -1)
/* Puts context before the message of *err ("context: message") and evaluates to -1. */
#define wrap(err, ...) (error_wrap((err), __VA_ARGS__), -1)
/* fail() for a system call: appends strerror(errno) and derives the code from errno. */
#define fail_errno(err, ...) (error_set_errno((err), __VA_ARGS__), -1)

void error_set(struct firn_error **err, enum firn_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void error_set_errno(struct firn_error **err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void error_wrap(struct firn_error **err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees *err and sets it to NULL. */
void error_clear(struct firn_error **err);
/* The code of err, or 0 if err is NULL. */
enum firn_code error_code(const struct firn_error *err);
/* The message of err, or "no error". Borrowed. */
const char *error_message(const struct firn_error *err);
/* "NOTFOUND", "CONFLICT" … Static. */
const char *error_code_name(enum firn_code code);

#define auto_error __attribute__((cleanup(error_clear)))

#endif
